"""How sure a number is: intervals for shares, means, ratios and paired differences.

Scores are taken to lie in [0, 1]. With `sides=2` an interval holds the truth with the
given confidence; with `sides=1` each bound alone does, which is what a Rule compares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tutelage.core.metric import ONE_SIDED
from tutelage.core.quantiles import student_t

Sides = Literal[1, 2]
Floats: TypeAlias = NDArray[np.float64]
Values: TypeAlias = "Sequence[float] | NDArray[Any]"  # per item, any numeric dtype
Clusters: TypeAlias = "Sequence[str] | Sequence[int] | NDArray[Any]"
Statistic: TypeAlias = Callable[[Floats], Floats]

RESAMPLES = 10_000
NO_SPREAD = 1e-9  # of the span: an error below it is none, and claims nothing
BLOCK_CELLS = 4_000_000  # of a block of resampling weights: 32 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate between two bounds, from n independent items by a named method."""

    value: float
    low: float
    high: float
    n: int
    method: str  # ends in ` one-sided` where each bound stands alone


def wilson(successes: float, n: int, *, confidence: float = 0.95, sides: Sides = 2) -> Interval:
    """Wilson score interval of a share.

    Source: Wilson, "Probable inference, the law of succession, and statistical
        inference", 1927.
    """
    if n == 0:
        return Interval(value=math.nan, low=0.0, high=1.0, n=0, method=_named("wilson", sides))
    share = successes / n
    z = NormalDist().inv_cdf(_upper(confidence, sides))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # at the edges the formula gives 0 and 1 exactly; floating point does not
    low = 0.0 if successes <= 0 else max(0.0, middle - half)
    high = 1.0 if successes >= n else min(1.0, middle + half)
    return Interval(value=share, low=low, high=high, n=n, method=_named("wilson", sides))


def standard_error(values: Values) -> float:
    """Standard error of the mean of independent values; NaN below two."""
    scores = np.asarray(values, dtype=np.float64)
    return float(scores.std(ddof=1) / math.sqrt(len(scores))) if len(scores) > 1 else math.nan


def clustered_error(values: Values, clusters: Clusters) -> float:
    """Standard error of the mean when values of one cluster may move together.

    sqrt(C / (C - 1) * sum over clusters of (sum of deviations)^2) / n; NaN below two
    clusters.
    """
    scores = np.asarray(values, dtype=np.float64)
    sums = sum_by_cluster((scores - scores.mean())[:, None], clusters)[:, 0]
    count = len(sums)
    if count < 2:
        return math.nan
    return float(math.sqrt(count / (count - 1) * float(sums @ sums)) / len(scores))


def mean_interval(
    values: Values,
    clusters: Clusters | None = None,
    *,
    confidence: float = 0.95,
    sides: Sides = 2,
) -> Interval:
    """Student-t interval of a mean of scores in [0, 1], clustered where clusters are given."""
    return _mean_interval(np.asarray(values, np.float64), clusters, (0.0, 1.0), confidence, sides)


