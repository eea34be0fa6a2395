"""Where things stand on a drawing: scales, ticks, whiskers and curves, in percent of its width."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tutelage.core.metric import Metric

STEPS = (1, 2, 2.5, 5, 10)
SHARE = "share"  # the unit of what is drawn in percent
POINTS_DRAWN = 500  # of a curve; more are averaged
MISSING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A labelled place on an axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A stretch of numbers laid over 0 to 100 percent."""

    low: float
    high: float
    ticks: tuple[Tick, ...] = ()

    def at(self, value: float) -> float:
        """Where a value stands; what lies outside stands at the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Whisker:
    """An estimate between its bounds, drawn and written."""

    system: str
    x: float
    low: float
    high: float
    text: str  # `96.4 %`
    span: str  # `94.8 to 97.6`
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A line through points, in a square of 1000 by 1000, y downwards."""

    name: str
    path: str
    dots: tuple[tuple[float, float], ...] = ()  # in percent


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Curves over one pair of axes."""

    curves: tuple[Curve, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]  # `x` is the distance from the top
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Named points, x increasing."""

    name: str
    points: Sequence[tuple[float, float]] = field(default_factory=tuple)


WHOLE = Scale(
    low=0.0,
    high=1.0,
    ticks=tuple(Tick(x=25.0 * step, label=f"{25 * step} %") for step in range(5)),
)


def percent(value: float, unit: str = SHARE) -> str:
    """`96.4 %`; `2.31 seconds` where it is no share."""
    return MISSING if math.isnan(value) else f"{bare(value, unit)} {_named(unit, '%')}"


def points(value: float, unit: str = SHARE) -> str:
    """`+38.2 points`; `+0.4 seconds` where it is no share."""
    return MISSING if math.isnan(value) else f"{signed(value, unit)} {_named(unit, 'points')}"


def signed(value: float, unit: str = SHARE) -> str:
    """`+38.2`."""
    return MISSING if math.isnan(value) else _plus(bare(value, unit), value)


def bare(value: float, unit: str = SHARE) -> str:
    """`96.4` of a share, in percent; `2.31`, `1,250` of another unit."""
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else "∞" if value > 0 else "-∞"
    if unit == SHARE:
        return f"{100 * value:.1f}"
    places = 0 if abs(value) >= 1000 else 1 if abs(value) >= 100 else 2 if abs(value) >= 0.1 else 4
    return f"{value:,.{places}f}"


def _named(unit: str, of_share: str) -> str:
    return of_share if unit == SHARE else unit


def _plus(text: str, value: float) -> str:
    return f"+{text}" if value >= 0 and not text.startswith("-") else text


def sentence(text: str) -> str:
    """The text with its first letter large."""
    return text[:1].upper() + text[1:]


