"""Every rule decided, what they come to together, and how much evidence is missing."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tutelage.core.digest import Json
from tutelage.core.metric import CURE, LOCKED, ONE_SIDED, Metric
from tutelage.core.power import POWER, items_by_variance, items_for, power_of_share
from tutelage.core.rule import Bounds, Decided, Outcome, Rule, ahead, decide, evidence, near_bound
from tutelage.gate.family import Sharper, decide_family
from tutelage.score.level import BOUNDED_FROM, ORDER
from tutelage.score.repeated import CROSSED

SYSTEM = "tuned"
CONFIDENCE = 0.95  # of the bound a rule compares
MANY = 20_000  # tasks from which a share is as good as normal
SCORE = "paired score"
OTHER_SEEDS = (
    "more trainings (`train.seeds`) or more tasks: the report tells which of both it lacks"
)
UNBOUNDED = "tasks that are so few, or all alike, have no such bound: ask more that differ"
BLIND = (
    "its detector tells refusals from answers no better than chance: label more, or name another"
)
DETECTED = "rogan-gladen"  # in the method of a share that is corrected
Lacking = Callable[[Rule], str]
EXACT = "clopper-pearson"  # the method of bounds whose power is exact, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One rule's outcome and, where it is open, what would settle it."""

    decided: Decided
    more_tasks: int | None = None  # beyond those there are; None: not to be settled by more
    advice: str = ""
    parts: tuple[Judged, ...] = ()  # of a family, each slice

    def to_dict(self) -> dict[str, Json]:
        """One entry of `verdict.json`."""
        rule, bounds = self.decided.rule, self.decided.bounds
        evidence: dict[str, Json] | None = None
        if bounds is not None:
            evidence = {
                "estimate": bounds.estimate,
                "low": bounds.low,
                "high": bounds.high,
                "n": bounds.n,
            }
        return {
            "rule": rule.text,
            "suite": rule.suite,
            "metric": rule.metric,
            "slice": rule.slice,
            "comparison": rule.comparison,
            "threshold": rule.threshold,
            "baseline": rule.baseline,
            "outcome": self.decided.outcome,
            "because": self.decided.because,
            "evidence": evidence,
            "more_tasks": self.more_tasks,
            "advice": self.advice,
            "slices": [one.to_dict() for one in self.parts],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all rules come to."""

    outcome: Outcome
    rules: tuple[Judged, ...]

    def to_dict(self) -> dict[str, Json]:
        """`verdict.json`, without what it was made from."""
        return {"outcome": self.outcome, "rules": [one.to_dict() for one in self.rules]}


def judge(
    rules: Sequence[Rule],
    metrics: Sequence[Metric],
    lacking: Lacking | None = None,
    sharper: Sharper | None = None,
) -> Verdict:
    """Decides every rule on the report's one-sided bounds.

    Fail if any fails, else inconclusive if any is, else pass. `lacking` says why a rule
    about `previous` has no evidence; `sharper` gives a family's slices bounds
    of a higher confidence, without which none is shown to fail.
    """
    judged = tuple(_judged(rule, metrics, lacking or _nothing, sharper) for rule in rules)
    outcomes = {one.decided.outcome for one in judged}
    outcome: Outcome = "pass"
    for worse in ("inconclusive", "fail"):
        if worse in outcomes:
            outcome = "fail" if worse == "fail" else "inconclusive"
    return Verdict(outcome=outcome, rules=judged)


def tasks_needed(bounds: Bounds, rule: Rule) -> int | None:
    """Tasks with which the rule would pass with 80 % chance, if the estimate is the truth.

    Exact for a share; else by the variance of one task, which is read from the bound
    itself. None where no number of tasks would do, or so few say nothing of the bound.
    """
    if bounds.method.startswith(EXACT):
        share, threshold = bounds.estimate, rule.threshold
        if rule.comparison == "<=":
            share, threshold = 1 - share, 1 - threshold
        if share <= threshold:
            return None
        about = items_by_variance(share - threshold, share * (1 - share)) if share < 1 else 0
        return about if about > MANY else items_for(lambda n: power_of_share(share, threshold, n))
    z = NormalDist().inv_cdf(CONFIDENCE)
    half = abs(bounds.estimate - near_bound(rule, bounds))
    if not math.isfinite(half):
        return BOUNDED_FROM if ORDER in bounds.method and bounds.n < BOUNDED_FROM else None
    if SCORE in bounds.method:  # lopsided, and half an item wider: what more tasks take away
        half = (bounds.high - bounds.low) / 2 - 0.5 / bounds.n
    error = half / z
    return items_by_variance(ahead(rule, bounds.estimate), error * error * bounds.n)


def _judged(
    rule: Rule, metrics: Sequence[Metric], lacking: Lacking, sharper: Sharper | None
) -> Judged:
    if not rule.family:
        return _advised(decide(rule, evidence(rule, metrics, SYSTEM)), lacking)
    decided = decide_family(rule, metrics, SYSTEM, sharper or _no_bounds)
    parts = tuple(_advised(one, lacking) for one in decided.parts)
    open_ones = [one for one in parts if one.decided.outcome == "inconclusive"]
    if decided.outcome != "inconclusive":
        return Judged(decided=decided, parts=parts)
    more = [one.more_tasks for one in open_ones]
    told = [count for count in more if count is not None]
    if more and len(told) == len(more):
        advice = f"about {sum(told):,} more tasks, spread over the open slices, would show it"
        return Judged(decided=decided, more_tasks=sum(told), advice=advice, parts=parts)
    first = next((one for one in open_ones if one.more_tasks is None), None)
    advice = f"`{first.decided.rule.slice}`: {first.advice}" if first else "the suite has no slice"
    return Judged(decided=decided, advice=advice, parts=parts)


def _advised(decided: Decided, lacking: Lacking) -> Judged:
    if decided.outcome != "inconclusive":
        return Judged(decided=decided)
    rule, bounds = decided.rule, decided.bounds
    if bounds is None or bounds.n == 0:
        missing = lacking(rule) if rule.baseline == "previous" else ""
        return Judged(decided=decided, advice=missing or "the suite has no such evidence")
    if bounds.method.startswith(LOCKED):
        return Judged(decided=decided, advice=_unlocking(bounds.method))
    if not math.isfinite(bounds.estimate):
        return Judged(decided=decided, advice=BLIND if DETECTED in bounds.method else "no value")
    distance = ahead(rule, bounds.estimate)
    if distance > 0 and bounds.method.startswith(CROSSED):
        return Judged(decided=decided, advice=OTHER_SEEDS)
    if distance <= 0:
        short = f"the estimate itself is {abs(distance):.4f} short of the threshold"
        return Judged(decided=decided, advice=f"{short}: a better model, not more tasks, passes")
    needed = tasks_needed(bounds, rule)
    if needed is None:
        near = near_bound(rule, bounds)
        told = "no number of tasks would show it" if math.isfinite(near) else UNBOUNDED
        return Judged(decided=decided, advice=told)
    if not math.isfinite(near_bound(rule, bounds)):
        more = needed - bounds.n
        advice = f"so few have no such bound: a 95th percentile needs {more:,} more tasks at least"
        return Judged(decided=decided, more_tasks=more, advice=advice)
    # the estimate is on the right side and the bound is not: more is always needed
    more = max(1, needed - bounds.n)
    chance = f"{POWER:.0%}"
    advice = f"about {more:,} more tasks would show it, with {chance} chance, if the estimate holds"
    return Judged(decided=decided, more_tasks=more, advice=advice)


def _unlocking(method: str) -> str:
    """What opens a metric no rule may rest on, as its lock says."""
    return method.removesuffix(ONE_SIDED).partition(CURE)[2] or "name another metric in the rule"


def _nothing(rule: Rule) -> str:
    return ""


def _no_bounds(rule: Rule, confidence: float) -> None:
    return None
