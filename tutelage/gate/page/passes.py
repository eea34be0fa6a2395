"""Pass@k of programs, k by k, ready to be drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tutelage.core.metric import ALL, Metric
from tutelage.gate.page.charts import alone
from tutelage.gate.page.draw import Tick, percent, span
from tutelage.score.measure import Measure

PASS_AT = "pass_at_"
HEIGHT = 180.0  # pixels from nothing to all


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A system's pass@k at one k, in pixels from the top."""

    system: str
    x: float
    y: float
    top: float
    bottom: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassCurve:
    """Pass@k of every system, k by k."""

    systems: tuple[str, ...]
    points: tuple[Passed, ...]
    paths: Mapping[str, Sequence[tuple[Passed, Passed]]]  # by system, from one k to the next
    ticks: tuple[Tick, ...]


def pass_curve(
    suite: str, measures: Sequence[Measure], metrics: Sequence[Metric]
) -> PassCurve | None:
    """Pass@k with its intervals, None where a suite has no such metric."""
    names = [one.metric for one in measures if one.metric.startswith(PASS_AT)]
    if len(names) < 2:
        return None
    points: dict[str, list[Passed]] = {}
    width = 100 / len(names)
    for place, name in enumerate(names):
        found = alone(metrics, suite, name, ALL)
        for number, one in enumerate(found):
            shift = (number - (len(found) - 1) / 2) * min(4.0, width / 5)
            points.setdefault(one.system, []).append(
                Passed(
                    system=one.system,
                    x=round((place + 0.5) * width + shift, 3),
                    y=round(HEIGHT * (1 - one.value), 2),
                    top=round(HEIGHT * (1 - one.high), 2),
                    bottom=round(HEIGHT * (1 - one.low), 2),
                    text=f"{percent(one.value)} ({span(one.low, one.high)})",
                )
            )
    return PassCurve(
        systems=tuple(points),
        points=tuple(one for some in points.values() for one in some),
        paths={name: list(pairwise(some)) for name, some in points.items()},
        ticks=tuple(
            Tick(x=round((place + 0.5) * width, 3), label=name.removeprefix(PASS_AT))
            for place, name in enumerate(names)
        ),
    )
