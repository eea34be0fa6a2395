"""A share of pairs, or larger groups, all of whose outputs are right, by a detector that errs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np

from tutelage.core.bound import Bound
from tutelage.core.detected import Calibration, Ends, between, drawn_errs, drawn_gap
from tutelage.core.intervals import RESAMPLES, Floats, Interval

# Of a group's outputs: those to be flagged that are, and are not; the others that are, and are not
Counts = Sequence[Sequence[float]]
EACH = 4  # counts of a group


def corrected_joint(
    groups: Counts, calibration: Calibration, generator: np.random.Generator, bound: Bound
) -> Interval:
    """The share of groups whose outputs are all what they should be.

    Corrected for each output, as in `rogan_gladen`, the product over a group's outputs is on
    average 1 where all are right and 0 elsewhere, if the detector errs on each by itself.
    Groups and calibration are drawn again, and one group more, which may be of any kind.

    Shapes: groups `[G, 4]`.
    Source: Rogan & Gladen, 1978, output by output; Gaffke, "Three test statistics for a
        nonparametric one-sided hypothesis on the mean of a nonnegative variable", 2005.
    """
    seen = np.asarray(groups, np.float64).reshape(-1, EACH)
    return _between(seen, calibration, generator, bound)


def corrected_joint_difference(
    groups: tuple[Counts, Counts],
    calibration: Calibration,
    generator: np.random.Generator,
    bound: Bound,
) -> Interval:
    """First minus second share, of two systems' outputs to the same groups."""
    seen = np.hstack([np.asarray(one, np.float64).reshape(-1, EACH) for one in groups])
    return _between(seen, calibration, generator, bound)


def _between(
    seen: Floats, calibration: Calibration, generator: np.random.Generator, bound: Bound
) -> Interval:
    paired = seen.shape[1] > EACH
    span = (-1.0, 1.0) if paired else (0.0, 1.0)
    method = bound.named(f"{'paired ' if paired else ''}joint rogan-gladen bootstrap")
    if not len(seen) or min(calibration.positives, calibration.negatives) == 0:
        return Interval(value=math.nan, low=span[0], high=span[1], n=0, method=method)
    low, high = between(_drawn(seen, calibration, generator, bound), span, bound)
    sensitivity = np.array([calibration.found / calibration.positives])
    specificity = np.array([calibration.passed / calibration.negatives])
    value = float(corrected(seen, sensitivity, specificity).mean())  # NaN where nothing tells
    value = min(span[1], max(span[0], value)) if math.isfinite(value) else math.nan
    return Interval(value=value, low=low, high=high, n=len(seen), method=method)


def _drawn(
    seen: Floats, calibration: Calibration, generator: np.random.Generator, bound: Bound
) -> Ends:
    """Shares that could have given what is seen, between the ends of all that is not known."""
    rows, times = np.unique(seen, axis=0, return_counts=True)
    weights = generator.standard_gamma(times[:, None].astype(np.float64), (len(rows), RESAMPLES))
    kinds, net = _net(rows)
    balance = net @ weights  # of each kind, the first system's less the second's
    gap, open_ = drawn_gap(generator, bound.sides)
    whole = weights.sum(0) + open_
    least: list[Floats] = []
    most: list[Floats] = []
    errs = drawn_errs(calibration, generator, bound.sides)
    for sensitivity, specificity in product(
        *(ends if bound.sides == 1 else ends[:1] for ends in errs)
    ):
        summed = (balance * corrected(kinds, sensitivity, specificity)).sum(0)
        worst, best = extremes(rows, sensitivity, specificity)
        for part, found in zip(gap, (least, most), strict=True):
            found.append((summed + part * best + (open_ - part) * worst) / whole)
    return Ends(np.min(least, axis=0), np.max(most, axis=0))  # NaN where one of them is


def _net(rows: Floats) -> tuple[Floats, Floats]:
    """The kinds of group, of one system alone, and in which rows each stands: `[K, rows]`.

    1 where the first system has it, -1 where the second has, 0 where both or none have.
    """
    halves = rows.reshape(-1, EACH)
    kinds, place = np.unique(halves, axis=0, return_inverse=True)
    net = np.zeros((len(kinds), len(rows)))
    signs = np.resize([1.0, -1.0][: rows.shape[1] // EACH], len(halves))
    np.add.at(
        net, (place.ravel(), np.repeat(np.arange(len(rows)), len(halves) // len(rows))), signs
    )
    return kinds, net


def corrected(kinds: Floats, sensitivity: Floats, specificity: Floats) -> Floats:
    """Of each kind, whether all is right, corrected: `[K, R]`; less the second four columns."""
    first = _product(kinds[:, :EACH], sensitivity, specificity)
    if kinds.shape[1] == EACH:
        return first
    return first - _product(kinds[:, EACH:], sensitivity, specificity)


def _product(kinds: Floats, sensitivity: Floats, specificity: Floats) -> Floats:
    """The product over a group's outputs of whether each is right, corrected: `[K, R]`."""
    power = sensitivity + specificity - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        flagged = np.where(power > 0, specificity / power, math.nan)
        passed = np.where(power > 0, (specificity - 1) / power, math.nan)
    found = np.ones((len(kinds), len(power)))
    for place, part in enumerate((flagged, passed, 1 - flagged, 1 - passed)):
        for count in set(kinds[:, place].astype(int).tolist()) - {0}:
            found[kinds[:, place] == count] *= part**count
    return found


def extremes(kinds: Floats, sensitivity: Floats, specificity: Floats) -> tuple[Floats, Floats]:
    """The least and the greatest value a group of these sizes could have: `[R]` each."""
    ends = []
    for at in range(0, kinds.shape[1], EACH):
        sizes = np.unique(kinds[:, at : at + EACH : 2] + kinds[:, at + 1 : at + EACH : 2], axis=0)
        possible = [
            (first, one - first, second, two - second)
            for one, two in sizes.tolist()
            # its parts grow or shrink with every output flagged, and change sign with each
            for first in {0, 1, one - 1, one} & {*range(int(one) + 1)}
            for second in {0, 1, two - 1, two} & {*range(int(two) + 1)}
        ]
        values = _product(np.array(possible, np.float64), sensitivity, specificity)
        ends.append((values.min(0), values.max(0)))
    if len(ends) == 1:
        return ends[0]
    (worst, best), (other_worst, other_best) = ends
    return worst - other_best, best - other_worst
