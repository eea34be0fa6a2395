from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.engine.models import saved_model
from tests.journey.project import build
from tutelage import pipeline
from tutelage.core.errors import TrainingError
from tutelage.core.progress import Silent
from tutelage.core.recipe import Train, load, loads
from tutelage.core.world import World
from tutelage.store.base import BaseFolder
from tutelage.store.run import Run
from tutelage.train.group import Group
from tutelage.train.shard import ROOM, among, holds, shards
from tutelage.train.weights import open_learner, open_optimizers


@pytest.mark.parametrize(
    ("parallel", "ranks", "sharded"),
    [("shard", 2, True), ("replicate", 2, False), ("auto", 2, False), ("shard", 1, False)],
)
def test_the_recipe_says_whether_weights_are_sharded(
    place: tuple[BaseFolder, Run], parallel: str, ranks: int, sharded: bool
) -> None:
    section = asked(parallel=parallel)
    learner = open_learner(section, *place)
    # `auto`: not on a CPU
    assert shards(section, learner, Group(World(size=ranks))) is sharded


def asked(**keys: object) -> Train:
    return Train.model_validate({"base": "base", "method": "full", "precision": "fp32"} | keys)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BaseFolder, Run]]:
    folder = tmp_path_factory.mktemp("shard")
    base, _ = saved_model("qwen2", folder / "base")
    with Run.open(loads("name: a").at(folder)) as run:
        yield base, run


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"precision": "bf16"},
        {"optimizer": "muon"},
        {"freeze": ["model.embed_tokens", r"model\.layers\.0\..*"]},
        {"freeze": ["model.embed_tokens"], "optimizer": "muon", "precision": "bf16"},
    ],
)
def test_what_one_device_need_not_hold_is_counted_weight_by_weight(
    place: tuple[BaseFolder, Run], keys: dict[str, object]
) -> None:
    section = asked(**keys)
    learner = open_learner(section, *place)
    weights = list(learner.backbone.module.parameters())
    trained = [one for one in weights if one.requires_grad]
    for one in trained:
        one.grad = torch.zeros_like(one)
    rules = [rule for rule, _ in open_optimizers(section, learner, 0.01)]
    for rule in rules:
        rule.step()
    states = [x for rule in rules for one in rule.state.values() for x in one.values() if x.dim()]
    tensors = [*weights, *learner.backbone.module.buffers(), *states]
    held = sum(x.numel() * x.element_size() for x in tensors)
    held += sum(4 * x.numel() for x in trained)  # gradients
    held += sum(2 * x.numel() for x in trained) if section.precision == "bf16" else 0
    least = math.ceil(held / ROOM)
    assert holds(section, learner, least)
    assert not holds(section, learner, least - 2)


def test_one_process_is_told_that_there_is_nothing_to_shard(tmp_path: Path) -> None:
    class Hearer(Silent):
        def __init__(self) -> None:
            self.warnings: list[str] = []

        def warn(self, message: str) -> None:
            self.warnings.append(message)

    hearer = Hearer()
    folder = build(tmp_path / "a")
    recipe = load(folder / "recipe.yaml", ("train.parallel=shard", "train.epochs=1"))
    outcome = pipeline.run(recipe, until="train", progress=hearer)
    assert "`train.parallel: shard` changes nothing in one process" in hearer.warnings
    assert outcome.artifacts["train"].manifest.environment["ranks"] == "1"


@pytest.mark.parametrize(
    "keys",
    [
        {"method": "qlora"},
        {"method": "full", "optimizer": "adamw8bit"},
        {"lora": {"dora": True}},
        {"lora": {"init": "pissa"}},
    ],
)
def test_what_needs_whole_matrices_is_not_sharded(
    place: tuple[BaseFolder, Run], keys: dict[str, object]
) -> None:
    group, learner = Group(World(size=2)), open_learner(asked(), *place)
    wanted = Train.model_validate({"base": "b", "parallel": "shard", **keys})
    with pytest.raises(TrainingError, match="weights are not sharded with") as caught:
        shards(wanted, learner, group)
    assert caught.value.where == "train.parallel"
    left_open = Train.model_validate({"base": "b", "parallel": "auto", **keys})
    assert not shards(left_open, learner, group)


def test_an_adapter_on_the_head_alone_is_not_sharded(place: tuple[BaseFolder, Run]) -> None:
    keys = {"base": "base", "parallel": "shard", "lora": {"targets": ["lm_head"]}}
    section = Train.model_validate(keys)
    learner = open_learner(section, *place)
    with pytest.raises(TrainingError, match="an adapter on the head alone") as caught:
        among(section, learner, Group(World(size=2)))
    assert caught.value.where == "train.parallel"


def test_a_group_in_parts_waits_with_the_same_patience() -> None:
    group = Group(World(rank=1, size=2))
    parts = group.in_parts()
    assert (parts.sharded, group.sharded) == (True, False)
    assert parts.world == group.world
    assert parts.patience is group.patience