def paired_difference(
    values: Values,
    others: Values,
    clusters: Clusters | None = None,
    *,
    confidence: float = 0.95,
    sides: Sides = 2,
) -> Interval:
    """Interval of the mean of `values - others`, two systems' scores on the same items.

    Its value is the difference; scores lie in [0, 1].
    """
    first, second = np.asarray(values, np.float64), np.asarray(others, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal counts; found {len(first)} and {len(second)}")
    interval = _mean_interval(first - second, clusters, (-1.0, 1.0), confidence, sides)
    return Interval(
        value=interval.value,
        low=interval.low,
        high=interval.high,
        n=interval.n,
        method=f"paired {interval.method}",
    )


def micro_f1(sums: Floats) -> Floats:
    """F1 of summed counts; 1 where nothing is predicted and nothing expected.

    Shapes: sums `[R, 3]`, columns hits, predicted, expected; returns `[R]`.
    """
    total = sums[:, 1] + sums[:, 2]
    return np.where(total > 0, 2 * sums[:, 0] / np.maximum(total, 1e-300), 1.0)


def sum_by_cluster(counts: NDArray[Any], clusters: Clusters) -> Floats:
    """Counts of items summed within their cluster, to be resampled as one.

    Shapes: counts `[n, k]`, clusters `[n]`; returns `[C, k]`.
    """
    names, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((len(names), counts.shape[1]))
    np.add.at(sums, index, counts)
    return sums


def ratio_interval(
    counts: NDArray[Any],
    statistic: Statistic,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    sides: Sides = 2,
) -> Interval:
    """Percentile bootstrap of a corpus statistic in [0, 1] made from summed counts.

    Where every resample gives the same value, what n items cannot exclude stands in.

    Shapes: counts `[n, k]` per item; statistic maps sums `[R, k]` to `[R]`.
    Source: Efron & Tibshirani, "An introduction to the bootstrap", 1993, ch. 13.
    """
    table = np.asarray(counts, np.float64)
    if len(table) == 0:
        return Interval(value=math.nan, low=0.0, high=1.0, n=0, method=_named("bootstrap", sides))
    value = float(statistic(table.sum(0, keepdims=True))[0])
    draws = statistic(_resampled(table, generator))
    low, high = percentiles(draws, len(table), confidence, sides)
    if high - low <= NO_SPREAD:
        low, high = unseen(value, len(table), (0.0, 1.0), confidence, sides)
    return Interval(
        value=value, low=low, high=high, n=len(table), method=_named("bootstrap", sides)
    )


def paired_ratio_interval(
    counts: NDArray[Any],
    others: NDArray[Any],
    statistic: Statistic,
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    sides: Sides = 2,
) -> Interval:
    """Percentile bootstrap of the difference of a corpus statistic on the same items.

    Both systems are resampled with the same weights, so what items share cancels.

    Shapes: counts and others `[n, k]`, row i of both the same item.
    """
    first, second = np.asarray(counts, np.float64), np.asarray(others, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal shapes; found {first.shape} and {second.shape}")
    method = _named("paired bootstrap", sides)
    if len(first) == 0:
        return Interval(value=math.nan, low=-1.0, high=1.0, n=0, method=method)
    width = first.shape[1]
    both = np.hstack([first, second])

    def difference(sums: Floats) -> Floats:
        return statistic(sums[:, :width]) - statistic(sums[:, width:])

    value = float(difference(both.sum(0, keepdims=True))[0])
    draws = difference(_resampled(both, generator))
    low, high = percentiles(draws, len(first), confidence, sides)
    if high - low <= NO_SPREAD:
        low, high = unseen(value, len(first), (-1.0, 1.0), confidence, sides)
    return Interval(value=value, low=low, high=high, n=len(first), method=method)


def _resampled(table: Floats, generator: np.random.Generator) -> Floats:
    """Column sums of RESAMPLES bootstrap samples of the table's rows, `[R, k]`.

    Rows that are equal are drawn as one with their joint weight: the same
    distribution, and most items of a scored suite share few distinct rows.
    """
    distinct, times = np.unique(table, axis=0, return_counts=True)
    block = max(1, min(RESAMPLES, BLOCK_CELLS // len(distinct)))
    sums = []
    for begin in range(0, RESAMPLES, block):
        draws = min(block, RESAMPLES - begin)
        weights = generator.multinomial(len(table), times / len(table), size=draws)
        sums.append(weights.astype(np.float64) @ distinct)
    return np.concatenate(sums)


def percentiles(draws: Floats, n: int, confidence: float, sides: Sides) -> tuple[float, float]:
    """Quantiles a little further out, as t lies beyond the normal: few rows vary too little.

    Source: Hesterberg, "What teachers should know about the bootstrap", 2015, 4.3.
    """
    upper = _upper(confidence, sides)
    if n > 1:
        upper = NormalDist().cdf(math.sqrt(n / (n - 1)) * student_t(upper, n - 1))
    low, high = np.quantile(draws, [1 - upper, upper])
    return float(low), float(high)


def _mean_interval(
    values: Floats,
    clusters: Clusters | None,
    span: tuple[float, float],
    confidence: float,
    sides: Sides,
) -> Interval:
    method = _named("t" if clusters is None else "clustered t", sides)
    n = len(values)
    if n == 0:
        return Interval(value=math.nan, low=span[0], high=span[1], n=0, method=method)
    independent = n if clusters is None else len(np.unique(np.asarray(clusters)))
    value = float(values.mean())
    error = standard_error(values) if clusters is None else clustered_error(values, clusters)
    if independent < 2 or not error > NO_SPREAD * (span[1] - span[0]):
        low, high = unseen(value, independent, span, confidence, sides)
    else:
        reach = student_t(_upper(confidence, sides), independent - 1)
        below, above = (reach, reach) if sides == 2 else _skewed(values, clusters, reach)
        low, high = max(span[0], value - error * below), min(span[1], value + error * above)
    return Interval(value=value, low=low, high=high, n=n, method=method)


def _skewed(values: Floats, clusters: Clusters | None, reach: float) -> tuple[float, float]:
    """Errors to go down and up for a bound that a Rule compares, where one tail is longer.

    Towards the longer tail t reaches not far enough, by skewness (2 t² + 1) / 6 √n; on the
    other side it stays.

    Source: Hall, "On the removal of skewness by transformation", 1992.
    """
    parts = values - values.mean()
    if clusters is not None:
        parts = sum_by_cluster(parts[:, None], clusters)[:, 0]
    spread = float((parts**2).mean())
    skewness = float((parts**3).mean()) / spread**1.5 if spread > 0 else 0.0
    more = skewness * (2 * reach * reach + 1) / (6 * math.sqrt(len(parts)))
    return reach + max(0.0, -more), reach + max(0.0, more)


def unseen(
    value: float, n: int, span: tuple[float, float], confidence: float, sides: Sides
) -> tuple[float, float]:
    """Bounds when all n items agree, or all clusters: a spread of zero would claim certainty.

    Items unlike those seen may make up a share that n agreeing items cannot exclude
    (Wilson's bound on 0 of n; the exact one where a Rule compares it), and may lie
    anywhere in the span.
    """
    share = wilson(0, n, confidence=confidence, sides=sides).high
    if sides == 1:
        share = 1 - (1 - confidence) ** (1 / n)
    return value - share * (value - span[0]), value + share * (span[1] - value)


def _upper(confidence: float, sides: Sides) -> float:
    return 1 - (1 - confidence) / sides


def _named(method: str, sides: Sides) -> str:
    return method + ONE_SIDED if sides == 1 else method
