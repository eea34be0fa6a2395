from __future__ import annotations

import math

import pytest

from tutelage.core.intervals import wilson
from tutelage.core.metric import Metric
from tutelage.core.power import power_of_pairs, power_of_share
from tutelage.core.rule import Bounds, parse
from tutelage.core.shares import clopper_pearson, paired_share_difference
from tutelage.gate.decide import judge, tasks_needed


def metric(name: str, successes: int, n: int) -> Metric:
    found = wilson(successes, n, sides=1)
    return Metric(
        metric=name,
        suite="s",
        system="tuned",
        n=n,
        value=found.value,
        low=found.low,
        high=found.high,
        method=found.method,
    )


GOOD, BAD, OPEN = metric("good", 100, 100), metric("bad", 10, 100), metric("open", 52, 100)


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        (["good"], "pass"),
        (["good", "open"], "inconclusive"),
        (["good", "open", "bad"], "fail"),
        (["bad", "open"], "fail"),
    ],
)
def test_the_worst_rule_decides(names: list[str], outcome: str) -> None:
    rules = [parse(f"s.{name} >= 0.5") for name in names]
    assert judge(rules, [GOOD, BAD, OPEN]).outcome == outcome


def test_a_rule_without_evidence_keeps_the_gate_shut() -> None:
    verdict = judge([parse("s.never >= 0.5")], [GOOD])
    assert verdict.outcome == "inconclusive"
    assert verdict.rules[0].more_tasks is None
    assert "no such evidence" in verdict.rules[0].advice


def test_a_rule_about_previous_says_why_there_is_none() -> None:
    verdict = judge([parse("s.good >= previous")], [GOOD], lambda rule: "nothing came before")
    assert verdict.rules[0].advice == "nothing came before"


def test_an_estimate_on_the_right_side_is_told_how_much_is_missing() -> None:
    (judged,) = judge([parse("s.open >= 0.5")], [OPEN]).rules
    assert judged.more_tasks is not None
    assert judged.more_tasks > 1000
    assert f"{judged.more_tasks:,} more tasks" in judged.advice


@pytest.mark.parametrize(
    ("method", "n", "more", "told"),
    [
        ("order statistics one-sided", 20, 39, "a 95th percentile needs 39 more tasks at least"),
        ("clustered order statistics one-sided", 80, None, "so few, or all alike"),
        ("t one-sided", 1, None, "so few, or all alike"),
    ],
)
def test_where_the_bound_is_infinite_the_rule_is_open_and_says_what_is_missing(
    method: str, n: int, more: int | None, told: str
) -> None:
    found = Metric(
        metric="p95",
        suite="s",
        system="tuned",
        n=n,
        value=2.0,
        low=0.0,
        high=math.inf,
        method=method,
    )
    (judged,) = judge([parse("s.p95 <= 10")], [found]).rules
    assert judged.decided.outcome == "inconclusive"
    assert judged.more_tasks == more
    assert told in judged.advice


def test_a_detector_that_tells_nothing_is_said_to() -> None:
    found = Metric(
        metric="refusal",
        suite="s",
        system="tuned",
        n=20,
        value=math.nan,
        low=0.0,
        high=1.0,
        method="rogan-gladen bootstrap one-sided",
    )
    (judged,) = judge([parse("s.refusal >= 0.5")], [found]).rules
    assert judged.decided.outcome == "inconclusive"
    assert "no better than chance" in judged.advice


def test_an_estimate_on_the_line_is_no_negative_amount_short() -> None:
    found = Metric(
        metric="m",
        suite="s",
        system="tuned",
        n=9,
        value=0.5,
        low=0.3,
        high=0.7,
        method="t one-sided",
    )
    (judged,) = judge([parse("s.m >= 0.5")], [found]).rules
    assert judged.advice.startswith("the estimate itself is 0.0000 short")


def test_an_estimate_on_the_wrong_side_is_told_that_more_would_not_help() -> None:
    (judged,) = judge([parse("s.open >= 0.55")], [OPEN]).rules
    assert judged.decided.outcome == "inconclusive"
    assert judged.more_tasks is None
    assert "a better model" in judged.advice
    (upper,) = judge([parse("s.open <= 0.51")], [OPEN]).rules
    assert "a better model" in upper.advice
    (below,) = judge([parse("s.open <= 0.55")], [OPEN]).rules
    assert below.more_tasks is not None


def test_the_tasks_needed_are_those_of_the_textbook() -> None:
    error = math.sqrt(0.25 / 400)
    bounds = Bounds(
        estimate=0.55, low=0.55 - 1.6448536 * error, high=0.55 + 1.6448536 * error, n=400
    )
    expected = math.ceil((1.6448536 + 0.8416212) ** 2 * 0.25 / 0.05**2)
    assert tasks_needed(bounds, parse("s.open >= 0.5")) == pytest.approx(expected, abs=1)


def test_the_verdict_is_plain_json() -> None:
    form = judge([parse("s.open >= 0.5"), parse("s.none >= 0.5")], [OPEN]).to_dict()
    assert form["outcome"] == "inconclusive"
    rules = form["rules"]
    assert isinstance(rules, list)
    first, second = rules
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["evidence"] == {
        "estimate": OPEN.value,
        "low": OPEN.low,
        "high": OPEN.high,
        "n": 100,
    }
    assert second["evidence"] is None


@pytest.mark.parametrize(("wins", "losses", "threshold"), [(16, 12, 0.0), (12, 14, -0.05)])
def test_the_tasks_advised_for_a_paired_rule_have_the_chance_it_says(
    wins: int, losses: int, threshold: float
) -> None:
    same = 100 - wins - losses
    first = [1.0] * wins + [0.0] * losses + [1.0] * same
    second = [0.0] * wins + [1.0] * losses + [1.0] * same
    found = paired_share_difference(first * 2, second * 2, sides=1)
    bounds = Bounds(
        estimate=found.value, low=found.low, high=found.high, n=found.n, method=found.method
    )
    needed = tasks_needed(bounds, parse(f"s.open >= few_shot + {threshold}".replace("+ -", "- ")))
    assert needed is not None
    chance = power_of_pairs(wins / 100, losses / 100, threshold, needed)
    assert chance == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("right", "rule"), [(96, "s.open >= 0.93"), (4, "s.open <= 0.07")])
def test_the_tasks_advised_for_a_share_have_the_chance_it_says(right: int, rule: str) -> None:
    found = clopper_pearson(right, 100, sides=1)
    bounds = Bounds(
        estimate=found.value, low=found.low, high=found.high, n=found.n, method=found.method
    )
    needed = tasks_needed(bounds, parse(rule))
    assert needed is not None
    assert power_of_share(0.96, 0.93, needed) == pytest.approx(0.8, abs=0.03)
    hopeless = parse("s.open >= 0.99") if right == 96 else parse("s.open <= 0.01")
    assert tasks_needed(bounds, hopeless) is None
