from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import lessons, saved_model
from tutelage.core.errors import BaseModelError, TrainingError
from tutelage.core.recipe import Train, loads
from tutelage.core.world import World
from tutelage.engine.backbone import open_backbone
from tutelage.render.pack import pack
from tutelage.store.run import Run
from tutelage.train.activations import offloaded
from tutelage.train.batch import batch_of
from tutelage.train.device import choose_device, compiles, fixed_layers
from tutelage.train.group import Group
from tutelage.train.step import gradient, validation_loss
from tutelage.train.weights import open_learner


@pytest.mark.parametrize(
    ("family", "kinds"), [("llama", ("none", "selective", "full")), ("gpt2", ("none", "full"))]
)
def test_layers_computed_again_keep_less_and_give_the_same_gradient(
    family: str, kinds: tuple[str, ...], tmp_path: Path
) -> None:
    base, _ = saved_model(family, tmp_path)
    batches = [batch_of(row) for row in pack(lessons(), 400, np.random.default_rng(0))]
    kept: list[int] = []
    found = []
    for kind in kinds:
        backbone = open_backbone(base, precision=torch.float32)
        if kind != "none":
            backbone.recompute(kind)  # type: ignore[arg-type]
        sizes: dict[int, int] = {}

        def count(x: torch.Tensor, sizes: dict[int, int] = sizes) -> torch.Tensor:
            sizes[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(count, lambda x: x):
            batch = batches[0]
            hidden = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
        own = {weight.untyped_storage().data_ptr() for weight in backbone.module.parameters()}
        kept.append(sum(size for place, size in sizes.items() if place not in own))
        del hidden
        taught = gradient(backbone, batches)
        gradients = [weight.grad for weight in backbone.module.parameters()]
        found.append((taught.loss, gradients, validation_loss(backbone, batches)))
    assert kept == sorted(set(kept), reverse=True)
    assert kept[-1] < 0.8 * kept[0]
    (loss, gradients, held), *others = found
    for other in others:
        assert other[0] == loss
        assert other[2] == held
        pairs = zip(other[1], gradients, strict=True)
        assert all(torch.equal(one, own) for one, own in pairs if one is not None)


def test_layers_of_a_kind_that_nothing_compiles_are_named(tmp_path: Path) -> None:
    found = {}
    with Run.open(loads("name: a").at(tmp_path)) as run:
        for name, keys in (("llama", {}), ("gpt2", {}), ("qwen2", {"method": "qlora"})):
            base, _ = saved_model(name, tmp_path / name)
            learner = open_learner(Train.model_validate({"base": "b"} | keys), base, run)
            found[name] = fixed_layers(learner)
    sharded = replace(learner, form=None, group=Group(World(size=2)).in_parts())
    assert found == {
        "llama": "",
        "gpt2": "layers of the hf backbone",
        "qwen2": "layers of a quantised base",
    }
    assert fixed_layers(sharded) == "sharded layers"


def test_a_backbone_that_computes_whole_layers_again_says_what_to_set(tmp_path: Path) -> None:
    base, _ = saved_model("gpt2", tmp_path)
    backbone = open_backbone(base, precision=torch.float32)
    with pytest.raises(BaseModelError, match="computes whole layers again") as caught:
        backbone.recompute("selective")
    assert caught.value.hint == "set `full`, or lower `train.rows_tokens`"


def test_offloading_is_refused_where_there_is_nothing_to_spare() -> None:
    section = Train(base="b", activation_offload=True)
    with pytest.raises(TrainingError, match="runs on the processor"):
        offloaded(section, torch.device("cpu"))
    with offloaded(Train(base="b"), torch.device("cpu")):
        pass


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_a_device_that_is_not_there_is_refused() -> None:
    assert choose_device(Train(base="b")) == torch.device("cpu")
    assert choose_device(Train(base="b", device="cpu")) == torch.device("cpu")
    with pytest.raises(TrainingError, match="no CUDA device"):
        choose_device(Train(base="b", device="cuda"))


def test_layers_are_compiled_where_it_pays_or_as_the_recipe_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text("#!/bin/sh\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    plain = Train(base="b")
    assert [compiles(plain, tokens) for tokens in (499_999, 500_000)] == [False, True]
    assert compiles(Train(base="b", compile="always"), 1)
    assert not compiles(Train(base="b", compile="never"), 10**9)
    assert not compiles(plain, 10**9, fixed="sharded layers")
    with pytest.raises(TrainingError, match="sharded layers are not compiled"):
        compiles(Train(base="b", compile="always"), 1, fixed="sharded layers")
    monkeypatch.setenv("PATH", "")
    assert not compiles(plain, 10**9)
    with pytest.raises(TrainingError, match=r"no C\+\+ compiler"):
        compiles(Train(base="b", compile="always"), 1)
