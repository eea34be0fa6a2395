"""How far several raters agree beyond chance, on whatever each of them has rated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.intervals import Interval, percentiles, sum_by_cluster, unseen

Floats = NDArray[np.float64]
Scale = Literal["nominal", "interval"]
METHOD = "krippendorff bootstrap"
DRAWS = 5000
SPAN = (-1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One item and the values its raters gave it, one each."""

    values: tuple[float, ...]
    cluster: str


def krippendorff(
    units: Sequence[Unit], scale: Scale, generator: np.random.Generator, *, confidence: float = 0.95
) -> Interval:
    """Krippendorff's alpha: 1 where raters agree always, 0 where no more than by chance.

    Items that one rater alone has rated say nothing of agreement and are not in n. Values
    differ or not (`nominal`), or by the square of their distance (`interval`). Bootstrap
    over clusters; NaN where all values are one, as then nothing tells chance from agreement.

    Source: Krippendorff, "Content analysis", 4th ed. 2018, ch. 12.
    """
    shared = [one for one in units if len(one.values) > 1]
    n = len(shared)
    known = sorted({value for one in shared for value in one.values})
    if len(known) < 2:
        return Interval(value=math.nan, low=SPAN[0], high=SPAN[1], n=n, method=METHOD)
    place = {value: number for number, value in enumerate(known)}
    counts = np.zeros((n, len(known)))
    for row, one in enumerate(shared):
        for value in one.values:
            counts[row, place[value]] += 1
    apart = _distances(np.array(known), scale)
    observed = np.einsum("uc,ck,uk->u", counts, apart, counts) / (counts.sum(1) - 1)
    table = sum_by_cluster(np.column_stack([observed, counts]), [one.cluster for one in shared])
    value = float(_alpha(table.sum(0, keepdims=True), apart)[0])
    independent = len(table)
    weights = generator.multinomial(independent, np.full(independent, 1 / independent), size=DRAWS)
    draws = _alpha(weights.astype(np.float64) @ table, apart)
    draws = draws[np.isfinite(draws)]
    if independent < 2 or len(draws) == 0 or np.ptp(draws) == 0:
        low, high = unseen(value, independent, SPAN, confidence, 2)
    else:
        low, high = percentiles(draws, independent, confidence, 2)
    return Interval(value=value, low=low, high=high, n=n, method=METHOD)


def _alpha(sums: Floats, apart: Floats) -> Floats:
    """Alpha of summed disagreement and counts of values; NaN where all values are one.

    Shapes: sums `[R, 1 + K]`, apart `[K, K]`; returns `[R]`.
    """
    counts = sums[:, 1:]
    expected = np.einsum("rc,ck,rk->r", counts, apart, counts)
    total = counts.sum(1)
    ratio = (total - 1) * sums[:, 0] / np.maximum(expected, 1e-300)
    return np.where(expected > 0, 1 - ratio, np.nan)


def _distances(values: Floats, scale: Scale) -> Floats:
    apart = values[:, None] - values[None, :]
    return (apart != 0).astype(np.float64) if scale == "nominal" else apart**2
