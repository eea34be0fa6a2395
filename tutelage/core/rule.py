"""A Rule: one line over a Metric, `suite.metric[@slice] >=|<= NUMBER | BASELINE ± NUMBER`.

`@intent=*` is a family: the rule for every value of that slice, on one line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, get_args

from tutelage.core.errors import RuleError
from tutelage.core.metric import ALL, CURE, LOCKED, ONE_SIDED, Metric

Comparison = Literal[">=", "<="]
Baseline = Literal[
    "zero_shot",
    "few_shot",
    "prompted",
    "constrained",
    "tuned_constrained",
    "previous",
    "evaluation",
]
Outcome = Literal["pass", "fail", "inconclusive"]
BASELINES: tuple[Baseline, ...] = get_args(Baseline)

FORM = "`suite.metric[@slice] >=|<= NUMBER` or `... >=|<= BASELINE + NUMBER`"
EVERY = "=*"  # ends the slice of a family
NUMBER = r"\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?"
LEFT = re.compile(r"\s*([\w-]+)\.([\w-]+)(?:@(\S+))?")
SIGN = re.compile(r"\s*(>=|<=)")
PLAIN = re.compile(rf"\s*([+-]?)\s*({NUMBER})\s*$")
NAMED = re.compile(rf"\s*([A-Za-z]\w*)(?:\s*([+-])\s*({NUMBER}))?\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a metric's bound must reach.

    Without a baseline `threshold` is a value; with one it is the least (`>=`) or
    greatest (`<=`) paired difference to the baseline.
    """

    suite: str
    metric: str
    slice: str = ALL
    comparison: Comparison
    threshold: float
    baseline: Baseline | None = None
    text: str

    @property
    def family(self) -> str:
        """The slice's key where the rule is for each of its values, else empty."""
        return self.slice.removesuffix(EVERY) if self.slice.endswith(EVERY) else ""

    def at(self, name: str) -> Rule:
        """The rule of one slice of a family."""
        return replace(self, slice=name, text=self.text.replace(f"@{self.slice}", f"@{name}", 1))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The evidence for one Rule: an estimate between two one-sided bounds, of 95 % each."""

    estimate: float
    low: float
    high: float
    n: int
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What one Rule came to, on what evidence and why."""

    rule: Rule
    outcome: Outcome
    bounds: Bounds | None  # of a family, those of the slice that is furthest behind
    because: str
    parts: tuple[Decided, ...] = ()  # of a family, each slice's


def parse(text: str) -> Rule:
    """The Rule a line says.

    Raises: RuleError whose `where` is the column, counted from 1, where it stops
        making sense.
    """
    left = LEFT.match(text)
    if left is None:
        raise _unparsed(text, 0, "a metric as `suite.metric`, such as `calls.exact_match`")
    sign = SIGN.match(text, left.end())
    if sign is None:
        raise _unparsed(text, left.end(), "`>=` or `<=`")
    comparison: Comparison = ">=" if sign[1] == ">=" else "<="
    plain = PLAIN.match(text, sign.end())
    named = NAMED.match(text, sign.end())
    baseline: Baseline | None = None
    if plain is not None:
        threshold = _signed(plain[1], plain[2])
        if not math.isfinite(threshold):
            raise _unparsed(text, sign.end(), "a finite number")
    elif named is not None:
        baseline = _baseline(text, named)
        threshold = _signed(named[2] or "+", named[3] or "0")
    else:
        raise _unparsed(text, sign.end(), f"a number or one of {', '.join(BASELINES)} ± a number")
    return Rule(
        suite=left[1],
        metric=left[2],
        slice=left[3] or ALL,
        comparison=comparison,
        threshold=threshold,
        baseline=baseline,
        text=" ".join(text.split()),
    )


