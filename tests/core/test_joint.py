from __future__ import annotations

import numpy as np
import pytest

from tutelage.core.detected import Calibration
from tutelage.core.joint import corrected_joint, corrected_joint_difference

SURE = Calibration(found=1_000_000, positives=1_000_000, passed=1_000_000, negatives=1_000_000)
RIGHT, LET, OVER, BOTH = (1, 0, 0, 1), (0, 1, 0, 1), (1, 0, 1, 0), (0, 1, 1, 0)


def draw() -> np.random.Generator:
    return np.random.default_rng(3)


def test_of_a_detector_that_never_errs_the_share_is_the_counted_one() -> None:
    found = corrected_joint([RIGHT] * 6 + [LET, OVER, BOTH, LET], SURE, draw())
    assert found.value == pytest.approx(0.6)
    assert found.n == 10
    assert 0.25 < found.low < 0.4 < 0.8 < found.high < 0.9


def test_the_correction_is_that_of_the_inverted_table() -> None:
    # of 100 pairs all right a detector that finds 90 % and passes 80 % sees 72 right
    seen = [RIGHT] * 72 + [LET] * 8 + [OVER] * 18 + [BOTH] * 2
    known = Calibration(found=90, positives=100, passed=80, negatives=100)
    assert corrected_joint(seen, known, draw()).value == pytest.approx(1.0)
    # of 100 that are let through and answered it sees 16 right, 64 let through, 4 over, 16 both
    seen = [RIGHT] * 16 + [LET] * 64 + [OVER] * 4 + [BOTH] * 16
    assert corrected_joint(seen, known, draw()).value == pytest.approx(0.0, abs=1e-9)


def test_none_and_all_stay_uncertain_and_nothing_is_told_without_labels() -> None:
    assert corrected_joint([RIGHT] * 20, SURE, draw()).low < 0.95
    assert corrected_joint([LET] * 20, SURE, draw()).high > 0.03
    blind = Calibration(found=5, positives=10, passed=5, negatives=10)
    assert np.isnan(corrected_joint([RIGHT] * 20, blind, draw()).value)
    none = Calibration(found=0, positives=0, passed=5, negatives=5)
    assert corrected_joint([RIGHT] * 20, none, draw()).n == 0
    assert corrected_joint([], SURE, draw()).n == 0


def test_a_difference_is_paired() -> None:
    first, second = [RIGHT] * 30 + [LET] * 10, [LET] * 20 + [RIGHT] * 20
    found = corrected_joint_difference((first, second), SURE, draw())
    assert found.value == pytest.approx(0.25)
    alike = corrected_joint_difference((first, first), SURE, draw())
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
        found = corrected_joint(counts, known, generator)
        held += found.low <= share <= found.high
    assert held >= 182
