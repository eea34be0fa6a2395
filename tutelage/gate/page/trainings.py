"""What the recipe's trainings come to together, ready to be written as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.gate.page.draw import SHARE, percent, points, signed, span

Form = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """One metric over the trainings."""

    metric: str
    values: tuple[str, ...]  # a training each, the judged one first
    mean: str
    span: str
    differences: tuple[tuple[str, str, str], ...]  # baseline, difference, its interval
    trainings: str  # part of the squared error that other seeds make


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """One suite over the trainings."""

    suite: str
    count: int
    rows: tuple[Over, ...]


def trainings(summary: Form) -> list[Together]:
    """Each suite over the trainings; none where the recipe has but one."""
    told = summary.get("trainings")
    if not told:
        return []
    return [
        Together(suite=suite, count=told["count"], rows=tuple(map(_over, lines)))
        for suite, lines in told["suites"].items()
        if lines
    ]


def _over(line: Form) -> Over:
    unit = line["unit"]
    return Over(
        metric=line["metric"],
        values=tuple(percent(value, unit) for value in line["values"]),
        mean=percent(line["value"], unit),
        span=span(line["low"], line["high"], unit=unit),
        differences=tuple(_differences(line["baselines"], unit)),
        trainings=percent(line["parts"]["trainings"], SHARE),
    )


def _differences(baselines: Mapping[str, Form], unit: str) -> Sequence[tuple[str, str, str]]:
    return [
        (
            name,
            points(one["value"], unit),
            f"{signed(one['low'], unit)} to {signed(one['high'], unit)}",
        )
        for name, one in baselines.items()
    ]
