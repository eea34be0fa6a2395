"""Intervals of figures whose items are not the same: a difference of two, and a quantile of one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tutelage.core.intervals import Interval, Sides
from tutelage.core.metric import ONE_SIDED
from tutelage.core.quantiles import student_t


def unpaired_difference(first: Interval, second: Interval) -> Interval:
    """The difference of two independent estimates in [0, 1], from their own intervals.

    d - sqrt((p1 - l1)² + (u2 - p2)²) to d + sqrt((u1 - p1)² + (p2 - l2)²): with Wilson's
    intervals it is Newcombe's, with others it holds just as well. Its n is the first's;
    both intervals must be of the same sides and confidence.

    Source: Newcombe, "Interval estimation for the difference between independent
        proportions", 1998, method 10; Zou & Donner, "Construction of confidence limits
        about effect measures", 2008.
    """
    one_sided = {first.method.endswith(ONE_SIDED), second.method.endswith(ONE_SIDED)}
    if len(one_sided) > 1:
        raise ValueError(f"intervals of other sides: {first.method}, {second.method}")
    method = "newcombe" + (ONE_SIDED if one_sided == {True} else "")
    if first.n == 0 or second.n == 0:
        return Interval(value=math.nan, low=-1.0, high=1.0, n=0, method=method)
    value = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    low, high = max(-1.0, value - below), min(1.0, value + above)
    return Interval(value=value, low=low, high=high, n=first.n, method=method)


def weighted_mean(
    parts: Mapping[str, Interval], shares: Mapping[str, float], *, apart: bool = True
) -> Interval:
    """The mean of what each part gives, weighted by the share each is expected to have.

    Its bounds are made of the parts' own, value - sqrt(sum of (share (value - low))²) and
    alike above; where the parts are not `apart`, as when one author's tasks lie in
    several, their errors are added without cancelling.

    Source: Holt & Smith, "Post stratification", 1979; Zou & Donner 2008 for the bounds.
    """
    methods = {one.method for one in parts.values()}
    sided = ONE_SIDED if all(method.endswith(ONE_SIDED) for method in methods) else ""
    value = math.fsum(shares[name] * one.value for name, one in parts.items())
    below = [shares[name] * (one.value - one.low) for name, one in parts.items()]
    above = [shares[name] * (one.high - one.value) for name, one in parts.items()]
    add = math.hypot if apart else _summed
    return Interval(
        value=value,
        low=value - add(*below),
        high=value + add(*above),
        n=sum(one.n for one in parts.values()),
        method="post-stratified" + sided,
    )


def _summed(*errors: float) -> float:
    return math.fsum(errors)


def quantile_interval(
    values: Sequence[float], share: float, *, confidence: float = 0.95, sides: Sides = 2
) -> Interval:
    """The value below which this share of them lies, whatever their distribution.

    Its bounds are values that were seen, chosen by rank; where there are too few to bound
    it, the bound is infinite.

    Source: David & Nagaraja, "Order statistics", 2003, 7.1.
    """
    method = "order statistics" + (ONE_SIDED if sides == 1 else "")
    n = len(values)
    if n == 0:
        return Interval(value=math.nan, low=-math.inf, high=math.inf, n=0, method=method)
    ordered = np.sort(np.asarray(values, np.float64))
    tail = (1 - confidence) / sides
    below = _binomial_below(n, share)  # [n + 1], chance of at most k values under the quantile
    lower = int(np.searchsorted(below, tail, side="right"))
    upper = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return Interval(
        value=float(np.quantile(ordered, share)),
        low=float(ordered[lower - 1]) if lower >= 1 else -math.inf,
        high=float(ordered[upper - 1]) if upper <= n else math.inf,
        n=n,
        method=method,
    )


def unbounded_mean(
    values: Sequence[float], *, confidence: float = 0.95, sides: Sides = 2
) -> Interval:
    """Student-t interval of the mean of values that may be of any size."""
    method = "t" + (ONE_SIDED if sides == 1 else "")
    n = len(values)
    if n == 0:
        return Interval(value=math.nan, low=-math.inf, high=math.inf, n=0, method=method)
    scores = np.asarray(values, np.float64)
    value = float(scores.mean())
    if n == 1:
        return Interval(value=value, low=-math.inf, high=math.inf, n=1, method=method)
    upper = 1 - (1 - confidence) / sides
    half = float(scores.std(ddof=1)) / math.sqrt(n) * student_t(upper, n - 1)
    return Interval(value=value, low=value - half, high=value + half, n=n, method=method)


def _binomial_below(n: int, share: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Chance that at most k of n succeed, `[n + 1]`."""
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(share)
        + (n - k) * math.log1p(-share)
        for k in range(n + 1)
    ]
    return np.cumsum(np.exp(np.array(logs, np.float64)))