def evidence(rule: Rule, metrics: Iterable[Metric], system: str) -> Bounds | None:
    """The one-sided bounds a report holds for the rule, None where it holds none."""
    for metric in metrics:
        found = (metric.suite, metric.metric, metric.slice, metric.system, metric.baseline)
        wanted = (rule.suite, rule.metric, rule.slice, system, rule.baseline)
        if metric.one_sided and found == wanted:
            estimate = metric.value if metric.difference is None else metric.difference
            return Bounds(
                estimate=estimate,
                low=metric.low,
                high=metric.high,
                n=metric.n,
                method=metric.method,
            )
    return None


def decide(rule: Rule, bounds: Bounds | None) -> Decided:
    """Whether the one-sided 95 % bound reaches the rule's threshold.

    Pass when the whole interval is on the right side, fail when the whole interval
    is on the wrong side, else inconclusive. No evidence is inconclusive.
    """
    if bounds is None or bounds.n == 0:
        return Decided(
            rule=rule, outcome="inconclusive", bounds=bounds, because="the report has no evidence"
        )
    if bounds.method.startswith(LOCKED):
        because = bounds.method.removeprefix(LOCKED).removesuffix(ONE_SIDED).partition(CURE)[0]
        return Decided(rule=rule, outcome="inconclusive", bounds=bounds, because=because)
    # a bound may lie at infinity, where there is too little to bound it; an estimate never does
    if not math.isfinite(bounds.estimate) or math.isnan(bounds.low) or math.isnan(bounds.high):
        return Decided(
            rule=rule, outcome="inconclusive", bounds=bounds, because="the evidence is not finite"
        )
    at_least = rule.comparison == ">="
    near, far = (bounds.low, bounds.high) if at_least else (bounds.high, bounds.low)
    reached = near >= rule.threshold if at_least else near <= rule.threshold
    hopeless = far < rule.threshold if at_least else far > rule.threshold
    outcome: Outcome = "pass" if reached else "fail" if hopeless else "inconclusive"
    return Decided(
        rule=rule, outcome=outcome, bounds=bounds, because=_because(rule, outcome, bounds)
    )


def ahead(rule: Rule, value: float) -> float:
    """How far a value is on the rule's right side; negative on the wrong one."""
    return value - rule.threshold if rule.comparison == ">=" else rule.threshold - value


def near_bound(rule: Rule, bounds: Bounds) -> float:
    """The bound that must reach the threshold."""
    return bounds.low if rule.comparison == ">=" else bounds.high


def _because(rule: Rule, outcome: Outcome, bounds: Bounds) -> str:
    near = near_bound(rule, bounds)
    if bounds.low == bounds.high:  # counted, not estimated
        sign = "" if outcome == "pass" else "not "
        return f"it is {near:g}, which is {sign}{rule.comparison} {rule.threshold:g}"
    side = "lower" if rule.comparison == ">=" else "upper"
    what = f"difference to {rule.baseline}" if rule.baseline else "value"
    bound = f"{side} 95 % bound of the {what} is {near:.4f}"
    target = f"{rule.comparison} {rule.threshold:.4f}"
    if outcome == "pass":
        return f"{bound}, which is {target}"
    if outcome == "fail":
        return f"{bound}, and the other bound does not reach {target} either"
    return f"{bound}: {target} can neither be shown nor excluded with this much evidence"


def _signed(sign: str, number: str) -> float:
    return -float(number) if sign == "-" else float(number)


def _baseline(text: str, named: re.Match[str]) -> Baseline:
    for baseline in BASELINES:
        if named[1] == baseline:
            return baseline
    raise _unparsed(text, named.start(1), f"a number or one of {', '.join(BASELINES)}")


def _unparsed(text: str, at: int, expected: str) -> RuleError:
    column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
    found = text[column - 1 :].split()
    return RuleError(
        f"`{text}` is not a rule: found {f'`{found[0]}`' if found else 'the end'}",
        where=f"column {column}",
        expected=expected,
        hint=f"a rule reads {FORM}",
    )
