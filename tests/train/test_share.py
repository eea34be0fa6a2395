from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import lessons, saved_model
from tutelage.core.recipe import Train, loads
from tutelage.render.lesson import Lesson
from tutelage.render.pack import pack
from tutelage.store.run import Run
from tutelage.train.batch import batch_of, idle_batch
from tutelage.train.share import cost, shares
from tutelage.train.step import gradient
from tutelage.train.weights import open_learner


def test_the_dearest_row_goes_first_to_whoever_has_least() -> None:
    assert shares([5, 9, 3, 4], 2) == [(1, 2), (0, 3)]
    assert shares([1, 1, 1, 1], 4) == [(0,), (1,), (2,), (3,)]


def test_a_rank_may_be_left_without_rows() -> None:
    assert shares([7], 3) == [(0,), (), ()]


@pytest.mark.parametrize("ranks", [1, 2, 3, 8])
def test_every_row_is_taken_once_and_no_rank_has_a_row_too_many(ranks: int) -> None:
    costs = np.random.default_rng(0).integers(1, 1000, 64).tolist()
    taken = shares(costs, ranks)
    assert sorted(place for places in taken for place in places) == list(range(64))
    loads_ = [sum(costs[place] for place in places) for places in taken]
    assert max(loads_) - min(loads_) <= max(costs)


def test_a_long_lesson_costs_more_than_short_ones_of_as_many_tokens() -> None:
    long = Lesson(prompt=tuple(range(64)), completion=tuple(range(64)), row="a")
    short = [
        Lesson(prompt=(one, 1, 2, 3), completion=(4, 5, 6, 7), row=str(one)) for one in range(16)
    ]
    (one,) = pack([long], 128, np.random.default_rng(0))
    (other,) = pack(short, 128, np.random.default_rng(0))
    assert len(one) == len(other) == 128
    assert cost(one, 64) - cost(other, 64) == 128 * 127 // 2 - 16 * (8 * 7 // 2)


@pytest.mark.parametrize("split", [[(0, 1, 2, 3)], [(0,), (1, 2, 3)], [(3, 1), (), (2, 0)]])
def test_any_share_of_the_rows_sums_to_the_same_gradient(
    split: list[tuple[int, ...]], tmp_path: Path
) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    section = Train.model_validate({"base": "base", "method": "full", "precision": "fp32"})
    with Run.open(loads("name: a").at(tmp_path)) as run:
        learner = open_learner(section, base, run)
        rows = list(pack(lessons(), 90, run.generator("rows")))[:4]
    assert len(rows) == 4
    weight = sum(float(row.weight.sum()) for row in rows)
    whole = gradient_of(learner, [batch_of(row) for row in rows], weight)
    parts = [gradient_of(learner, [batch_of(rows[at]) for at in mine], weight) for mine in split]
    for name, expected in whole.items():
        found = sum(part.get(name, torch.zeros(())) for part in parts)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


def test_an_idle_turn_teaches_nothing(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    section = Train.model_validate({"base": "base", "method": "full", "precision": "fp32"})
    with Run.open(loads("name: a").at(tmp_path)) as run:
        learner = open_learner(section, base, run)
    found = gradient_of(learner, [idle_batch()], 10.0)
    assert found
    assert not any(bool(value.any()) for value in found.values())


def gradient_of(learner, batches, weight: float) -> dict[str, torch.Tensor]:  # type: ignore[no-untyped-def]
    gradient(learner.backbone, batches, weight)
    trained = learner.trainable()
    found = {name: x.grad.clone() for name, x in trained.items() if x.grad is not None}
    for one in trained.values():
        one.grad = None
    return found
