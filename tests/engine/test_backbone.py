from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.engine.models import CONFIGS, lessons, saved_model
from tutelage.core.errors import BaseModelError
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.logprob import supervised_loss
from tutelage.render.lesson import Lesson
from tutelage.render.pack import PackedRow, pack
from tutelage.store.base import BaseFolder, find_base


def reference(model: torch.nn.Module, taught: list[Lesson]) -> float:
    """Summed loss of one lesson at a time, its gradient left on the model."""
    total = torch.zeros(())
    for lesson in taught:
        logits = model(torch.tensor([lesson.ids])).logits[0].float()
        chance = torch.log_softmax(logits, -1)[len(lesson.prompt) - 1 : -1]
        total = total - chance.gather(1, torch.tensor(lesson.completion)[:, None]).sum()
    total.backward()
    return float(total.detach())


def packed_loss(backbone: Backbone, rows: list[PackedRow]) -> float:
    total = 0.0
    for row in rows:
        tokens = torch.from_numpy(row.tokens).long()
        position, source = (torch.from_numpy(x).long() for x in (row.position, row.source))
        hidden = backbone.hidden(tokens, position, layout(row.end), source)
        target = tokens[torch.from_numpy(row.target).long()]
        loss = supervised_loss(hidden, backbone.head, target, torch.from_numpy(row.weight))
        loss.total.backward()
        total += float(loss.total.detach())
    return total


def first_gradient(backbone: Backbone, name: str) -> torch.Tensor:
    if backbone.kind == "hf":
        gradient = dict(backbone.module.named_parameters())[name].grad
    else:
        gradient = backbone.module.layers[0].qkv.weight.grad  # type: ignore[union-attr,index]
    assert gradient is not None
    return gradient


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("family", list(CONFIGS))
def test_packed_rows_give_the_loss_and_gradient_of_one_lesson_at_a_time(
    family: str, share: bool, tmp_path: Path
) -> None:
    base, model = saved_model(family, tmp_path)
    taught = lessons()
    expected = reference(model, taught)
    name = (
        "transformer.h.0.attn.c_attn.weight"
        if family == "gpt2"
        else "model.layers.0.self_attn.q_proj.weight"
    )
    gradient = dict(model.named_parameters())[name].grad
    rows = pack(taught, 400, np.random.default_rng(1), share=share)
    for other in (False, True):
        backbone = open_backbone(base, precision=torch.float32, force_hf=other)
        assert abs(packed_loss(backbone, rows) - expected) <= 2e-6 * expected
        found = first_gradient(backbone, name)
        found = found[: len(gradient)]  # the flat one stacks queries, keys and values
        assert (found - gradient).norm() <= 2e-5 * gradient.norm()


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3"])
def test_dense_families_run_on_the_flat_backbone(family: str, tmp_path: Path) -> None:
    base, _ = saved_model(family, tmp_path)
    assert open_backbone(base, precision=torch.float32).kind == "flat"


def test_what_the_flat_backbone_does_not_compute_runs_on_transformers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    base, _ = saved_model("gpt2", tmp_path)
    capfd.readouterr()
    assert open_backbone(base, precision=torch.float32).kind == "hf"
    assert capfd.readouterr().err == ""  # no progress bar of its own


def test_weights_written_are_the_weights_read(tmp_path: Path) -> None:
    base, model = saved_model("qwen2", tmp_path)
    written = open_backbone(base, precision=torch.float32).export()
    own = dict(model.named_parameters())
    assert set(written) >= {name for name in own if name != "lm_head.weight"}
    assert all(torch.equal(value, own[name]) for name, value in written.items())


def test_random_weights_repeat_with_their_seed_and_differ_from_the_base(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    name = "model.layers.0.mlp.up_proj.weight"
    first, again, other, kept = (
        open_backbone(base, precision=torch.float32, random_seed=seed).export()[name]
        for seed in (1, 1, 2, None)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, kept)


def changed(folder: Path, **keys: Any) -> BaseFolder:
    """A saved model whose configuration says something more."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))
    return find_base(str(folder), folder)


def test_frozen_weights_are_bf16_and_rotary_frequencies_stay_fp32(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    model = open_backbone(base, precision=torch.bfloat16, frozen=True, force_hf=True).module
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert {buffer.dtype for buffer in model.buffers()} == {torch.float32}


@pytest.mark.parametrize("key", ["final_logit_softcapping", "logits_scaling", "logit_scale"])
def test_a_head_that_does_more_than_multiply_is_refused(key: str, tmp_path: Path) -> None:
    saved_model("gpt2", tmp_path)
    with pytest.raises(BaseModelError, match=key):
        open_backbone(changed(tmp_path, **{key: 30.0}), precision=torch.float32)
    assert open_backbone(changed(tmp_path, **{key: 1.0}), precision=torch.float32).kind == "hf"


def test_a_row_longer_than_a_sliding_window_is_refused_and_a_shorter_one_is_not(
    tmp_path: Path,
) -> None:
    _, model = saved_model("mistral", tmp_path)
    backbone = open_backbone(changed(tmp_path, sliding_window=64), precision=torch.float32)
    assert backbone.kind == "hf"
    short = [lesson for lesson in lessons() if len(lesson) <= 64]
    rows = pack(short, 400, np.random.default_rng(1))
    assert packed_loss(backbone, rows) == pytest.approx(reference(model, short), rel=2e-6)
    long = [Lesson(prompt=(5,) * 70, completion=(6,))]
    with pytest.raises(BaseModelError, match="sees 64 tokens"):
        packed_loss(backbone, pack(long, 400, np.random.default_rng(1)))


@pytest.mark.parametrize("kept", [0, 4, 2000, -1])
def test_weights_that_are_cut_off_are_told_before_any_work(kept: int, tmp_path: Path) -> None:
    saved_model("llama", tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BaseModelError, match=r"model\.safetensors of .* is cut off"):
        find_base(str(tmp_path), tmp_path)


@pytest.mark.parametrize("size", [None, 0, "two"])
def test_a_configuration_without_its_sizes_is_refused_by_their_names(
    size: object, tmp_path: Path
) -> None:
    saved_model("llama", tmp_path)
    broken = changed(tmp_path, num_hidden_layers=size)
    with pytest.raises(BaseModelError, match="does not give num_hidden_layers"):
        open_backbone(broken, precision=torch.float32)
