"""Intervals of quantities without an upper bound: seconds, tokens, perplexity.

Where items are too few or all alike to bound the value from above, the bound is
infinite: a rule over it is then inconclusive, never passed by luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tutelage.core.bound import Bound
from tutelage.core.intervals import (
    NO_SPREAD,
    Interval,
    clustered_error,
    paired_ratio_interval,
    ratio_interval,
    standard_error,
    wilson,
)
from tutelage.core.quantiles import student_t
from tutelage.core.shares import independent

Floats = NDArray[np.float64]
Clusters = Sequence[str] | None  # None where every item stands alone
Summed = Callable[[Floats], Floats]
ORDER = "order statistics"
TAIL = 0.95  # the quantile of `p95`
# items of which the largest is a one-sided 95 % upper bound of the quantile
BOUNDED_FROM = math.ceil(math.log(0.05) / math.log(TAIL))
DRAWS = 2000  # of the bootstrap of a quantile's difference


def mean_level(values: Floats, clusters: Clusters, bound: Bound) -> Interval:
    """The mean between Student's bounds, from 0 up."""
    found = _student(values, clusters, bound)
    if math.isinf(found.high):
        share = _unseen(values, clusters, bound)
        return replace(found, low=found.value * (1 - share) if len(values) else 0.0)
    return replace(found, low=max(0.0, found.low))


def level_difference(values: Floats, others: Floats, clusters: Clusters, bound: Bound) -> Interval:
    """The mean of `values - others` on the same items."""
    found = _student(values - others, clusters, bound)
    return replace(found, method=f"paired {found.method}")


def tail_level(values: Floats, clusters: Clusters, bound: Bound) -> Interval:
    """The 95th percentile between two of the values, whatever their distribution.

    Clusters that move together count as as many items as they are worth.

    Source: Woodruff, "Confidence intervals for medians and other position measures",
        1952; exact binomial ranks.
    """
    method = bound.named(ORDER if clusters is None else f"clustered {ORDER}")
    n = len(values)
    if n == 0:
        return Interval(value=math.nan, low=0.0, high=math.inf, n=0, method=method)
    ordered = np.sort(values)
    value = float(ordered[math.ceil(TAIL * n) - 1])
    worth = n
    if clusters is not None:
        below_it = (values <= value).astype(np.float64)
        sides, confidence = bound
        worth = independent(below_it, clusters, confidence=confidence, sides=sides)
    below = _binomial(worth)  # P(at most k of the values lie below the percentile)
    tail = bound.tail
    low = int(np.searchsorted(below, tail, side="right"))  # rank, 0 where none is sure
    high = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return Interval(
        value=value,
        low=float(ordered[math.floor(low * n / worth) - 1]) if low * n >= worth else 0.0,
        high=float(ordered[math.ceil(high * n / worth) - 1]) if high <= worth else math.inf,
        n=n,
        method=method,
    )


def tail_difference(
    values: Floats,
    others: Floats,
    clusters: Clusters,
    generator: np.random.Generator,
    bound: Bound,
) -> Interval:
    """Difference of two 95th percentiles on the same items, by bootstrap of the items."""
    method = bound.named("paired bootstrap")
    n = len(values)
    if n < 2:
        value = float(values[0] - others[0]) if n else math.nan
        return Interval(value=value, low=-math.inf, high=math.inf, n=n, method=method)
    names = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    members = [np.flatnonzero(names == name) for name in np.unique(names)]
    draws = []
    for _ in range(DRAWS):
        chosen = generator.integers(0, len(members), len(members))
        index = np.concatenate([members[place] for place in chosen])
        draws.append(_tail(values[index]) - _tail(others[index]))
    edge = bound.tail
    low, high = np.quantile(np.array(draws), [edge, 1 - edge])
    value = _tail(values) - _tail(others)
    low, high = (low, high) if low < high else (-math.inf, math.inf)
    return Interval(value=value, low=float(low), high=float(high), n=n, method=method)


def summed_level(
    counts: Floats, statistic: Summed, generator: np.random.Generator, bound: Bound
) -> Interval:
    """A statistic of summed counts, by bootstrap; unbounded where no two items differ."""
    found = ratio_interval(
        counts, statistic, generator, confidence=bound.confidence, sides=bound.sides
    )
    if len(counts) == 0:
        return replace(found, high=math.inf)
    if _alike(counts, statistic):
        share = wilson(0, len(counts), confidence=bound.confidence, sides=bound.sides).high
        return replace(found, low=found.value * (1 - share), high=math.inf)
    return found


def summed_difference(
    counts: Floats,
    others: Floats,
    statistic: Summed,
    generator: np.random.Generator,
    bound: Bound,
) -> Interval:
    """The difference of such a statistic on the same items."""
    found = paired_ratio_interval(
        counts, others, statistic, generator, confidence=bound.confidence, sides=bound.sides
    )
    if len(counts) == 0 or (_alike(counts, statistic) and _alike(others, statistic)):
        return replace(found, low=-math.inf, high=math.inf)
    return found


def _student(values: Floats, clusters: Clusters, bound: Bound) -> Interval:
    method = bound.named("t" if clusters is None else "clustered t")
    n = len(values)
    value = float(values.mean()) if n else math.nan
    count = n if clusters is None else len(set(clusters))
    error = standard_error(values) if clusters is None else clustered_error(values, clusters)
    if count < 2 or not error > NO_SPREAD * abs(value):
        return Interval(value=value, low=-math.inf, high=math.inf, n=n, method=method)
    half = error * student_t(1 - bound.tail, count - 1)
    return Interval(value=value, low=value - half, high=value + half, n=n, method=method)


def _unseen(values: Floats, clusters: Clusters, bound: Bound) -> float:
    n = len(values) if clusters is None else len(set(clusters))
    return wilson(0, n, confidence=bound.confidence, sides=bound.sides).high


def _binomial(n: int) -> Floats:
    """Chance that at most k of n values lie below their 95th percentile, k from 0 to n - 1."""
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
        + k * math.log(TAIL) + (n - k) * math.log(1 - TAIL)
        for k in range(n)
    ]  # fmt: skip
    return np.cumsum(np.exp(np.array(logs)))


def _tail(values: Floats) -> float:
    return float(np.quantile(values, TAIL, method="inverted_cdf"))


def _alike(counts: Floats, statistic: Summed) -> bool:
    each = statistic(counts)
    return len(counts) < 2 or bool(np.all(each == each[0]))
