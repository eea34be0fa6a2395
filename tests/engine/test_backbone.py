from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import CONFIGS, lessons, saved_model
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.logprob import supervised_loss
from tutelage.render.lesson import Lesson
from tutelage.render.pack import PackedRow, pack


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


def test_what_the_flat_backbone_does_not_compute_runs_on_transformers(tmp_path: Path) -> None:
    base, _ = saved_model("gpt2", tmp_path)
    assert open_backbone(base, precision=torch.float32).kind == "hf"


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
