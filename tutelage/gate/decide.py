"""Every rule decided, what they come to together, and how much evidence is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tutelage.core.digest import Json
from tutelage.core.metric import Metric
from tutelage.core.rule import Bounds, Decided, Outcome, Rule, decide, evidence

SYSTEM = "tuned"
CONFIDENCE = 0.95  # of the bound a rule compares
POWER = 0.8  # chance that the evidence asked for will do, if the estimate is the truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One rule's outcome and, where it is open, what would settle it."""

    decided: Decided
    more_tasks: int | None = None  # beyond those there are; None: not to be settled by more
    advice: str = ""

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
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What all rules come to."""

    outcome: Outcome
    rules: tuple[Judged, ...]

    def to_dict(self) -> dict[str, Json]:
        """`verdict.json`, without what it was made from."""
        return {"outcome": self.outcome, "rules": [one.to_dict() for one in self.rules]}


def judge(rules: Sequence[Rule], metrics: Sequence[Metric], without_previous: str = "") -> Verdict:
    """Decides every rule on the report's one-sided bounds.

    Fail if any fails, else inconclusive if any is, else pass. `without_previous` says
    why rules about `previous` have no evidence.
    """
    judged = tuple(_judged(rule, metrics, without_previous) for rule in rules)
    outcomes = {one.decided.outcome for one in judged}
    outcome: Outcome = "pass"
    for worse in ("inconclusive", "fail"):
        if worse in outcomes:
            outcome = "fail" if worse == "fail" else "inconclusive"
    return Verdict(outcome=outcome, rules=judged)


def tasks_needed(bounds: Bounds, threshold: float) -> int:
    """Tasks with which a bound would reach the threshold, if the estimate is the truth.

    (z of the bound + z of the power)² Var / distance²; the variance of one task is
    read from the bounds themselves.

    Source: sample size of a one-sided non-inferiority test, normal approximation.
    """
    normal = NormalDist()
    bound = normal.inv_cdf(CONFIDENCE)
    error = (bounds.high - bounds.low) / 2 / bound
    variance = error * error * bounds.n
    reach = bound + normal.inv_cdf(POWER)
    return math.ceil(reach * reach * variance / (bounds.estimate - threshold) ** 2)


def _judged(rule: Rule, metrics: Sequence[Metric], without_previous: str) -> Judged:
    decided = decide(rule, evidence(rule, metrics, SYSTEM))
    if decided.outcome != "inconclusive":
        return Judged(decided=decided)
    bounds = decided.bounds
    if bounds is None or not math.isfinite(bounds.estimate) or bounds.n == 0:
        missing = without_previous if rule.baseline == "previous" else ""
        return Judged(decided=decided, advice=missing or "the suite has no such evidence")
    ahead = bounds.estimate - rule.threshold
    if rule.comparison == "<=":
        ahead = -ahead
    if ahead <= 0:
        short = f"the estimate itself is {-ahead:.4f} short of the threshold"
        return Judged(decided=decided, advice=f"{short}: a better model, not more tasks, passes")
    # the estimate is on the right side and the bound is not: more is always needed
    more = max(1, tasks_needed(bounds, rule.threshold) - bounds.n)
    chance = f"{POWER:.0%}"
    advice = f"about {more:,} more tasks would show it, with {chance} chance, if the estimate holds"
    return Judged(decided=decided, more_tasks=more, advice=advice)
