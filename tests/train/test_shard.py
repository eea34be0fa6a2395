from __future__ import annotations

from pathlib import Path

import pytest

from tests.journey.project import build
from tutelage import pipeline
from tutelage.core.errors import TrainingError
from tutelage.core.progress import Silent
from tutelage.core.recipe import Train, load
from tutelage.core.world import World
from tutelage.train.group import Group
from tutelage.train.shard import shards


@pytest.mark.parametrize(
    ("parallel", "ranks", "sharded"),
    [("shard", 2, True), ("replicate", 2, False), ("auto", 2, False), ("shard", 1, False)],
)
def test_the_recipe_says_whether_weights_are_sharded(
    parallel: str, ranks: int, sharded: bool
) -> None:
    section = Train.model_validate({"base": "b", "method": "full", "parallel": parallel})
    assert shards(section, 10**12, Group(World(size=ranks))) is sharded  # `auto`: not on a CPU


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
def test_what_needs_whole_matrices_is_not_sharded(keys: dict[str, object]) -> None:
    group = Group(World(size=2))
    asked = Train.model_validate({"base": "b", "parallel": "shard", **keys})
    with pytest.raises(TrainingError, match="weights are not sharded with") as caught:
        shards(asked, 10**12, group)
    assert caught.value.where == "train.parallel"
    left_open = Train.model_validate({"base": "b", "parallel": "auto", **keys})
    assert not shards(left_open, 10**12, group)
