"""What chance a rule has to be shown where a detector errs: the planner of such metrics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from tutelage.core.intervals import Floats
from tutelage.core.joint import Counts, corrected, extremes

Two = tuple[int, int]  # of a detector's positives and negatives
Errs = tuple[float, float]  # its sensitivity and specificity
SMALL = 1e-6  # a chance that is not followed
STEP = 1e-4  # of a derivative


def power_of_detected(rate: float, threshold: float, n: int, labels: Two, errs: Errs) -> float:
    """Chance that the upper bound of a corrected rate stays under a threshold.

    `labels` are the positives and negatives a detector is calibrated on, `errs` its
    sensitivity and specificity. Every count of the specificity, which moves the rate and
    its error together, is followed; the rest is normal.
    """
    normal, (sensitivity, specificity) = NormalDist(), errs
    flagging = rate * sensitivity + (1 - rate) * (1 - specificity)
    lowest = sensitivity * labels[0] / (labels[0] + 1)
    chance = 0.0
    for passed, weight in enumerate(_chances(labels[1], specificity)):
        found = (passed + 1) / (labels[1] + 1)
        if weight < SMALL or lowest + found <= 1:
            continue
        most = _most_flagged(threshold, n, labels, (lowest, found))
        spread = math.sqrt(
            n * flagging * (1 - flagging)
            + (n * threshold) ** 2 * sensitivity * (1 - sensitivity) / labels[0]
        )
        chance += weight * normal.cdf((most + 0.5 - n * flagging) / spread)
    return chance


def _most_flagged(threshold: float, n: int, labels: Two, errs: Errs) -> float:
    """The most that may be flagged for the upper bound, by the delta method, to stay under."""
    z, power = NormalDist().inv_cdf(0.95), errs[0] + errs[1] - 1
    low, high = -1.0, float(n)
    while high - low > 0.01:
        middle = (low + high) / 2
        flagged = (max(0.0, middle) + 1) / (n + 1)
        rate = min(1.0, max(0.0, (flagged + errs[1] - 1) / power))
        variance = (
            flagged * (1 - flagged) / n
            + rate**2 * errs[0] * (1 - errs[0]) / labels[0]
            + (1 - rate) ** 2 * errs[1] * (1 - errs[1]) / labels[1]
        ) / power**2
        under = (flagged + errs[1] - 1) / power + z * math.sqrt(variance) <= threshold
        low, high = (middle, high) if under else (low, middle)
    return low


def power_of_joint(
    seen: tuple[Counts, Sequence[float]], threshold: float, n: int, labels: Two, errs: Errs
) -> float:
    """Chance that the lower bound of a corrected share, or difference, of n groups reaches it.

    `seen` are the kinds of group, as the detector counts them, and the chance of each. Every
    count of the labels is followed; the rest is normal, by the delta method.

    Shapes: kinds `[K, 4]`, of a difference `[K, 8]`.
    """
    kinds, often = (np.asarray(one, np.float64) for one in seen)
    grid = np.meshgrid(*(np.arange(count + 2) / (count + 1) for count in labels), indexing="ij")
    reach = _reach(kinds, often, threshold, n, labels, (grid[0].ravel(), grid[1].ravel()))
    ends = reach.reshape(grid[0].shape)
    least = np.minimum(
        np.minimum(ends[1:, 1:], ends[1:, :-1]), np.minimum(ends[:-1, 1:], ends[:-1, :-1])
    )
    sensed, spared = (
        np.array(_chances(count, one)) for count, one in zip(labels, errs, strict=True)
    )
    return float(sensed @ np.vectorize(NormalDist().cdf)(least) @ spared)


def _reach(
    kinds: Floats, often: Floats, threshold: float, n: int, labels: Two, at: tuple[Floats, Floats]
) -> Floats:
    """How many deviations of what is seen the bound lies above, at these rates of the detector."""
    values = corrected(kinds, *at)
    mean, least = often @ values, extremes(kinds, *at)[0]
    spread = often @ values**2 - mean**2
    unsure = spread / (n + 1)
    for place, (share, count) in enumerate(zip(at, labels, strict=True)):
        more, less = (
            corrected(kinds, *(one + way * STEP * (index == place) for index, one in enumerate(at)))
            for way in (1, -1)
        )
        slope = often @ (more - less) / (2 * STEP)
        unsure += slope**2 * share * (1 - share) / (count + 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        bound = (n * mean + least) / (n + 1) - NormalDist().inv_cdf(0.95) * np.sqrt(unsure)
        reach = (bound - threshold) / np.sqrt(spread / n)
    found: Floats = np.nan_to_num(reach, nan=-math.inf)
    return found


def _chances(count: int, share: float) -> list[float]:
    """Of every number of `count` that may be so, where each is with chance `share`."""
    return [
        math.exp(
            math.lgamma(count + 1)
            - math.lgamma(hits + 1)
            - math.lgamma(count - hits + 1)
            + _log(hits, share)
            + _log(count - hits, 1 - share)
        )
        for hits in range(count + 1)
    ]


def _log(times: int, share: float) -> float:
    """The logarithm of a chance that comes so often in a row."""
    if times == 0:
        return 0.0
    return times * math.log(share) if share > 0 else -math.inf
