"""Statistics of counts that are summed over answers before anything is divided."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BLEU_ORDER = 4
BETA = 2.0  # recall counts twice as much as precision in chrF
TINY = 1e-16
LARGEST = 700.0  # nats a unit; e to more is no number


def part(sums: Floats) -> Floats:
    """What is right of what there was; 1 where there was nothing.

    Shapes: sums `[R, 2]`, columns right, all; returns `[R]`.
    """
    right, every = sums[:, 0], sums[:, 1]
    return np.where(every > 0, right / np.maximum(every, 1e-300), 1.0)


def bleu(sums: Floats) -> Floats:
    """BLEU in [0, 1], orders 1 to 4, missing orders smoothed by halves.

    Shapes: sums `[R, 10]`, columns length of the answer, length of the closest
        reference, matches of each order, n-grams of each order; returns `[R]`.
    Source: Papineni et al., "BLEU", 2002; smoothing 3 of Chen & Cherry, "A systematic
        comparison of smoothing techniques for sentence-level BLEU", 2014.
    """
    matched, given = sums[:, 2 : 2 + BLEU_ORDER], sums[:, 2 + BLEU_ORDER :]
    whole = (matched.sum(1) > 0) & (given > 0).all(1)
    return np.where(whole, _brevity(sums) * _precision(matched, given, given > 0), 0.0)


def bleu_of_one(counts: Floats) -> float:
    """BLEU of one answer: orders it is too short for are left out of the mean."""
    sums = counts[None, :]
    matched, given = sums[:, 2 : 2 + BLEU_ORDER], sums[:, 2 + BLEU_ORDER :]
    if matched.sum() == 0:
        return 0.0
    return float((_brevity(sums) * _precision(matched, given, given > 0))[0])


def _brevity(sums: Floats) -> Floats:
    length, reference = sums[:, 0], sums[:, 1]
    short = (length < reference) & (length > 0)
    penalty = np.exp(1 - reference / np.where(short, length, 1.0).clip(1e-300))
    shorter: Floats = np.where(short, penalty, np.where(length > 0, 1.0, 0.0))
    return shorter


def _precision(matched: Floats, given: Floats, used: NDArray[np.bool_]) -> Floats:
    """Geometric mean over the orders used; an order without a match has half the last's."""
    missing = (matched == 0) & used
    halves = 2.0 ** np.cumsum(missing, axis=1)
    share = np.where(missing, 1 / halves, matched) / np.maximum(given, 1e-300)
    logs = np.where(used, np.log(np.maximum(share, 1e-300)), 0.0)
    mean: Floats = np.exp(logs.sum(1) / np.maximum(used.sum(1), 1))
    return mean


def chrf(sums: Floats) -> Floats:
    """chrF in [0, 1]: F of the mean precision and recall over all orders there are.

    Shapes: sums `[R, 3 n]`, for each order the answer's n-grams, the reference's and
        those they share; returns `[R]`.
    Source: Popović, "chrF", 2015; "chrF++", 2017.
    """
    orders = sums.reshape(len(sums), -1, 3)
    given, wanted, shared = orders[:, :, 0], orders[:, :, 1], orders[:, :, 2]
    both = (given > 0) & (wanted > 0)
    count = np.maximum(both.sum(1), 1)
    precision = (np.where(both, shared / np.maximum(given, 1), 0.0)).sum(1) / count
    recall = (np.where(both, shared / np.maximum(wanted, 1), 0.0)).sum(1) / count
    below = BETA**2 * precision + recall
    return np.where(below > 0, (1 + BETA**2) * precision * recall / np.maximum(below, TINY), 0.0)


def perplexity(sums: Floats) -> Floats:
    """e to the mean negative log-probability.

    Shapes: sums `[R, 2]`, columns negative log-probability in nats, tokens (or words,
        or bytes); returns `[R]`.
    """
    scored: Floats = np.exp(np.minimum(per_unit(sums), LARGEST))
    return scored


def bits(sums: Floats) -> Floats:
    """Bits for each unit.

    Shapes: sums `[R, 2]`, columns nats, units; returns `[R]`.
    """
    return per_unit(sums) / math.log(2)


def per_unit(sums: Floats) -> Floats:
    """The first column for each of the second; NaN where there is none."""
    amount, units = sums[:, 0], sums[:, 1]
    return np.where(units > 0, amount / np.where(units > 0, units, 1.0), math.nan)


def precision(sums: Floats) -> Floats:
    """Hits of what is predicted; where nothing is, 1 iff nothing is expected."""
    hits, predicted, expected = sums[:, 0], sums[:, 1], sums[:, 2]
    return np.where(predicted > 0, hits / np.maximum(predicted, 1e-300), expected == 0)


def recall(sums: Floats) -> Floats:
    """Hits of what is expected; where nothing is, 1 iff nothing is predicted."""
    return precision(sums[:, [0, 2, 1]])


def macro_f1(sums: Floats) -> Floats:
    """Mean over labels of F1.

    Shapes: sums `[R, 3 L]`, hits of every label, then predicted, then expected.
    """
    by_label = sums.reshape(len(sums), 3, -1)
    hits, predicted, expected = by_label[:, 0], by_label[:, 1], by_label[:, 2]
    present = expected > 0  # a label that a resample leaves out has no F1 in it
    f1 = 2 * hits / np.maximum(predicted + expected, 1e-300)
    scored: Floats = (f1 * present).sum(1) / np.maximum(present.sum(1), 1)
    return scored