def span(low: float, high: float, *, signed: bool = False, unit: str = SHARE) -> str:
    """`94.8 to 97.6`; `2.1 to ∞` where nothing bounds it from above."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    texts = [bare(one, unit) for one in (low, high)]
    if signed:
        texts = [_plus(text, one) for text, one in zip(texts, (low, high), strict=True)]
    return " to ".join(texts)


def whisker(metric: Metric, scale: Scale) -> Whisker:
    """A metric on a scale: its value, or its difference where it is a paired one."""
    paired = metric.difference is not None
    value = metric.value if metric.difference is None else metric.difference
    drawn = value if math.isfinite(value) else (metric.low + metric.high) / 2
    return Whisker(
        system=metric.system,
        x=scale.at(drawn),
        low=scale.at(metric.low),
        high=scale.at(metric.high),
        text=points(value, metric.unit) if paired else percent(value, metric.unit),
        span=span(metric.low, metric.high, signed=paired, unit=metric.unit),
        n=metric.n,
    )


def scale_over(
    values: Iterable[float], *, signed: bool = False, least: float = 0.04, unit: str = SHARE
) -> Scale:
    """A scale with round ends over all the values: in percent and at least `least` wide, or in
    another unit, from zero up where it is not signed.
    """
    if unit != SHARE:
        return _scale_of(values, signed)
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    floor, roof = (-1.0 if signed else 0.0), 1.0
    low, high = min(finite), max(finite)
    room = max(least, high - low) * 0.25
    step = round_step((high - low + 2 * room) / 4)
    low = max(floor, math.floor((low - room) / step) * step)
    high = min(roof, math.ceil((high + room) / step) * step)
    bare = Scale(low=low, high=high)
    places = max(0, -math.floor(math.log10(100 * step) + 1e-9))
    form = f"{{:{'+' if signed else ''}.{places}f}}" + ("" if signed else " %")
    count = round((high - low) / step)
    marks = [low + step * index for index in range(count + 1)]
    ticks = tuple(Tick(x=bare.at(mark), label=_zero(form.format(100 * mark))) for mark in marks)
    return Scale(low=low, high=high, ticks=ticks)


def _scale_of(values: Iterable[float], signed: bool) -> Scale:
    """A scale with round ends over quantities without an upper bound."""
    finite = [0.0, *(value for value in values if math.isfinite(value))]
    step = round_step(max(1e-9, max(finite) - min(finite)) / 4)
    low = math.floor(min(finite) / step) * step if signed else 0.0
    high = math.ceil(max(finite) / step + 0.25) * step
    bare_scale = Scale(low=low, high=high)
    marks = [low + step * index for index in range(round((high - low) / step) + 1)]
    sign = "+" if signed else ""
    ticks = tuple(Tick(x=bare_scale.at(one), label=_zero(f"{one:{sign}.4g}")) for one in marks)
    return Scale(low=low, high=high, ticks=ticks)


def round_step(rough: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in STEPS if step * power >= rough * (1 - 1e-9))


def plot(series: Sequence[Series], label: str) -> Plot:
    """Curves from zero up to a round number above all their points."""
    every = [point for one in series for point in one.points if math.isfinite(point[1])]
    right = max((x for x, _ in every), default=1.0)
    left = min((x for x, _ in every), default=0.0)
    tallest = max((y for _, y in every), default=1.0) or 1.0
    step = round_step(tallest / 4)
    top = math.ceil(tallest / step - 1e-9) * step
    across = Scale(low=min(left, right - 1), high=right)
    pace = max(1.0, round_step(max(1.0, right - left) / 5))
    marks = [pace * index for index in range(1, int(right / pace) + 1)]
    return Plot(
        curves=tuple(_curve(one, across, top) for one in series),
        across=tuple(Tick(x=across.at(mark), label=f"{mark:,.0f}") for mark in marks),
        up=tuple(
            Tick(x=round(100 - 100 * step * index / top, 3), label=f"{step * index:g}")
            for index in range(round(top / step) + 1)
        ),
        label=label,
    )


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS_DRAWN points, each the mean of its neighbours where there are more."""
    size = math.ceil(len(points) / POINTS_DRAWN)
    if size <= 1:
        return list(points)
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(group[-1][0], sum(y for _, y in group) / len(group)) for group in groups]


def smoothed(
    points: Sequence[tuple[float, float]], share: float = 0.03
) -> list[tuple[float, float]]:
    """Each point's mean with its neighbours: a window of a share of all, narrower at the ends."""
    widest = round(len(points) * share / 2)
    found = []
    for index, (x, _) in enumerate(points):
        reach = min(widest, index, len(points) - 1 - index)
        near = [y for _, y in points[index - reach : index + reach + 1]]
        found.append((x, sum(near) / len(near)))
    return found


def _curve(series: Series, across: Scale, top: float) -> Curve:
    placed = [(across.at(x), round(100 - 100 * y / top, 3)) for x, y in series.points]
    path = " ".join(f"{10 * x:.1f},{10 * y:.1f}" for x, y in placed)
    dots = tuple(placed) if len(placed) <= 60 else ()
    return Curve(name=series.name, path=path, dots=dots)


def _zero(label: str) -> str:
    return "0" if label in ("+0", "-0") else label
