"""What others do in a scenario of `gate_scenarios.py`, drawn with the model that is no better.

None of it is the gate's. Each shows how often noise would ship: the bar of 5.5 % is not theirs.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from gate_drawn import (
    EQUAL,
    F1,
    LABELS,
    LOOKS,
    RIGHT,
    Contrast,
    Draw,
    bounds,
    names,
    outcome,
    paired,
    pairs_of,
)
from numpy.typing import NDArray

from tutelage.core.detected import Calibration
from tutelage.core.intervals import Interval, micro_f1, standard_error, wilson
from tutelage.core.quantiles import student_t
from tutelage.core.rule import Rule, decide
from tutelage.core.shares import clopper_pearson
from tutelage.score.measure import Pairs, counts_of, difference


def higher_mean(wins: float, losses: float, n: int) -> Contrast:
    """The new model ships because its mean is higher."""

    def opens(draw: Draw) -> bool:
        first, second = paired(draw, wins, losses, n)
        return int(first.sum()) > int(second.sum())

    return Contrast(says="ships where the mean is higher", opens=opens)


def wilson_bound(rule: Rule, share: float, n: int) -> Contrast:
    """Wilson's bound in the place of the exact one."""

    def opens(draw: Draw) -> bool:
        return outcome(rule, wilson(int(draw.binomial(n, share)), n, sides=1)) == "pass"

    return Contrast(says="Wilson's bound instead of the exact one", opens=opens)


def plain_t(rule: Rule, wins: float, losses: float, n: int) -> Contrast:
    """Student's t of right-or-wrong differences."""

    def opens(draw: Draw) -> bool:
        first, second = paired(draw, wins, losses, n)
        return t_bound(first.astype(float) - second, rule)

    return Contrast(says="Student's t of the paired difference", opens=opens)


def t_bound(differences: NDArray[np.float64], rule: Rule) -> bool:
    """Whether the lower bound of plain t is on the rule's right side."""
    reach = student_t(0.95, len(differences) - 1) * standard_error(differences)
    return float(differences.mean()) - reach >= rule.threshold


def each_task_alone(found: Pairs, draw: Draw) -> bool:
    """Clusters are not looked at."""
    alone = Pairs(
        tasks=found.tasks, first=found.first, second=found.second, clusters=names(len(found.tasks))
    )
    return outcome(EQUAL, difference(RIGHT, alone, draw, 1)) == "pass"


def pooled(scores: NDArray[np.float64]) -> bool:
    """Every answer of every training counts as a task of its own."""
    return t_bound(scores.ravel(), EQUAL)


def tested_apart(rule: Rule, found: dict[str, Interval]) -> bool:
    """A family fails where any slice does, without regard to how many there are."""
    return any(decide(rule, bounds(one)).outcome == "fail" for one in found.values())


def plain_looks() -> Contrast:
    """An exact test of so many labels as there are, at every look."""

    @cache
    def above(won: int, n: int) -> bool:
        return clopper_pearson(won, n, sides=1).low > 0.5

    def opens(draw: Draw) -> bool:
        wins = np.cumsum(draw.random(LABELS) < 0.5)[LOOKS - 1 :: LOOKS].tolist()
        return any(above(won, LOOKS * look) for look, won in enumerate(wins, 1))

    return Contrast(says="the exact test of a fixed n, at every look", opens=opens)


def chosen_on_the_test(skills: NDArray[np.float64], losses: float, n: int) -> Contrast:
    """The best of the checkpoints on the test tasks, judged on the same ones."""
    base, alone = 0.54, names(n)

    def opens(draw: Draw) -> bool:
        second = draw.random(n) < base
        u = draw.random((len(skills), n))
        first = np.where(second, u > losses / base, u < skills[:, None] / (1 - base))
        best = int(first.sum(1).argmax())
        found = difference(RIGHT, pairs_of(first[best], second, alone), draw, 1)
        return outcome(EQUAL, found) == "pass"

    return Contrast(says="the best of 10 on the test tasks, judged on the same ones", opens=opens)


def errors_taken_as_known(rule: Rule, flagged: int, n: int, seen: Calibration) -> bool:
    """The bound of what is flagged, corrected as if the labels told the errors exactly."""
    sensitivity = seen.found / seen.positives
    specificity = seen.passed / seen.negatives
    high = clopper_pearson(flagged, n, sides=1).high
    return (high + specificity - 1) / (sensitivity + specificity - 1) <= rule.threshold


def higher_f1(pairs: Pairs) -> bool:
    """The new model ships because its F1 is higher."""
    one, two = (
        float(micro_f1(counts_of(F1, rows).sum(0)[None, :])[0])
        for rows in (pairs.first, pairs.second)
    )
    return math.isfinite(one) and one > two
