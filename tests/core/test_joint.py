from __future__ import annotations

import numpy as np
import pytest

from tutelage.core.bound import Bound
from tutelage.core.detected import Calibration
from tutelage.core.joint import (
    corrected,
    corrected_joint,
    corrected_joint_difference,
    extremes,
)

SHOWN, RULE = Bound(), Bound(sides=1)
SURE = Calibration(found=1_000_000, positives=1_000_000, passed=1_000_000, negatives=1_000_000)
RIGHT, LET, OVER, BOTH = (1, 0, 0, 1), (0, 1, 0, 1), (1, 0, 1, 0), (0, 1, 1, 0)


def draw() -> np.random.Generator:
    return np.random.default_rng(3)


def test_of_a_detector_that_never_errs_the_share_is_the_counted_one() -> None:
    found = corrected_joint([RIGHT] * 6 + [LET, OVER, BOTH, LET], SURE, draw(), SHOWN)
    assert found.value == pytest.approx(0.6)
    assert found.n == 10
    assert 0.25 < found.low < 0.4 < 0.8 < found.high < 0.9


def test_the_correction_is_that_of_the_inverted_table() -> None:
    # of 100 pairs all right a detector that finds 90 % and passes 80 % sees 72 right
    seen = [RIGHT] * 72 + [LET] * 8 + [OVER] * 18 + [BOTH] * 2
    known = Calibration(found=90, positives=100, passed=80, negatives=100)
    assert corrected_joint(seen, known, draw(), SHOWN).value == pytest.approx(1.0)
    # of 100 that are let through and answered it sees 16 right, 64 let through, 4 over, 16 both
    seen = [RIGHT] * 16 + [LET] * 64 + [OVER] * 4 + [BOTH] * 16
    assert corrected_joint(seen, known, draw(), SHOWN).value == pytest.approx(0.0, abs=1e-9)


def test_none_and_all_stay_uncertain_and_nothing_is_told_without_labels() -> None:
    assert corrected_joint([RIGHT] * 20, SURE, draw(), SHOWN).low < 0.95
    assert corrected_joint([LET] * 20, SURE, draw(), SHOWN).high > 0.03
    blind = Calibration(found=5, positives=10, passed=5, negatives=10)
    assert np.isnan(corrected_joint([RIGHT] * 20, blind, draw(), SHOWN).value)
    none = Calibration(found=0, positives=0, passed=5, negatives=5)
    assert corrected_joint([RIGHT] * 20, none, draw(), SHOWN).n == 0
    assert corrected_joint([], SURE, draw(), SHOWN).n == 0


def test_a_difference_is_paired() -> None:
    first, second = [RIGHT] * 30 + [LET] * 10, [LET] * 20 + [RIGHT] * 20
    found = corrected_joint_difference((first, second), SURE, draw(), SHOWN)
    assert found.value == pytest.approx(0.25)
    alike = corrected_joint_difference((first, first), SURE, draw(), SHOWN)
    assert alike.value == 0.0
    assert alike.low < 0.0 < alike.high
    assert alike.high - alike.low < found.high - found.low


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    sensitivity, specificity, share, n, labels, held = 0.9, 0.95, 0.7, 60, 150, 0
    for _ in range(200):
        right = generator.random(n) < share
        refused = np.where(generator.random(n) < 0.5, False, True) | right
        answered = ~refused | right  # one of both is wrong where not all is right
        flag = np.where(
            refused, generator.random(n) < sensitivity, generator.random(n) > specificity
        )
        safe = np.where(
            ~answered, generator.random(n) < sensitivity, generator.random(n) > specificity
        )
        known = Calibration(
            found=int(generator.binomial(labels, sensitivity)),
            positives=labels,
            passed=int(generator.binomial(labels, specificity)),
            negatives=labels,
        )
        counts = np.stack([flag, ~flag, safe, ~safe], axis=1).astype(float).tolist()
        found = corrected_joint(counts, known, generator, SHOWN)
        held += found.low <= share <= found.high
    assert held >= 182


KINDS = np.array([RIGHT, LET, OVER, BOTH])


@pytest.mark.parametrize(
    ("share", "errs"), [(0.60, (0.98, 0.98)), (0.95, (0.98, 0.98)), (0.04, (0.90, 0.95))]
)
def test_a_bound_for_a_rule_is_not_too_sure_of_few_labels(
    share: float, errs: tuple[float, float]
) -> None:
    generator, (sensitivity, specificity) = np.random.default_rng(12), errs
    refused, answered = (sensitivity, 1 - sensitivity), (1 - specificity, specificity)
    right, let = (np.outer(first, answered).ravel() for first in (refused, answered))
    chances = share * right + (1 - share) * let  # as counted: right, over, let, both
    over = np.zeros(2)
    for _ in range(400):
        known = Calibration(
            found=int(generator.binomial(20, sensitivity)),
            positives=20,
            passed=int(generator.binomial(180, specificity)),
            negatives=180,
        )
        both_ways = generator.multinomial(60, chances)[[1, 3, 0, 2]]
        groups = np.repeat(KINDS, both_ways, axis=0).tolist()
        found = corrected_joint(groups, known, generator, RULE)
        over += (found.low > share, found.high < share)
    assert (over / 400 <= 0.055).all()


def test_of_larger_groups_the_least_and_the_greatest_value_are_found() -> None:
    groups = np.array([[1, 2, 3, 1], [0, 1, 0, 4]], float)  # 3 and 4 outputs; 1 and 4
    rates = np.array([0.9]), np.array([0.8])
    every = np.array(
        [
            (one, size - one, two, more - two)
            for size, more in ((3, 4), (1, 4))
            for one in range(size + 1)
            for two in range(more + 1)
        ],
        float,
    )
    values = corrected(every, *rates)
    least, greatest = extremes(groups, *rates)
    assert (least[0], greatest[0]) == (pytest.approx(values.min()), pytest.approx(values.max()))
    paired = np.hstack([groups, groups])
    assert extremes(paired, *rates)[0][0] == pytest.approx(values.min() - values.max())


def test_a_difference_of_two_systems_on_other_groups_is_as_if_counted_by_hand() -> None:
    first, second = [RIGHT, LET, RIGHT, BOTH] * 10, [RIGHT, RIGHT, OVER, BOTH] * 10
    found = corrected_joint_difference((first, second), SURE, draw(), RULE)
    assert found.value == pytest.approx(0.0)
    assert found.method == "paired joint rogan-gladen bootstrap one-sided"
    assert found.low == pytest.approx(-found.high, abs=0.01)
    assert 0.15 < found.high < 0.22  # 10 wins, 10 losses of 40, and one pair more
