from __future__ import annotations

import math

import numpy as np
import pytest

from tutelage.core.intervals import wilson
from tutelage.score.corpus import precision, recall
from tutelage.score.measure import Measure, Pairs, difference, interval

SHARE = Measure(metric="right", says="")
F1 = Measure(metric="f1", says="", family="ratio", columns=("h", "p", "e"), statistic="f1")


def names(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def rows(values: list[float]) -> list[dict[str, float]]:
    return [{"right": value} for value in values]


def test_a_share_of_independent_tasks_has_wilsons_interval() -> None:
    found = interval(SHARE, rows([1.0] * 15 + [0.0] * 133), names(148), np.random.default_rng(0))
    assert (found.n, found.method) == (148, "wilson")
    assert (round(found.low, 4), round(found.high, 4)) == (0.0624, 0.1605)


def test_a_score_that_does_not_apply_is_not_counted() -> None:
    found = interval(SHARE, [{"right": 1.0}, {}, {"right": 0.0}], names(3), _generator())
    assert (found.n, found.value) == (2, 0.5)


def test_clusters_of_equal_answers_count_as_one_each() -> None:
    values = [1.0] * 40 + [0.0] * 10
    clusters = [str(number // 5) for number in range(50)]
    found = interval(SHARE, rows(values), clusters, _generator())
    assert (found.method, found.n, found.value) == ("clustered wilson", 50, 0.8)
    alone = interval(SHARE, rows(values), names(50), _generator())
    assert found.high - found.low > 1.9 * (alone.high - alone.low)


def test_clusters_that_all_agree_are_worth_their_number() -> None:
    found = interval(
        SHARE, rows([1.0] * 30), [str(number // 3) for number in range(30)], _generator()
    )
    assert found.low == pytest.approx(wilson(10, 10).low)


def test_one_sided_records_say_so() -> None:
    one = interval(SHARE, rows([1.0, 0.0]), names(2), _generator(), 1)
    assert one.method == "clopper-pearson one-sided"
    two = interval(SHARE, rows([1.0, 0.0]), ["a", "a"], _generator(), 1)
    assert two.method == "clustered clopper-pearson one-sided"


def test_a_ratio_sums_its_counts() -> None:
    found = interval(
        F1, [{"h": 1, "p": 2, "e": 1}, {"h": 1, "p": 1, "e": 3}], names(2), _generator()
    )
    assert found.value == pytest.approx(2 * 2 / (3 + 4))
    assert (found.n, found.method) == (2, "bootstrap")


def test_a_difference_is_paired_on_tasks_both_have() -> None:
    pairs = Pairs(
        tasks=("a", "b", "c"),
        first=[{"right": 1.0}, {"right": 1.0}, {}],
        second=[{"right": 0.0}, {"right": 1.0}, {"right": 1.0}],
        clusters=("a", "b", "c"),
    )
    found = difference(SHARE, pairs, _generator())
    assert (found.value, found.n, found.method) == (0.5, 2, "paired score")
    only = pairs.only(frozenset({"b"}))
    assert (only.tasks, difference(SHARE, only, _generator()).value) == (("b",), 0.0)


def test_a_difference_of_ratios_cancels_what_tasks_share() -> None:
    rng = np.random.default_rng(5)
    hard = rng.integers(0, 4, 200)
    first = [{"h": float(h), "p": 4.0, "e": 4.0} for h in hard]
    second = [{"h": float(max(0, h - 1)), "p": 4.0, "e": 4.0} for h in hard]
    pairs = Pairs(tasks=tuple(names(200)), first=first, second=second, clusters=tuple(names(200)))
    found = difference(F1, pairs, _generator())
    alone = interval(F1, first, names(200), _generator())
    assert found.method == "paired bootstrap"
    assert found.high - found.low < 0.6 * (alone.high - alone.low)
    assert found.low > 0


def test_precision_and_recall_of_nothing_are_right_only_where_nothing_was_due() -> None:
    nothing, missed, extra = [0.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 2.0, 0.0]
    sums = np.array([nothing, missed, extra, [1.0, 2.0, 4.0]])
    assert precision(sums).tolist() == [1.0, 0.0, 0.0, 0.5]
    assert recall(sums).tolist() == [1.0, 0.0, 0.0, 0.25]


def test_a_measure_survives_its_plain_form() -> None:
    assert Measure.from_dict(F1.to_dict()) == F1


def test_no_task_has_no_value() -> None:
    assert math.isnan(interval(SHARE, [], [], _generator()).value)


def _generator() -> np.random.Generator:
    return np.random.default_rng(0)
