from __future__ import annotations

import math

import pytest

from tutelage.core.errors import RuleError
from tutelage.core.metric import Metric
from tutelage.core.rule import Bounds, decide, evidence, parse


def test_a_rule_with_a_number_is_parsed() -> None:
    rule = parse("calls.parse >= 0.97")
    assert (rule.suite, rule.metric, rule.slice) == ("calls", "parse", "")
    assert (rule.comparison, rule.threshold, rule.baseline) == (">=", 0.97, None)


def test_a_rule_with_a_slice_and_a_baseline_is_parsed() -> None:
    rule = parse("  calls.slot_f1@intent=PlayMusic   <=  few_shot - .1 ")
    assert (rule.metric, rule.slice, rule.comparison) == ("slot_f1", "intent=PlayMusic", "<=")
    assert (rule.baseline, rule.threshold) == ("few_shot", -0.1)
    assert str(rule) == "calls.slot_f1@intent=PlayMusic <= few_shot - .1"


@pytest.mark.parametrize(
    ("text", "baseline", "threshold"),
    [
        ("a.b >= -1e-2", None, -0.01),
        ("a.b>=2", None, 2.0),
        ("a.b >= previous", "previous", 0.0),
        ("a.b >= zero_shot+0.5", "zero_shot", 0.5),
    ],
)
def test_numbers_and_baselines_are_read(text: str, baseline: str | None, threshold: float) -> None:
    rule = parse(text)
    assert (rule.baseline, rule.threshold) == (baseline, threshold)


@pytest.mark.parametrize(
    ("text", "column", "found"),
    [
        ("parse >= 1", 1, "`parse`"),
        ("a.b > 1", 5, "`>`"),
        ("a.b >= ", 8, "the end"),
        ("a.b >= fewshot + 1", 8, "`fewshot`"),
        ("a.b >= few_shot * 1", 8, "`few_shot`"),
        ("a.b >= 1 or so", 8, "`1`"),
    ],
)
def test_a_fault_is_named_by_its_column(text: str, column: int, found: str) -> None:
    with pytest.raises(RuleError) as raised:
        parse(text)
    assert raised.value.where == f"column {column}"
    assert f"found {found}" in raised.value.message
    assert raised.value.expected


@pytest.mark.parametrize(
    ("text", "low", "high", "outcome"),
    [
        ("a.b >= 0.9", 0.9, 0.95, "pass"),
        ("a.b >= 0.9", 0.89, 0.95, "inconclusive"),
        ("a.b >= 0.9", 0.8, 0.9, "inconclusive"),
        ("a.b >= 0.9", 0.8, 0.89, "fail"),
        ("a.b <= 0.1", 0.05, 0.1, "pass"),
        ("a.b <= 0.1", 0.05, 0.11, "inconclusive"),
        ("a.b <= 0.1", 0.11, 0.2, "fail"),
        ("a.b >= few_shot + 0.1", 0.1, 0.3, "pass"),
        ("a.b >= few_shot - 0.02", -0.03, 0.01, "inconclusive"),
        ("a.b <= few_shot - 0.1", -0.2, -0.11, "pass"),
    ],
)
def test_the_bound_decides(text: str, low: float, high: float, outcome: str) -> None:
    decided = decide(parse(text), Bounds(estimate=(low + high) / 2, low=low, high=high, n=10))
    assert decided.outcome == outcome
    assert "bound" in decided.because


def test_an_estimate_above_the_line_does_not_pass_by_itself() -> None:
    decided = decide(parse("a.b >= 0.9"), Bounds(estimate=1.0, low=0.6, high=1.0, n=5))
    assert decided.outcome == "inconclusive"


@pytest.mark.parametrize(
    "bounds",
    [
        None,
        Bounds(estimate=1.0, low=1.0, high=1.0, n=0),
        Bounds(estimate=math.nan, low=1.0, high=1.0, n=9),
    ],
)
def test_no_evidence_is_inconclusive(bounds: Bounds | None) -> None:
    assert decide(parse("a.b >= 0.5"), bounds).outcome == "inconclusive"


def metric(**changed: object) -> Metric:
    form: dict[str, object] = {
        "metric": "b",
        "suite": "a",
        "system": "tuned",
        "slice": "",
        "n": 9,
        "value": 0.7,
        "low": 0.5,
        "high": 0.9,
        "method": "wilson one-sided",
        "unit": "share",
        "baseline": None,
        "difference": None,
    }
    return Metric.from_dict(form | changed)


def test_evidence_is_the_one_sided_record_of_the_same_system_slice_and_baseline() -> None:
    metrics = [
        metric(method="wilson", low=0.4),
        metric(system="few_shot", low=0.1),
        metric(slice="length=long", low=0.2),
        metric(baseline="few_shot", difference=0.3, low=0.25, high=0.35),
        metric(),
    ]
    plain = evidence(parse("a.b >= 0.5"), metrics, "tuned")
    assert plain == Bounds(estimate=0.7, low=0.5, high=0.9, n=9, method="wilson one-sided")
    paired = evidence(parse("a.b >= few_shot + 0.1"), metrics, "tuned")
    assert paired == Bounds(estimate=0.3, low=0.25, high=0.35, n=9, method="wilson one-sided")
    assert evidence(parse("a.b@length=long >= 0.5"), metrics, "tuned") is not None
    assert evidence(parse("a.c >= 0.5"), metrics, "tuned") is None
