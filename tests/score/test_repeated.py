"""Metrics over trainings: against values worked out by hand, and by simulation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tutelage.core.intervals import Interval, Sides
from tutelage.score.measure import Measure, interval
from tutelage.score.repeated import Repeated, pseudovalues, repeated, told_apart

EXACT = Measure(metric="exact", says="right")
F1 = Measure(
    metric="f1", says="slots", family="ratio", columns=("hits", "predicted", "expected"),
    statistic="f1",
)  # fmt: skip
SECONDS = Measure(metric="p95", says="slowest", family="level", columns=("seconds",),
                  statistic="p95", unit="seconds")  # fmt: skip


def test_the_pseudovalues_of_a_mean_are_its_scores() -> None:
    rows = [{"exact": 1.0}, {"exact": 0.0}, {"exact": 1.0}]
    found = pseudovalues(EXACT, rows, ["a", "b", "c"])
    assert found is not None
    assert found == pytest.approx([1.0, 0.0, 1.0])


def test_tasks_of_one_cluster_count_together() -> None:
    rows = [{"exact": 1.0}, {"exact": 0.0}, {"exact": 1.0}, {"exact": 1.0}]
    found = pseudovalues(EXACT, rows, ["a", "a", "b", "b"])
    assert found is not None
    assert found == pytest.approx([0.5, 1.0])


def test_the_pseudovalues_of_a_ratio_have_its_mean_and_the_spread_of_its_bootstrap() -> None:
    draw = np.random.default_rng(5)
    rows = [
        {"hits": float(hits), "predicted": 3.0, "expected": 3.0}
        for hits in draw.binomial(3, 0.8, 400)
    ]
    names = [str(number) for number in range(400)]
    found = pseudovalues(F1, rows, names)
    drawn = interval(F1, rows, names, np.random.default_rng(1))
    assert found is not None
    assert found.mean() == pytest.approx(drawn.value)
    error = found.std(ddof=1) / 20
    assert error == pytest.approx((drawn.high - drawn.low) / (2 * 1.96), rel=0.08)


def test_a_statistic_without_a_value_is_not_told() -> None:
    bits = Measure(metric="bits", says="b", family="level", columns=("nats", "bytes"),
                   statistic="bits", unit="bits")  # fmt: skip
    assert pseudovalues(bits, [{"nats": 0.0, "bytes": 0.0}] * 3, ["a", "b", "c"]) is None


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        (EXACT, True),
        (F1, True),
        (SECONDS, False),
        (replace(EXACT, locked="judge has no labels"), False),
        (replace(EXACT, family="detected"), False),
        (replace(EXACT, family="controlled"), False),
    ],
)
def test_only_means_and_sums_are_told_apart(measure: Measure, told: bool) -> None:
    assert told_apart(measure) is told


def test_one_training_tells_nothing_of_seeds() -> None:
    assert repeated(EXACT, [[{"exact": 1.0}] * 3], ["a", "b", "c"], _none) is None


def test_what_is_always_right_is_not_therefore_certain() -> None:
    rows = [{"exact": 1.0}] * 40
    found = _over([rows, rows, rows])
    bounds = found.interval(1)
    assert bounds.value == 1.0
    assert bounds.low == pytest.approx(0.05 ** (1 / 40))
    assert bounds.high == 1.0
    assert bounds.method == "crossed t, 3 trainings one-sided"


def test_seeds_that_differ_widen_the_interval() -> None:
    draw = np.random.default_rng(3)
    alike = [_answers(draw, 0.8) for _ in range(3)]
    apart = [_answers(draw, share) for share in (0.7, 0.8, 0.9)]
    narrow, wide = _over(alike).interval(2), _over(apart).interval(2)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_the_interval_holds_the_recipe_s_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        shares = np.clip(0.75 + 0.05 * draw.standard_normal(4), 0, 1)
        found = _over([_answers(draw, share, 200) for share in shares]).interval(2)
        held += found.low <= 0.75 <= found.high
    assert held / 400 >= 0.93


def test_a_difference_is_paired_with_the_baseline() -> None:
    base = [{"exact": float(n % 4 == 0)} for n in range(40)]
    mine = [{"exact": float(n % 4 < 2)} for n in range(40)]
    names = [str(n) for n in range(40)]
    found = repeated(EXACT, [mine, mine], names, _none, base)
    assert found is not None
    assert found.value == pytest.approx(0.25)
    assert found.interval(2).low < 0.25


def test_a_share_and_a_difference_of_shares_stay_within_their_bounds() -> None:
    names = [str(n) for n in range(40)]
    none, every = [{"exact": 0.0}] * 40, [{"exact": 1.0}] * 40
    apart = repeated(EXACT, [none, every], names, _none, none)
    assert apart is not None
    assert (apart.interval(2).low, apart.interval(2).high) == (-1.0, 1.0)
    alone = _over([none, every]).interval(2)
    assert (alone.low, alone.high) == (0.0, 1.0)


def _answers(draw: np.random.Generator, share: float, count: int = 300) -> list[dict[str, float]]:
    return [{"exact": float(one)} for one in draw.random(count) < share]


def _over(trainings: list[list[dict[str, float]]]) -> Repeated:
    names = [str(number) for number in range(len(trainings[0]))]

    def bounds(number: int, sides: Sides) -> Interval:
        return interval(EXACT, trainings[number], names, np.random.default_rng(1), sides)

    found = repeated(EXACT, trainings, names, bounds)
    assert found is not None
    return found


def _none(number: int, sides: Sides) -> Interval:
    return Interval(value=0.0, low=-0.0, high=1.0, n=3, method=f"{number} {sides}")
