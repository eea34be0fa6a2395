"""A rate as a detector or judge counted it, corrected for how often that errs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from tutelage.core.intervals import RESAMPLES, Clusters, Floats, Interval, Sides, Values
from tutelage.core.metric import ONE_SIDED
from tutelage.core.shares import independent


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a detector said of outputs that people labelled."""

    found: int  # flagged, of those people flag
    positives: int
    passed: int  # not flagged, of those people pass
    negatives: int

    @property
    def inverse(self) -> Calibration:
        """Of the detector that flags what this one passes."""
        return Calibration(
            found=self.passed,
            positives=self.negatives,
            passed=self.found,
            negatives=self.positives,
        )

    @property
    def labels(self) -> int:
        """Outputs people labelled."""
        return self.positives + self.negatives


def rogan_gladen(
    flagged: float,
    n: float,
    calibration: Calibration,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """The true rate, (flagged share + specificity − 1) / (sensitivity + specificity − 1).

    The outputs and the calibration are both drawn again, as Jeffreys' beta distributions,
    so that a count of none or of all stays uncertain. A draw in which the detector is no
    better than chance tells nothing: it counts as 0 for the lower and 1 for the upper bound.

    Source: Rogan & Gladen, "Estimating prevalence from the results of a screening test",
        1978; Brown, Cai & DasGupta, "Interval estimation for a binomial proportion", 2001.
    """
    method = "rogan-gladen bootstrap" + (ONE_SIDED if sides == 1 else "")
    if min(n, calibration.positives, calibration.negatives) == 0:
        return Interval(value=math.nan, low=0.0, high=1.0, n=0, method=method)
    rate = generator.beta(flagged + 0.5, n - flagged + 0.5, RESAMPLES)
    sensitivity, specificity = drawn_errs(calibration, generator)
    power = sensitivity + specificity - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.clip((rate + specificity - 1) / power, 0.0, 1.0)
    tail = (1 - confidence) / sides
    low = float(np.quantile(np.where(power > 0, draws, 0.0), tail))
    high = float(np.quantile(np.where(power > 0, draws, 1.0), 1 - tail))
    passed, tells = calibration.passed / calibration.negatives, _power(calibration)
    value = math.nan
    if tells > 0:
        value = min(1.0, max(0.0, (flagged / n + passed - 1) / tells))
    return Interval(value=value, low=low, high=high, n=int(n), method=method)


def corrected_share(
    values: Values,
    clusters: Clusters | None,
    calibration: Calibration,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """The true share of what a detector flags; clustered items count as as many as they are worth.

    Source: as `rogan_gladen`; clusters as in `shares.share_interval`.
    """
    scores = np.asarray(values, np.float64)
    n = len(scores)
    worth: float = n
    if clusters is not None and n:
        worth = independent(scores, clusters, confidence=confidence, sides=sides)
    share = float(scores.mean()) if n else 0.0
    found = rogan_gladen(
        share * worth, worth, calibration, generator, sides=sides, confidence=confidence
    )
    told = found.method if clusters is None else f"clustered {found.method}"
    return replace(found, n=n if found.n else 0, method=told)


def corrected_difference(
    pairs: tuple[Values, Values],
    clusters: Clusters | None,
    calibration: Calibration,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """First minus second true share, of two systems' outputs to the same items.

    The errors of the detector are the same for both, so that the difference it sees is the
    true one times sensitivity + specificity − 1. Items that only one of the two is flagged on
    are drawn again as a Dirichlet distribution with Jeffreys' prior.
    """
    first, second = (np.asarray(one, np.float64) for one in pairs)
    differences, n = first - second, len(first)
    name = "paired rogan-gladen bootstrap"
    name = (name if clusters is None else f"clustered {name}") + (ONE_SIDED if sides == 1 else "")
    if min(n, calibration.positives, calibration.negatives) == 0:
        return Interval(value=math.nan, low=-1.0, high=1.0, n=0, method=name)
    worth: float = n
    if clusters is not None:
        worth = independent(differences, clusters, confidence=confidence, sides=sides)
    wins, losses = (float((differences * way > 0).mean()) * worth for way in (1, -1))
    drawn = generator.dirichlet(
        [wins + 0.5, losses + 0.5, max(0.0, worth - wins - losses) + 0.5], RESAMPLES
    )
    power = sum(drawn_errs(calibration, generator)) - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = np.clip((drawn[:, 0] - drawn[:, 1]) / power, -1.0, 1.0)
    tail = (1 - confidence) / sides
    low = float(np.quantile(np.where(power > 0, draws, -1.0), tail))
    high = float(np.quantile(np.where(power > 0, draws, 1.0), 1 - tail))
    value, tells = math.nan, _power(calibration)
    if tells > 0:
        value = min(1.0, max(-1.0, float(differences.mean()) / tells))
    return Interval(value=value, low=low, high=high, n=n, method=name)


def drawn_errs(calibration: Calibration, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """Sensitivities and specificities that could have given these counts."""
    seen = (
        (calibration.found, calibration.positives),
        (calibration.passed, calibration.negatives),
    )
    sensitivity, specificity = (
        generator.beta(hits + 0.5, count - hits + 0.5, RESAMPLES) for hits, count in seen
    )
    return sensitivity, specificity


def _power(calibration: Calibration) -> float:
    """Sensitivity + specificity − 1, as counted."""
    sensed = calibration.found / calibration.positives
    return sensed + calibration.passed / calibration.negatives - 1


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
