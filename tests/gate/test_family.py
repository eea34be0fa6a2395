from __future__ import annotations

import pytest

from tutelage.core.metric import Metric
from tutelage.core.rule import Bounds, Rule, parse
from tutelage.gate.decide import judge
from tutelage.gate.family import decide_slices

RULE = parse("s.right@intent=* >= few_shot - 0.05")


def bounds(low: float, high: float) -> Bounds:
    return Bounds(estimate=(low + high) / 2, low=low, high=high, n=50)


def none(rule: Rule, confidence: float) -> None:
    return None


def test_a_family_is_one_line_for_every_value() -> None:
    assert RULE.family == "intent"
    one = RULE.at("intent=refund")
    assert (one.slice, one.family) == ("intent=refund", "")
    assert one.text == "s.right@intent=refund >= few_shot - 0.05"
    assert parse("s.right@intent=refund >= 0.5").family == ""


def test_a_family_passes_when_every_slice_does() -> None:
    found = decide_slices(RULE, {"intent=a": bounds(0, 0.2), "intent=b": bounds(-0.05, 0.2)}, none)
    assert found.outcome == "pass"
    assert "each of 2 slices" in found.because
    assert found.bounds == bounds(-0.05, 0.2)


def test_one_open_slice_keeps_it_open() -> None:
    found = decide_slices(RULE, {"intent=a": bounds(0, 0.2), "intent=b": bounds(-0.1, 0.2)}, none)
    assert found.outcome == "inconclusive"
    assert "1 of 2 slices (`intent=b`)" in found.because
    assert [one.outcome for one in found.parts] == ["pass", "inconclusive"]
    assert decide_slices(RULE, {}, none).outcome == "inconclusive"
    assert decide_slices(RULE, {"intent=a": None}, none).outcome == "inconclusive"


def test_a_slice_fails_only_where_more_than_chance_makes_one_of_so_many() -> None:
    asked: list[tuple[str, float]] = []

    def sharper(rule: Rule, confidence: float) -> Bounds:
        asked.append((rule.slice, round(confidence, 4)))
        return bounds(-0.3, -0.06) if rule.slice == "intent=a" else bounds(-0.3, -0.02)

    found = decide_slices(
        RULE,
        {
            "intent=a": bounds(-0.3, -0.1),
            "intent=b": bounds(-0.3, -0.06),
            "intent=c": bounds(0, 1),
            "intent=d": bounds(0, 1),
            "intent=e": bounds(0, 1),
        },
        sharper,
    )
    assert found.outcome == "fail"
    outcomes = {one.rule.slice: one.outcome for one in found.parts}
    assert (outcomes["intent=a"], outcomes["intent=b"]) == ("fail", "inconclusive")
    assert asked == [("intent=a", 0.99), ("intent=b", 0.99), ("intent=b", 0.9875)]
    assert "Holm-corrected" in found.because


def metric(name: str, low: float, high: float) -> Metric:
    return Metric(
        metric="right",
        suite="s",
        system="tuned",
        slice=name,
        n=50,
        value=0.9,
        low=low,
        high=high,
        method="t one-sided",
        baseline="few_shot" if low < 0.5 else None,
        difference=(low + high) / 2,
    )


@pytest.mark.parametrize(("low", "more"), [(-0.1, True), (-0.4, False)])
def test_an_open_family_says_what_each_slice_lacks(low: float, more: bool) -> None:
    metrics = [metric("intent=a", 0.01, 0.2), metric("intent=b", low, 0.1)]
    verdict = judge([RULE], metrics)
    (judged,) = verdict.rules
    assert verdict.outcome == "inconclusive"
    assert (judged.more_tasks is not None) == more
    assert ("more tasks, spread over" in judged.advice) == more
    assert ("a better model" in judged.advice) != more
    slices = judged.to_dict()["slices"]
    assert isinstance(slices, list)
    assert len(slices) == 2
