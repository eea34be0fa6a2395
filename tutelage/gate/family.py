"""A rule for every value of a slice, decided on all of them together.

It passes when it holds in each slice: as every one must be shown, none needs a
correction. It fails when it is shown not to hold in some slice, corrected by Holm's
procedure for how many there are: with twelve alike, one in two families would fail by
chance. Between the two it is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from tutelage.core.metric import Metric
from tutelage.core.rule import Bounds, Decided, Outcome, Rule, ahead, decide, evidence, near_bound

ALPHA = 0.05
Sharper = Callable[[Rule, float], Bounds | None]  # one slice's bounds of a higher confidence


def slices_in(rule: Rule, metrics: Sequence[Metric], system: str) -> list[str]:
    """The slices a family stands for, as the report has them."""
    found = [
        one.slice
        for one in metrics
        if (one.suite, one.metric, one.system) == (rule.suite, rule.metric, system)
        and one.slice.partition("=")[0] == rule.family
        and one.one_sided
    ]
    return list(dict.fromkeys(found))


def decide_family(rule: Rule, metrics: Sequence[Metric], system: str, sharper: Sharper) -> Decided:
    """What a family comes to, and each of its slices."""
    names = slices_in(rule, metrics, system)
    bounds = {name: evidence(rule.at(name), metrics, system) for name in names}
    return decide_slices(rule, bounds, sharper)


def decide_slices(rule: Rule, bounds: Mapping[str, Bounds | None], sharper: Sharper) -> Decided:
    """What a family comes to on these bounds of its slices."""
    alone = [decide(rule.at(name), found) for name, found in bounds.items()]
    short = _shown_short(alone, sharper)
    parts = tuple(
        one if one.outcome != "fail" or one.rule.slice in short else _doubted(one) for one in alone
    )
    outcomes = [one.outcome for one in parts]
    outcome: Outcome = "inconclusive"
    if "fail" in outcomes:
        outcome = "fail"
    elif parts and set(outcomes) == {"pass"}:
        outcome = "pass"
    worst = min(parts, key=_behind, default=None)
    return Decided(
        rule=rule,
        outcome=outcome,
        bounds=worst.bounds if worst else None,
        because=_because(parts, worst),
        parts=parts,
    )


def _shown_short(alone: Sequence[Decided], sharper: Sharper) -> set[str]:
    """The slices in which the rule is shown not to hold, by Holm's procedure.

    Step by step the confidence that is asked for falls with the slices that are left.
    """
    suspects = {one.rule.slice: one.rule for one in alone if one.outcome == "fail"}
    short: set[str] = set()
    while True:
        confidence = 1 - ALPHA / max(1, len(alone) - len(short))
        found = {
            name
            for name, rule in suspects.items()
            if name not in short and decide(rule, sharper(rule, confidence)).outcome == "fail"
        }
        if not found:
            return short
        short |= found


def _doubted(one: Decided) -> Decided:
    because = "it falls short, though by no more than chance makes one of so many slices"
    return Decided(rule=one.rule, outcome="inconclusive", bounds=one.bounds, because=because)


def _behind(one: Decided) -> float:
    """How near the slice is to passing; the furthest behind is the least."""
    bounds = one.bounds
    if bounds is None or not math.isfinite(bounds.estimate):
        return -math.inf
    return ahead(one.rule, near_bound(one.rule, bounds))


def _because(parts: Sequence[Decided], worst: Decided | None) -> str:
    if worst is None:
        return "the report has no such slice"
    named = {
        outcome: [one.rule.slice for one in parts if one.outcome == outcome]
        for outcome in ("fail", "inconclusive")
    }
    count = len(parts)
    least = f"furthest behind is `{worst.rule.slice}`: {worst.because}"
    if named["fail"]:
        return f"it fails in {_listed(named['fail'], count)}, Holm-corrected; {least}"
    if named["inconclusive"]:
        return f"it is open in {_listed(named['inconclusive'], count)}; {least}"
    return f"it holds in each of {count} slices; {least}"


def _listed(names: Sequence[str], count: int) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{len(names)} of {count} slices ({shown}{more})"
