"""Adapters of every shape: where they sit, what they start as, and taken into the weights."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engine.models import saved_model
from tutelage.core.errors import BaseModelError
from tutelage.engine.adapted import merge, seats
from tutelage.engine.adapter import (
    LORA_CONFIG,
    LORA_WEIGHTS,
    LoraShape,
    apply_adapter,
    attach_lora,
    read_lora,
    save_lora,
)
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.lowrank import LowRank
from tutelage.engine.projection import Part, Projection
from tutelage.store.base import BaseFolder

IDS = torch.arange(9, 49)
EXTRAS: dict[str, dict[str, Any]] = {
    "lora": {},
    "rslora": {"rslora": True},
    "dora": {"dora": True},
    "pissa": {"init": "pissa"},
    "dora, pissa and rslora": {"dora": True, "init": "pissa", "rslora": True},
}


def shape(**extra: Any) -> LoraShape:
    return LoraShape(**({"rank": 4, "alpha": 8.0, "dropout": 0.0, "targets": None} | extra))


def opened(base: BaseFolder) -> Backbone:
    return open_backbone(base, precision=torch.float32, frozen=True)


def logits(backbone: Backbone) -> Tensor:
    every, plan = torch.arange(len(IDS)), layout(np.full(len(IDS), len(IDS), dtype=np.int32))
    with torch.no_grad():
        return backbone.hidden(IDS, every, plan, every) @ backbone.head.T


def moved(adapters: dict[str, LowRank]) -> None:
    """As if they had been trained."""
    draw = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for adapter in adapters.values():
            for weight in adapter.parameters():
                weight.add_(0.1 * torch.randn(weight.shape, generator=draw))


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])
@pytest.mark.parametrize("name", list(EXTRAS))
def test_an_adapter_starts_at_nothing_and_merges_into_what_peft_merges(
    name: str, family: str, tmp_path: Path
) -> None:
    base, model = saved_model(family, tmp_path / "base")
    backbone = opened(base)
    plain = logits(backbone)
    adapters = attach_lora(backbone, shape(**EXTRAS[name]), seed=3)
    torch.testing.assert_close(logits(backbone), plain, atol=1e-4, rtol=0)
    moved(adapters)
    tuned = logits(backbone)
    assert not torch.allclose(tuned, plain, atol=0.05)
    save_lora(tmp_path, adapters, shape(**EXTRAS[name]), base=base.name, backbone=backbone)
    merge(backbone.module)
    assert list(seats(backbone.module)) == []
    torch.testing.assert_close(logits(backbone), tuned, atol=1e-3, rtol=0)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries it imports
        from peft import PeftModel

        theirs = PeftModel.from_pretrained(model, tmp_path).eval()
        torch.testing.assert_close(theirs(IDS[None]).logits[0], tuned, atol=1e-4, rtol=0)
        expected = theirs.merge_and_unload()(IDS[None]).logits[0]
    torch.testing.assert_close(logits(backbone), expected, atol=1e-3, rtol=0)


def test_pissa_starts_from_the_greatest_singular_directions(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    backbone = opened(base)
    attach_lora(backbone, shape(init="pissa"), seed=3)
    for seat in seats(backbone.module):
        left, sizes, right = torch.linalg.svd(seat.matrix(), full_matrices=False)
        best = (left[:, :4] * sizes[:4]) @ right[:4]
        start = seat.adapter.scale * seat.adapter.b @ seat.adapter.a
        assert (start - best).norm() < 0.02 * best.norm()


def test_the_saved_form_of_pissa_is_a_plain_adapter_of_twice_the_rank(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    backbone = opened(base)
    adapters = attach_lora(backbone, shape(init="pissa"), seed=3)
    save_lora(tmp_path, adapters, shape(init="pissa"), base=base.name, backbone=backbone)
    config = json.loads((tmp_path / LORA_CONFIG).read_text())
    assert (config["r"], config["lora_alpha"]) == (8, 16.0)
    assert {pair.a.shape[0] for pair in read_lora(tmp_path).pairs.values()} == {8}


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("name", list(EXTRAS))
def test_gradients_are_those_of_the_matrices_written_out(name: str, dropout: float) -> None:
    draw = torch.Generator().manual_seed(0)
    weight, x = torch.randn(6, 5, generator=draw), torch.randn(7, 5, generator=draw)
    extra = shape(rank=2, **EXTRAS[name])
    adapter = LowRank(inputs=5, outputs=6, rank=2, scale=extra.scale, dropout=dropout)
    torch.nn.init.normal_(adapter.a, generator=draw)
    if extra.init == "pissa":
        adapter.take_principal(weight, seed=0)
    if extra.dora:
        adapter.take_magnitudes(weight)
    moved({"": adapter})
    adapter.eval()  # dropout is for training alone
    adapter(x, x @ weight.T, lambda: weight).square().sum().backward()
    found = [one.grad for one in adapter.parameters()]
    pair = adapter.factors()
    whole = weight + adapter.scale * pair.b @ pair.a
    if adapter.magnitude is not None:
        norm = whole.norm(dim=1, keepdim=True).detach()
        whole = adapter.magnitude[:, None] / norm * whole
    expected = torch.autograd.grad(
        (x @ whole.T - x @ weight.T).square().sum(), list(adapter.parameters())
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_targets_are_names_ends_of_paths_or_patterns(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    found = {}
    for targets in (("q_proj",), ("mlp.up_proj",), (r".*layers\.[01]\..*proj",)):
        found[targets] = set(attach_lora(opened(base), shape(targets=targets), seed=1))
    layers = [f"model.layers.{index}" for index in range(3)]
    assert found["q_proj",] == {f"{layer}.self_attn.q_proj" for layer in layers}
    assert found["mlp.up_proj",] == {f"{layer}.mlp.up_proj" for layer in layers}
    assert len(found[r".*layers\.[01]\..*proj",]) == 14


def test_peft_adapts_the_layers_of_a_pattern_and_no_other(tmp_path: Path) -> None:
    base, model = saved_model("llama", tmp_path / "base")
    backbone, few = opened(base), shape(targets=(r".*\.1\.mlp\..*",))
    adapters = attach_lora(backbone, few, seed=1)
    moved(adapters)
    save_lora(tmp_path, adapters, few, base=base.name, backbone=backbone)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the libraries it imports
        from peft import PeftModel

        theirs = PeftModel.from_pretrained(model, tmp_path).eval()
        assert sum("lora_A" in name for name, _ in theirs.named_parameters()) == 3
        torch.testing.assert_close(theirs(IDS[None]).logits[0], logits(backbone), atol=1e-4, rtol=0)


def test_every_target_that_names_no_layer_is_told(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    with pytest.raises(BaseModelError) as caught:
        attach_lora(opened(base), shape(targets=("query", "q_proj", "*")), seed=1)
    assert [row.where for row in caught.value.rows] == ["query", "*"]
    assert "not valid" in caught.value.rows[1].problem
    with pytest.raises(BaseModelError, match="name no layer") as caught:
        attach_lora(opened(base), shape(targets=()), seed=1)
    assert "nothing is named" in caught.value.rows[0].problem


@pytest.mark.parametrize(
    ("key", "value"), [("rank_pattern", {"q_proj": 2}), ("modules_to_save", ["lm_head"])]
)
def test_an_adapter_that_asks_for_more_is_refused(key: str, value: object, tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    backbone = opened(base)
    save_lora(
        tmp_path, attach_lora(backbone, shape(), seed=1), shape(), base="base", backbone=backbone
    )
    path = tmp_path / LORA_CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(BaseModelError, match=key):
        apply_adapter(opened(base), tmp_path)


def test_an_adapter_of_another_base_is_refused(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    other, _ = saved_model("gpt2", tmp_path / "other")
    backbone = opened(base)
    save_lora(
        tmp_path, attach_lora(backbone, shape(), seed=1), shape(), base="base", backbone=backbone
    )
    with pytest.raises(BaseModelError, match="does not fit the base"):
        apply_adapter(opened(other), tmp_path)


@pytest.mark.parametrize("name", list(EXTRAS))
def test_a_compiled_projection_computes_what_the_plain_one_does(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    parts = (Part(name="q_proj", rows=6), Part(name="k_proj", rows=4))
    projection = Projection(5, parts, bias=True).requires_grad_(False)
    torch.nn.init.normal_(projection.weight, generator=draw)
    extra = shape(rank=2, **EXTRAS[name])
    adapter = LowRank(inputs=5, outputs=6, rank=2, scale=extra.scale, dropout=0.0)
    torch.nn.init.normal_(adapter.a, generator=draw)
    projection.adapters["q_proj"] = adapter
    if extra.init == "pissa":
        adapter.take_principal(projection.part_weight("q_proj"), seed=0)
    if extra.dora:
        adapter.take_magnitudes(projection.part_weight("q_proj"))
    moved({"": adapter})
    x = torch.randn(7, 5, generator=draw)
    found = []
    for forward in (projection, torch.compile(projection, backend="aot_eager", fullgraph=True)):
        out = forward(x)
        found.append((out, *torch.autograd.grad(out.square().sum(), list(adapter.parameters()))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (LORA_CONFIG, b"{", "cannot be read"),
        (LORA_CONFIG, b"[]", "holds no object"),
        (LORA_CONFIG, b'{"r": 0, "lora_alpha": 1}', "says `r: 0`"),
        (LORA_CONFIG, b'{"r": 4}', "says `lora_alpha: None`"),
        (LORA_WEIGHTS, b"\x10\x00", "cannot be read"),
        (LORA_WEIGHTS, None, "cannot be read"),
    ],
)
def test_a_damaged_adapter_is_told_as_one(
    file: str, content: bytes | None, says: str, tmp_path: Path
) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    backbone = opened(base)
    adapters = attach_lora(backbone, shape(), seed=3)
    save_lora(tmp_path, adapters, shape(), base=base.name, backbone=backbone)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BaseModelError, match=says):
        read_lora(tmp_path)
