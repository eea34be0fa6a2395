"""The figures of what was served, by the names rules of `monitor` use."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.metric import ALL
from tutelage.core.rule import Rule

SUITE = "served"
EVALUATION = "evaluation"
MOST_HOURS = 10 * 365 * 24  # of a window: ten years
METRICS = (
    "requests",
    "errors",
    "latency_p50",
    "latency_p95",
    "prompt_tokens",
    "completion_tokens",
    "parse",
    "valid",
    "finished",
    "flagged",
    "blocked",
    "rated_up",
)
EVALUATED = ("parse", "valid", "finished")  # that an evaluation measures in the same way


def rule_problem(rule: Rule, segments: Sequence[str]) -> str:
    """Why a rule of `monitor` can never be decided, empty where it can; `segments` are its keys."""
    if rule.suite != SUITE or rule.baseline not in (None, EVALUATION):
        return f"it measures `{SUITE}.METRIC` against a number or `{EVALUATION}`"
    if rule.metric not in METRICS:
        return f"there is no metric `{rule.metric}`; there is {', '.join(METRICS)}"
    if rule.baseline is not None and rule.metric not in EVALUATED:
        return f"an evaluation has no `{rule.metric}`; it has {', '.join(EVALUATED)}"
    key = rule.slice.partition("=")[0]
    if rule.slice != ALL and key not in segments:
        return f"`{key}` is not in monitor.segments"
    return ""
