"""A rate as a detector or judge counted it, corrected for how often that errs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tutelage.core.bound import Bound
from tutelage.core.intervals import RESAMPLES, Clusters, Floats, Interval, Sides, Values
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


class Ends(NamedTuple):
    """Values that could have given what was counted, a draw each: as low as may be, as high."""

    low: Floats
    high: Floats


def drawn_gap(generator: np.random.Generator, sides: Sides) -> tuple[Ends, Floats]:
    """What a count leaves open, as one item more: what of it is taken for a hit, and the whole.

    For a bound that a Rule compares none of it is, or all; else about a half.
    """
    if sides == 1:
        whole = generator.standard_exponential(RESAMPLES)
        return Ends(np.zeros(RESAMPLES), whole), whole
    part, rest = (generator.standard_gamma(0.5, RESAMPLES) for _ in range(2))
    return Ends(part, part), part + rest


def drawn_share(hits: float, misses: float, generator: np.random.Generator, sides: Sides) -> Ends:
    """Shares that could have given these counts.

    The ends' quantiles are Clopper and Pearson's bounds, which hold however few were counted;
    for people to look at, Jeffreys' beta distribution, which lies between.

    Source: Dempster, "New methods for reasoning towards posterior distributions based on sample
        data", 1966.
    """
    hit, missed = (generator.standard_gamma(count, RESAMPLES) for count in (hits, misses))
    gap, open_ = drawn_gap(generator, sides)
    whole = hit + missed + open_
    return Ends((hit + gap.low) / whole, (hit + gap.high) / whole)


def drawn_errs(
    calibration: Calibration, generator: np.random.Generator, sides: Sides
) -> tuple[Ends, Ends]:
    """Sensitivities and specificities that could have given these counts."""
    one = calibration
    sensitivity = drawn_share(one.found, one.positives - one.found, generator, sides)
    specificity = drawn_share(one.passed, one.negatives - one.passed, generator, sides)
    return sensitivity, specificity


def between(draws: Ends, span: tuple[float, float], bound: Bound) -> tuple[float, float]:
    """The bounds of draws; one that tells nothing (NaN) may be anywhere in the span."""
    low, high = (
        np.clip(np.where(np.isnan(one), span[at], one), *span) for at, one in enumerate(draws)
    )
    return float(np.quantile(low, bound.tail)), float(np.quantile(high, 1 - bound.tail))


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

    The outputs and the calibration are both drawn again, so that a count of none or of all stays
    uncertain. A draw in which the detector may be no better than chance tells nothing: it counts
    as 0 for the lower and 1 for the upper bound.

    Source: Rogan & Gladen, "Estimating prevalence from the results of a screening test",
        1978; Fay, Proschan & Brittain, "Combining one-sample confidence procedures for
        inference in the two-sample case", 2015.
    """
    bound = Bound(sides, confidence)
    method = bound.named("rogan-gladen bootstrap")
    if min(n, calibration.positives, calibration.negatives) == 0:
        return Interval(value=math.nan, low=0.0, high=1.0, n=0, method=method)
    rate = drawn_share(flagged, n - flagged, generator, sides)
    sensitivity, specificity = drawn_errs(calibration, generator, sides)
    tells = sensitivity.low + specificity.low > 1
    with np.errstate(divide="ignore", invalid="ignore"):
        least = (rate.low + specificity.low - 1) / (sensitivity.high + specificity.low - 1)
        most = (rate.high + specificity.high - 1) / (sensitivity.low + specificity.high - 1)
    draws = Ends(*(np.where(tells, one, math.nan) for one in (least, most)))
    low, high = between(draws, (0.0, 1.0), bound)
    passed, power = calibration.passed / calibration.negatives, _power(calibration)
    value = math.nan
    if power > 0:
        value = min(1.0, max(0.0, (flagged / n + passed - 1) / power))
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
    are drawn again.
    """
    first, second = (np.asarray(one, np.float64) for one in pairs)
    differences, n, bound = first - second, len(first), Bound(sides, confidence)
    name = "paired rogan-gladen bootstrap"
    name = bound.named(name if clusters is None else f"clustered {name}")
    if min(n, calibration.positives, calibration.negatives) == 0:
        return Interval(value=math.nan, low=-1.0, high=1.0, n=0, method=name)
    worth: float = n
    if clusters is not None:
        worth = independent(differences, clusters, confidence=confidence, sides=sides)
    wins, losses = (float((differences * way > 0).mean()) * worth for way in (1, -1))
    won, lost, rest = (
        generator.standard_gamma(count, RESAMPLES)
        for count in (wins, losses, max(0.0, worth - wins - losses))
    )
    gap, open_ = drawn_gap(generator, sides)
    whole = won + lost + rest + open_
    seen = Ends(*((won + part - lost - (open_ - part)) / whole for part in gap))
    sensitivity, specificity = drawn_errs(calibration, generator, sides)
    power = Ends(sensitivity.low + specificity.low - 1, sensitivity.high + specificity.high - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = seen.low / np.where(seen.low > 0, power.high, power.low)
        most = seen.high / np.where(seen.high > 0, power.low, power.high)
    draws = Ends(*(np.where(power.low > 0, one, math.nan) for one in (least, most)))
    low, high = between(draws, (-1.0, 1.0), bound)
    value, tells = math.nan, _power(calibration)
    if tells > 0:
        value = min(1.0, max(-1.0, float(differences.mean()) / tells))
    return Interval(value=value, low=low, high=high, n=n, method=name)


def _power(calibration: Calibration) -> float:
    """Sensitivity + specificity − 1, as counted."""
    sensed = calibration.found / calibration.positives
    return sensed + calibration.passed / calibration.negatives - 1
