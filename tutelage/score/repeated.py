"""One metric of several trainings on the same tasks: where its spread comes from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.core.components import Crossed, crossed
from tutelage.core.intervals import Floats, Interval, Sides, sum_by_cluster
from tutelage.core.metric import ONE_SIDED
from tutelage.score.measure import STATISTICS, Measure, Rows, counts_of

TRAININGS = "trainings"  # the slice whose records are over a recipe's trainings
CROSSED = "crossed t"
Bounds = Callable[[int, Sides], Interval]  # of one training, counted from 0, for itself alone


def told_apart(measure: Measure) -> bool:
    """Whether its spread can be split into trainings and tasks: it is a mean, or made of sums."""
    if measure.locked or measure.family in ("detected", "joint", "controlled"):
        return False
    return measure.family != "level" or measure.statistic in ("", *STATISTICS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A metric, or its difference to a baseline, over several trainings of one recipe."""

    values: tuple[float, ...]  # a training each
    spread: Crossed
    measure: Measure
    own: Mapping[Sides, tuple[Interval, ...]]  # each training's interval, for itself alone
    whole: bool  # whether it is no difference: a share stays in [0, 1], a difference in [-1, 1]

    @property
    def value(self) -> float:
        """The mean over the trainings."""
        return math.fsum(self.values) / len(self.values)

    def interval(self, sides: Sides) -> Interval:
        """What the recipe gives, whatever its seed.

        Never narrower than the trainings' own intervals are on average: a score that is the
        same for every task and training has no spread, and is not therefore certain.
        """
        found = self.spread.interval(sides=sides)
        own = self.own[sides]
        low = min(found.low, math.fsum(one.low for one in own) / len(own))
        high = max(found.high, math.fsum(one.high for one in own) / len(own))
        if self.measure.family in ("share", "mean"):
            low, high = max(0.0 if self.whole else -1.0, low), min(1.0, high)
        method = f"{CROSSED}, {len(self.values)} trainings" + (ONE_SIDED if sides == 1 else "")
        return Interval(value=self.value, low=low, high=high, n=self.spread.items, method=method)


def repeated(
    measure: Measure,
    trainings: Sequence[Rows],
    clusters: Sequence[str],
    bounds: Bounds,
    baseline: Rows | None = None,
) -> Repeated | None:
    """The metric over trainings that answered the same tasks in one order; with a baseline's
    scores, the difference to it. None where there is too little to tell.

    A statistic of sums is taken by its jackknife pseudo-values, a cluster of tasks each.
    Source: Miller, "The jackknife: a review", Biometrika 1974.
    """
    if not told_apart(measure) or len(trainings) < 2:
        return None
    tables = [pseudovalues(measure, rows, clusters) for rows in trainings]
    other = None if baseline is None else pseudovalues(measure, baseline, clusters)
    found = [one for one in tables if one is not None]
    if len(found) < len(tables) or (baseline is not None and other is None):
        return None
    table = np.stack(found)
    if table.shape[1] < 2:
        return None
    means = table.mean(1) - (0.0 if other is None else other.mean())
    sides: tuple[Sides, Sides] = (1, 2)
    return Repeated(
        values=tuple(float(one) for one in means),
        spread=crossed(table, other),
        measure=measure,
        own={side: tuple(bounds(n, side) for n in range(len(trainings))) for side in sides},
        whole=baseline is None,
    )


def pseudovalues(measure: Measure, rows: Rows, clusters: Sequence[str]) -> Floats | None:
    """What each cluster of tasks adds to the metric: their mean is the metric.

    Shapes: `[clusters]`, in the clusters' sorted order; None where it has no value without one.
    """
    counts, statistic = _sums(measure, rows)
    by_cluster = sum_by_cluster(counts, clusters)
    whole = by_cluster.sum(0)
    n = len(by_cluster)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(whole[None, :])[0])
        without = statistic(whole[None, :] - by_cluster)
    if not math.isfinite(value) or not np.isfinite(without).all():
        return None
    found: Floats = n * value - (n - 1) * without
    found += value - found.mean()
    return found


def _sums(measure: Measure, rows: Rows) -> tuple[Floats, Callable[[Floats], Floats]]:
    if measure.family == "ratio":
        return counts_of(measure, rows), STATISTICS[measure.statistic]
    name = measure.columns[0] if measure.family == "level" else measure.metric
    if measure.statistic in STATISTICS and measure.family == "level":
        table = counts_of(measure, rows)
        return table * np.array([[name in row] for row in rows]), STATISTICS[measure.statistic]
    pairs = [(row[name], 1.0) if name in row else (0.0, 0.0) for row in rows]
    return np.array(pairs, np.float64), _mean


def _mean(sums: Floats) -> Floats:
    found: Floats = sums[:, 0] / sums[:, 1]
    return found
