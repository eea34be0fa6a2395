"""The report as one HTML file, which asks no network for anything."""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined

from tutelage.core.metric import ALL, Metric
from tutelage.monitor.measure import SAYS
from tutelage.monitor.run import Report

TEMPLATE = "page.html.jinja"
MISSING = "–"
WORDS = {
    "pass": "Every rule holds",
    "fail": "A rule is broken",
    "inconclusive": "Too little was served to tell of every rule",
    None: "No rule is set",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A share between its bounds, in percent of the width."""

    at: float
    low: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure beside what the evaluation found."""

    name: str
    says: str
    value: str
    span: str
    n: int
    bar: Bar | None
    proven: str
    proven_bar: Bar | None


def html(report: Report) -> str:
    """The whole page. Every text in it is escaped: values of `metadata` are not trusted."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template(TEMPLATE)
    return template.render(
        report=report,
        word=WORDS[report.outcome],
        since=f"{report.window.since:%Y-%m-%d %H:%M}",
        until=f"{report.window.until:%Y-%m-%d %H:%M}",
        rows=rows(report, ALL),
        parts=[(name, rows(report, name)) for name in report.parts],
    )


def rows(report: Report, part: str) -> list[Row]:
    """The figures of a part; a segment's without what nothing there was asked of."""
    proven = {one.metric: one for one in report.evaluation if not one.one_sided}
    shown = report.shown(part)
    return [
        Row(
            name=one.metric,
            says=SAYS[one.metric],
            value=value(one),
            span=span(one),
            n=one.n,
            bar=_bar(one),
            proven=_proven(proven.get(one.metric)),
            proven_bar=_bar(proven.get(one.metric)),
        )
        for one in shown
        if one.n or part == ALL
    ]


def value(metric: Metric) -> str:
    """`96.4 %`, `1.24 s`, `118`."""
    return _number(metric.value, metric.unit)


def span(metric: Metric) -> str:
    """`94.8 to 97.6`; empty for what is counted and not estimated."""
    if metric.unit == "requests" or metric.n == 0:
        return ""
    low, high = (_number(edge, metric.unit) for edge in (metric.low, metric.high))
    return f"{low} to {high}"


def _number(number: float, unit: str) -> str:
    if not math.isfinite(number):
        return MISSING
    if unit == "share":
        return f"{100 * number:.1f} %"
    if unit == "seconds":
        return f"{number:.3g} s"
    return f"{number:,.0f}" if unit == "requests" else f"{number:,.1f}"


def _proven(metric: Metric | None) -> str:
    return "" if metric is None else f"{value(metric)} ({span(metric)}, n = {metric.n:,})"


def _bar(metric: Metric | None) -> Bar | None:
    if metric is None or metric.unit != "share" or metric.n == 0:
        return None
    low, high = 100 * metric.low, 100 * metric.high
    return Bar(at=round(100 * metric.value, 2), low=round(low, 2), width=round(high - low, 2))


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
