"""What the page draws of rules, systems and slices."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutelage.core.metric import ALL, Metric
from tutelage.core.systems import LADDER, UNTUNED
from tutelage.gate.decide import Judged
from tutelage.gate.page.draw import (
    SHARE,
    WHOLE,
    Scale,
    Tick,
    Whisker,
    bare,
    percent,
    points,
    scale_over,
    sentence,
    span,
    whisker,
)
from tutelage.score.measure import Measure
from tutelage.score.roster import USES
from tutelage.score.slices import LENGTH

SYSTEMS: tuple[str, ...] = tuple(reversed(LADDER))  # as they are drawn, from the top
SLICES_OPEN = 12  # of one key; the others are folded away


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChart:
    """A rule, what it came to, and its bounds on a line with the threshold."""

    judged: Judged
    bounds: Whisker | None
    threshold: float
    needs: str
    ticks: tuple[Tick, ...]
    passing: tuple[float, float]  # the side of the threshold that passes, from and width


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric or one slice: every system's interval."""

    name: str
    says: str
    whiskers: tuple[Whisker, ...]
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rows over one axis."""

    title: str
    rows: tuple[Row, ...]
    folded: tuple[Row, ...] = ()
    ticks: tuple[Tick, ...] = WHOLE.ticks


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Whether tuning was needed: the paired difference to one baseline."""

    baseline: str
    metric: str
    answer: str  # yes, no, not shown
    tuned: str
    before: str
    whisker: Whisker
    ticks: tuple[Tick, ...]
    zero: float
    split: Mapping[str, Any] | None  # tasks only one of the two got right


def rule_chart(judged: Judged, unit: str = SHARE) -> RuleChart:
    """The rule's one-sided bounds beside its threshold."""
    rule, bounds = judged.decided.rule, judged.decided.bounds
    if rule.metric == USES:
        return _counted(judged)
    signed = rule.baseline is not None
    seen = [bounds.low, bounds.high, bounds.estimate] if bounds is not None else []
    scale = scale_over([rule.threshold, *seen], signed=signed, unit=unit)
    write = points if signed else percent
    drawn = None
    if bounds is not None and math.isfinite(bounds.estimate):
        drawn = Whisker(
            system="tuned",
            x=scale.at(bounds.estimate),
            low=scale.at(bounds.low),
            high=scale.at(bounds.high),
            text=write(bounds.estimate, unit),
            span=span(bounds.low, bounds.high, signed=signed, unit=unit),
            n=bounds.n,
        )
    edge = scale.at(rule.threshold)
    passing = (edge, 100 - edge) if rule.comparison == ">=" else (0.0, edge)
    sign = "≥" if rule.comparison == ">=" else "≤"
    return RuleChart(
        judged=judged,
        bounds=drawn,
        threshold=edge,
        needs=f"{sign} {write(rule.threshold, unit)}",
        ticks=scale.ticks,
        passing=passing,
    )


def _counted(judged: Judged) -> RuleChart:
    """A rule over a count, which has no place on a line of shares."""
    rule = judged.decided.rule
    needs = f"≤ {rule.threshold:g} models"
    return RuleChart(
        judged=judged, bounds=None, threshold=0.0, needs=needs, ticks=(), passing=(0.0, 0.0)
    )


def metric_groups(
    suite: str, measures: Sequence[Measure], metrics: Sequence[Metric]
) -> list[Group]:
    """All metrics of a suite: those to raise, the kinds of error to lower, then by their units."""
    found = []
    kinds = [("higher", SHARE, "Higher is better"), ("lower", SHARE, "Errors: lower is better")]
    for unit in dict.fromkeys(one.unit for one in measures if one.unit != SHARE):
        kinds += [(better, unit, f"{unit}: {better} is better") for better in ("higher", "lower")]
    for better, unit, title in kinds:
        mine = [one for one in measures if (one.better, one.unit) == (better, unit)]
        drawn = {one.metric: alone(metrics, suite, one.metric, ALL) for one in mine}
        scale = _scale([one for some in drawn.values() for one in some], unit)
        rows = [row_of(one.metric, one.says, drawn[one.metric], scale) for one in mine]
        if rows:
            found.append(Group(title=sentence(title), rows=tuple(rows), ticks=scale.ticks))
    return found


