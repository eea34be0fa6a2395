from __future__ import annotations

import math

import numpy as np
import pytest

from tests.score.fakes import task
from tutelage.core.bound import Bound
from tutelage.core.sample import Sample
from tutelage.score.cost import Cost
from tutelage.score.level import (
    level_difference,
    mean_level,
    tail_difference,
    tail_level,
)
from tutelage.score.measure import Measure, Pairs, difference, interval
from tutelage.score.roster import FINISHED, headline_of, open_scorer, spent
from tutelage.score.task import Scores


def sample(seconds: float, tokens: int) -> Sample:
    return Sample(
        task="t/1",
        cluster="1",
        system="tuned",
        seed=0,
        prompt_digest="",
        answer="x",
        tokens=tokens,
        seconds=seconds,
    )


def measure(name: str) -> Measure:
    return next(one for one in Cost.measures if one.metric == name)


def rows(count: int = 200) -> list[Scores]:
    return [Cost().spent(sample(0.01 * index, index)) for index in range(count)]


def names(count: int = 200) -> list[str]:
    return [str(index) for index in range(count)]


def found(name: str, count: int = 200, sides: int = 2) -> tuple[float, float, float]:
    one = interval(
        measure(name), rows(count), names(count), np.random.default_rng(0), 1 if sides == 1 else 2
    )
    return one.low, one.value, one.high


def test_seconds_and_tokens_come_from_the_sample() -> None:
    assert Cost().spent(sample(1.5, 7)) == {"answer_seconds": 1.5, "answer_tokens": 7.0}
    assert Cost().score(task("x", "y"), "z") == {}
    assert spent([open_scorer("exact", None)], task("x", "y"), sample(1.5, 7)) == {}
    assert spent([Cost()], task("x", "y"), sample(1.5, 7))["answer_seconds"] == 1.5


def test_a_mean_may_be_above_1_and_has_its_interval() -> None:
    low, value, high = found("tokens")
    assert value == pytest.approx(99.5)
    assert 85 < low < 99.5 < high < 115
    assert measure("tokens").unit == "tokens"


def test_the_95th_percentile_lies_between_two_of_the_values() -> None:
    low, value, high = found("seconds_p95")
    assert value == pytest.approx(1.89)
    assert 1.75 < low < 1.89 < high <= 1.99


def test_too_few_answers_do_not_bound_the_tail_from_above() -> None:
    assert math.isinf(found("seconds_p95", 30)[2])
    assert math.isinf(found("seconds_p95", 58, sides=1)[2])
    assert math.isfinite(found("seconds_p95", 59, sides=1)[2])


def test_answers_all_alike_do_not_bound_the_mean_from_above() -> None:
    one = mean_level(np.full(20, 3.0), None, Bound())
    assert (one.value, one.high) == (3.0, math.inf)
    assert 0 < one.low < 3.0


def test_the_bound_of_the_tail_holds_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    truth = math.log(20)  # of an exponential
    hits = sum(
        one.low <= truth <= one.high
        for one in (tail_level(draw.exponential(size=120), None, Bound()) for _ in range(400))
    )
    assert hits >= 0.93 * 400


def test_clusters_that_move_together_widen_the_interval() -> None:
    values = np.repeat(np.arange(20.0), 10)
    clusters = [str(index // 10) for index in range(200)]
    alone, together = mean_level(values, None, Bound()), mean_level(values, clusters, Bound())
    assert together.high - together.low > 2 * (alone.high - alone.low)
    tail = tail_level(values, clusters, Bound())
    assert tail.low < tail_level(values, None, Bound()).low


def test_two_systems_are_compared_on_the_same_answers() -> None:
    slower = [{**row, "answer_seconds": row["answer_seconds"] * 2} for row in rows()]
    both = Pairs(tasks=tuple(names()), first=slower, second=rows(), clusters=tuple(names()))
    mean = difference(measure("seconds"), both, np.random.default_rng(0))
    assert mean.value == pytest.approx(0.995)
    assert 0.9 < mean.low < mean.high < 1.1
    tail = difference(measure("seconds_p95"), both, np.random.default_rng(0))
    assert tail.value == pytest.approx(1.89)
    assert 1.7 < tail.low < tail.high < 2.0
    nothing = tail_difference(np.ones(9), np.ones(9), None, np.random.default_rng(0), Bound())
    assert (nothing.low, nothing.high) == (-math.inf, math.inf)


def test_cost_says_of_no_answer_whether_it_is_right() -> None:
    assert headline_of([open_scorer("exact", None), Cost()]) == "exact_match"
    assert headline_of([Cost()]) == FINISHED.metric


def test_clusters_whose_sums_cancel_do_not_bound_a_level() -> None:
    values, clusters = np.array([1.0, 3.0, 1.0, 3.0]), list("aabb")
    found = mean_level(values, clusters, Bound(1))
    assert (found.value, found.high) == (2.0, math.inf)
    apart = level_difference(values, values[::-1], clusters, Bound(1))
    assert (apart.low, apart.high) == (-math.inf, math.inf)


def test_few_clusters_bound_the_tail_as_the_items_they_are_surely_worth() -> None:
    draw = np.random.default_rng(3)
    values = draw.exponential(1, 800)
    few = [str(at % 8) for at in range(800)]
    many = [str(at % 400) for at in range(800)]
    assert tail_level(values, few, Bound(1)).high > tail_level(values, many, Bound(1)).high
