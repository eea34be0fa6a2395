"""Shares of right answers, alone and in pairs, with bounds that hold for few items too.

What people are shown (`sides=2`) is Wilson's interval and the paired score interval. What a
Rule compares (`sides=1`) may never open a gate more often than it says: Clopper and
Pearson's bound, and the score bound with a continuity correction. The normal
approximation that Wilson's rests on lets 6.8 % through at a bound of 5 % where failures
are rare, and Student's t of paired differences 9 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from tutelage.core.intervals import (
    Clusters,
    Floats,
    Interval,
    Sides,
    Values,
    clustered_error,
    standard_error,
    wilson,
)
from tutelage.core.metric import ONE_SIDED
from tutelage.core.quantiles import beta_quantile, student_t

HALVINGS = 50  # of the span in which a bound is looked for


def clopper_pearson(
    successes: float, n: float, *, confidence: float = 0.95, sides: Sides = 2
) -> Interval:
    """Exact interval of a share: it holds the truth at least as often as it says.

    Source: Clopper & Pearson, "The use of confidence or fiducial limits", 1934.
    """
    method = "clopper-pearson" + (ONE_SIDED if sides == 1 else "")
    if n == 0:
        return Interval(value=math.nan, low=0.0, high=1.0, n=0, method=method)
    tail = (1 - confidence) / sides
    low = beta_quantile(tail, successes, n - successes + 1) if successes > 0 else 0.0
    high = beta_quantile(1 - tail, successes + 1, n - successes) if successes < n else 1.0
    return Interval(value=successes / n, low=low, high=high, n=int(n), method=method)


def share_interval(
    values: Values,
    clusters: Clusters | None = None,
    *,
    confidence: float = 0.95,
    sides: Sides = 2,
) -> Interval:
    """The share of ones; where clusters move together, of as many items as they are worth.

    Source: Korn & Graubard, "Confidence intervals for proportions with small expected
        number of positive counts estimated from survey data", 1998.
    """
    scores = np.asarray(values, np.float64)
    family = wilson if sides == 2 else clopper_pearson
    n = len(scores)
    if clusters is None or n == 0:
        return family(float(scores.sum()), n, confidence=confidence, sides=sides)
    worth = independent(scores, clusters, confidence=confidence, sides=sides)
    share = float(scores.mean())
    found = family(share * worth, worth, confidence=confidence, sides=sides)
    return replace(found, value=share, n=n, method=f"clustered {found.method}")


def paired_share_difference(
    values: Values,
    others: Values,
    clusters: Clusters | None = None,
    *,
    confidence: float = 0.95,
    sides: Sides = 2,
) -> Interval:
    """Share of `values` minus share of `others`, right or wrong on the same items.

    Source: Tango, "Equivalence test and confidence interval for the difference in
        proportions for the paired-sample design", 1998; clusters as in `share_interval`.
    """
    first, second = np.asarray(values, np.float64), np.asarray(others, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal counts; found {len(first)} and {len(second)}")
    differences, n = first - second, len(first)
    name = "paired score" if clusters is None else "clustered paired score"
    method = name + (ONE_SIDED if sides == 1 else "")
    if n == 0:
        return Interval(value=math.nan, low=-1.0, high=1.0, n=0, method=method)
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    worth: float = n
    if clusters is not None:
        worth = independent(differences, clusters, confidence=confidence, sides=sides)
    scale = worth / n
    low, high = (
        score_bound(wins * scale, losses * scale, worth, confidence=confidence, sides=sides),
        -score_bound(losses * scale, wins * scale, worth, confidence=confidence, sides=sides),
    )
    return Interval(value=(wins - losses) / n, low=low, high=high, n=n, method=method)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided p of McNemar's test: items that only one of two systems got right.

    Source: McNemar 1947; the binomial form.
    """
    n = only_first + only_second
    if n == 0:
        return 1.0
    fewer = np.arange(min(only_first, only_second) + 1)
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        for k in fewer.tolist()
    ]
    return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))


def score_bound(
    wins: float, losses: float, n: float, *, confidence: float = 0.95, sides: Sides = 2
) -> float:
    """Lower bound of the share of wins minus that of losses among n pairs.

    The least difference that the score test does not reject; with `sides=1` half an
    item is taken off first, a continuity correction.
    """
    z = NormalDist().inv_cdf(1 - (1 - confidence) / sides)
    seen = wins - losses - (0.5 if sides == 1 else 0.0)
    low, high = -1.0, max(-1.0, seen / n)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        rejected = seen - n * middle > z * math.sqrt(score_variance(wins, losses, n, middle))
        low, high = (middle, high) if rejected else (low, middle)
    return low


def score_variance(wins: float, losses: float, n: float, difference: float) -> float:
    """Variance of wins minus losses, were the true difference of their shares this one.

    The share of losses is the likeliest under that difference.
    """
    slope = (2 * n - wins + losses) * difference - wins - losses
    rest = -losses * difference * (1 - difference)
    share = (math.sqrt(max(0.0, slope * slope - 8 * n * rest)) - slope) / (4 * n)
    return n * max(0.0, 2 * share + difference * (1 - difference))


def clusters_of(names: Sequence[str]) -> Sequence[str] | None:
    """The clusters items are in, None where every one stands alone."""
    return None if len(set(names)) == len(names) else names


def independent(
    scores: Floats, clusters: Clusters, *, confidence: float = 0.95, sides: Sides = 2
) -> int:
    """How many items that stand alone these are worth, at least 1 and at most their number.

    n divided by how much clusters widen the variance, and once more for how well so few
    clusters can tell it. Where all scores agree, the number of clusters.
    """
    count = len(np.unique(np.asarray(clusters)))
    plain = standard_error(scores)
    if not plain > 0 or count < 2:
        return max(1, count)
    n = len(scores)
    growth = max((clustered_error(scores, clusters) / plain) ** 2, 1 / n)
    upper = 1 - (1 - confidence) / sides
    few = (NormalDist().inv_cdf(upper) / student_t(upper, count - 1)) ** 2
    return max(1, min(n, int(n / growth * few)))