def _scale(metrics: Sequence[Metric], unit: str) -> Scale:
    return scale_for([x for one in metrics for x in (one.value, one.low, one.high)], unit)


def scale_for(values: Sequence[float], unit: str, *, signed: bool = False) -> Scale:
    """From nothing to all of it, or what holds all values and bounds of another unit."""
    return WHOLE if unit == SHARE else scale_over(values, signed=signed, unit=unit)


def slice_groups(suite: Mapping[str, Any], metrics: Sequence[Metric]) -> list[Group]:
    """The suite's headline metric in each slice: tags from the worst, lengths in their order."""
    found = []
    headline = suite["headline"]
    keys = dict.fromkeys(one["key"] for one in suite["slices"])
    for key in keys:
        drawn = {
            one["label"]: alone(metrics, suite["name"], headline, one["name"])
            for one in suite["slices"]
            if one["key"] == key
        }
        every = [one for some in drawn.values() for one in some]
        unit = next((one.unit for one in every), SHARE)
        scale = _scale(every, unit)
        rows = [row_of(label, "", some, scale) for label, some in drawn.items()]
        if key != LENGTH:
            rows.sort(key=lambda row: (_tuned(row), row.name))
        title = f"By {'length of the request' if key == LENGTH else key}"
        title += "" if unit == SHARE else f", {unit}"
        found.append(
            Group(
                title=title,
                rows=tuple(rows[:SLICES_OPEN]),
                folded=tuple(rows[SLICES_OPEN:]),
                ticks=scale.ticks,
            )
        )
    return found


def needs(suite: Mapping[str, Any], measure: Measure, metrics: Sequence[Metric]) -> list[Need]:
    """The tuned model against each rung without training on one metric, the highest first."""
    paired = [
        one
        for one in metrics
        if (one.suite, one.metric, one.slice) == (suite["name"], measure.metric, ALL)
        and one.baseline in UNTUNED
        and not one.one_sided
    ]
    paired.sort(key=lambda one: SYSTEMS.index(one.baseline or ""))
    scale = scale_over(
        [0.0, *(edge for one in paired for edge in (one.low, one.high))],
        signed=True,
        unit=measure.unit,
    )
    found = alone(metrics, suite["name"], measure.metric, ALL)
    values = {one.system: one.value for one in found}
    return [
        _need(suite, one, (scale, measure.better), values.get(one.baseline or "", math.nan))
        for one in paired
    ]


def _need(
    suite: Mapping[str, Any], metric: Metric, drawn: tuple[Scale, str], before: float
) -> Need:
    scale, better = drawn
    above, below = ("yes", "no") if better == "higher" else ("no", "yes")
    answer = above if metric.low > 0 else below if metric.high < 0 else "not shown"
    return Need(
        baseline=metric.baseline or "",
        metric=metric.metric,
        answer=answer,
        tuned=percent(metric.value, metric.unit),
        before=percent(before, metric.unit),
        whisker=whisker(metric, scale),
        ticks=scale.ticks,
        zero=scale.at(0.0),
        split=suite["discordant"].get(metric.baseline)
        if metric.metric == suite["headline"]
        else None,
    )


def alone(metrics: Sequence[Metric], suite: str, metric: str, part: str) -> list[Metric]:
    """A metric of each system that has it, as they are drawn."""
    found = [
        one
        for one in metrics
        if (one.suite, one.metric, one.slice) == (suite, metric, part)
        and one.baseline is None
        and not one.one_sided
        and one.n
    ]
    return sorted(found, key=lambda one: SYSTEMS.index(one.system))


def row_of(name: str, says: str, metrics: Sequence[Metric], scale: Scale) -> Row:
    """Each system's interval in a line of its own."""
    return Row(
        name=name,
        says=says,
        whiskers=tuple(_named_above(whisker(one, scale), one) for one in metrics),
        n=max((one.n for one in metrics), default=0),
    )


def _named_above(drawn: Whisker, metric: Metric) -> Whisker:
    """The value without its unit, where that stands in the title."""
    if metric.unit == SHARE:
        return drawn
    return replace(drawn, text=bare(metric.value, metric.unit))


def _tuned(row: Row) -> float:
    return next((one.x for one in row.whiskers if one.system == "tuned"), 0.0)
