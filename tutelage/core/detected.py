"""A rate as a detector or judge counted it, corrected for how often that errs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tutelage.core.intervals import RESAMPLES, Interval, Sides
from tutelage.core.metric import ONE_SIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a detector said of outputs that people labelled."""

    found: int  # flagged, of those people flag
    positives: int
    passed: int  # not flagged, of those people pass
    negatives: int


def rogan_gladen(
    flagged: int,
    n: int,
    calibration: Calibration,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
) -> Interval:
    """The true rate, (flagged share + specificity − 1) / (sensitivity + specificity − 1).

    The outputs and the calibration are both drawn again, as Jeffreys' beta distributions,
    so that a count of none or of all stays uncertain. A draw in which the detector is no
    better than chance tells nothing: it counts as 0 for the lower and 1 for the upper
    95 % bound.

    Source: Rogan & Gladen, "Estimating prevalence from the results of a screening test",
        1978; Brown, Cai & DasGupta, "Interval estimation for a binomial proportion", 2001.
    """
    method = "rogan-gladen bootstrap" + (ONE_SIDED if sides == 1 else "")
    if min(n, calibration.positives, calibration.negatives) == 0:
        return Interval(value=math.nan, low=0.0, high=1.0, n=0, method=method)
    seen = (
        (flagged, n),
        (calibration.found, calibration.positives),
        (calibration.passed, calibration.negatives),
    )
    rate, sensitivity, specificity = (
        generator.beta(hits + 0.5, count - hits + 0.5, RESAMPLES) for hits, count in seen
    )
    power = sensitivity + specificity - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.clip((rate + specificity - 1) / power, 0.0, 1.0)
    tail = 0.05 / sides
    low = float(np.quantile(np.where(power > 0, draws, 0.0), tail))
    high = float(np.quantile(np.where(power > 0, draws, 1.0), 1 - tail))
    plain, sensed, passed = (hits / count for hits, count in seen)
    value = math.nan
    if sensed + passed > 1:
        value = min(1.0, max(0.0, (plain + passed - 1) / (sensed + passed - 1)))
    return Interval(value=value, low=low, high=high, n=n, method=method)


def power_of_detected(
    rate: float, threshold: float, n: int, labels: tuple[int, int], errs: tuple[float, float]
) -> float:
    """Chance that the upper bound of a corrected rate stays under a threshold.

    `labels` are the positives and negatives a detector is calibrated on, `errs` its
    sensitivity and specificity. Every count of the specificity, which moves the rate and
    its error together, is followed; the rest is normal.
    """
    normal, (sensitivity, specificity) = NormalDist(), errs
    flagging = rate * sensitivity + (1 - rate) * (1 - specificity)
    counts = np.arange(labels[1] + 1)
    logs = [
        math.lgamma(labels[1] + 1)
        - math.lgamma(k + 1)
        - math.lgamma(labels[1] - k + 1)
        + k * math.log(specificity)
        + (labels[1] - k) * math.log1p(-specificity)
        for k in counts.tolist()
    ]
    chance = 0.0
    for passed, weight in zip(counts.tolist(), np.exp(logs).tolist(), strict=True):
        found = (passed + 0.5) / (labels[1] + 1)
        if weight < 1e-9 or sensitivity + found <= 1:
            continue
        most = _most_flagged(threshold, n, labels, (sensitivity, found))
        spread = math.sqrt(
            n * flagging * (1 - flagging)
            + (n * threshold) ** 2 * sensitivity * (1 - sensitivity) / labels[0]
        )
        chance += weight * normal.cdf((most + 0.5 - n * flagging) / spread)
    return chance


def _most_flagged(
    threshold: float, n: int, labels: tuple[int, int], errs: tuple[float, float]
) -> float:
    """The most that may be flagged for the upper bound, by the delta method, to stay under."""
    z, power = NormalDist().inv_cdf(0.95), errs[0] + errs[1] - 1
    low, high = -1.0, float(n)
    while high - low > 0.01:
        middle = (low + high) / 2
        flagged = (max(0.0, middle) + 0.5) / (n + 1)
        rate = min(1.0, max(0.0, (flagged + errs[1] - 1) / power))
        variance = (
            flagged * (1 - flagged) / n
            + rate**2 * errs[0] * (1 - errs[0]) / labels[0]
            + (1 - rate) ** 2 * errs[1] * (1 - errs[1]) / labels[1]
        ) / power**2
        under = (flagged + errs[1] - 1) / power + z * math.sqrt(variance) <= threshold
        low, high = (middle, high) if under else (low, middle)
    return low
