"""A share of pairs, or larger groups, all of whose outputs are right, by a detector that errs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tutelage.core.detected import Calibration, drawn_errs
from tutelage.core.intervals import RESAMPLES, Floats, Interval, Sides
from tutelage.core.metric import ONE_SIDED

# Of a group's outputs: those to be flagged that are, and are not; the others that are, and are not
Counts = Sequence[Sequence[float]]
WEIGHT = 0.5  # Jeffreys': of a group that is right, and of one that is wrong, beside those seen
RIGHT, WRONG = (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 1.0, 0.0)


class Bounds(NamedTuple):
    """How sure they are, and on how many sides."""

    sides: Sides
    confidence: float


def corrected_joint(
    groups: Counts,
    calibration: Calibration,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """The share of groups whose outputs are all what they should be.

    Corrected for each output, as in `rogan_gladen`, the product over a group's outputs is on
    average 1 where all are right and 0 elsewhere, if the detector errs on each by itself.
    Groups (as a Dirichlet distribution) and calibration are drawn again.

    Shapes: groups `[G, 4]`.
    Source: Rogan & Gladen, 1978, output by output.
    """
    seen = np.asarray(groups, np.float64).reshape(-1, len(RIGHT))
    return _between(seen, (RIGHT, WRONG), calibration, generator, Bounds(sides, confidence))


def corrected_joint_difference(
    groups: tuple[Counts, Counts],
    calibration: Calibration,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """First minus second share, of two systems' outputs to the same groups."""
    seen = np.hstack([np.asarray(one, np.float64).reshape(-1, len(RIGHT)) for one in groups])
    supposed = ((*RIGHT, *WRONG), (*WRONG, *RIGHT))
    return _between(seen, supposed, calibration, generator, Bounds(sides, confidence))


def _between(
    seen: Floats,
    supposed: Counts,
    calibration: Calibration,
    generator: np.random.Generator,
    bounds: Bounds,
) -> Interval:
    """The value of what is seen, between what could have given it; `supposed` weigh a half each."""
    paired = seen.shape[1] > len(RIGHT)
    span = (-1.0, 1.0) if paired else (0.0, 1.0)
    method = f"{'paired ' if paired else ''}joint rogan-gladen bootstrap"
    method += ONE_SIDED if bounds.sides == 1 else ""
    if not len(seen) or min(calibration.positives, calibration.negatives) == 0:
        return Interval(value=math.nan, low=span[0], high=span[1], n=0, method=method)
    kinds, place = np.unique(np.vstack([seen, supposed]), axis=0, return_inverse=True)
    weights = np.ones(len(seen) + len(supposed))
    weights[len(seen) :] = WEIGHT
    drawn = generator.dirichlet(np.bincount(place.ravel(), weights), RESAMPLES)
    draws = np.clip((drawn * _right(kinds, *drawn_errs(calibration, generator))).sum(1), *span)
    tail = (1 - bounds.confidence) / bounds.sides
    low = float(np.quantile(np.where(np.isnan(draws), span[0], draws), tail))
    high = float(np.quantile(np.where(np.isnan(draws), span[1], draws), 1 - tail))
    sensitivity = np.array([calibration.found / calibration.positives])
    specificity = np.array([calibration.passed / calibration.negatives])
    value = float(_right(seen, sensitivity, specificity).mean())  # NaN where nothing tells
    value = min(span[1], max(span[0], value)) if math.isfinite(value) else math.nan
    return Interval(value=value, low=low, high=high, n=len(seen), method=method)


def _right(kinds: Floats, sensitivity: Floats, specificity: Floats) -> Floats:
    """Of each kind, whether all is right, corrected: `[R, K]`; less the second four columns."""
    power = sensitivity + specificity - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        flagged = np.where(power > 0, specificity / power, math.nan)[:, None]
        passed = np.where(power > 0, (specificity - 1) / power, math.nan)[:, None]
    parts = (flagged, passed, 1 - flagged, 1 - passed)
    shares = [
        np.prod([part ** kinds[None, :, at + place] for place, part in enumerate(parts)], axis=0)
        for at in range(0, kinds.shape[1], 4)
    ]
    found: Floats = shares[0] - shares[1] if len(shares) == 2 else shares[0]
    return found
