from __future__ import annotations

import numpy as np
import pytest

from tutelage.core.bound import Bound
from tutelage.core.detected import Calibration
from tutelage.core.detecting import power_of_detected, power_of_joint
from tutelage.core.joint import corrected_joint

KINDS = [(1, 0, 0, 1), (0, 1, 0, 1), (1, 0, 1, 0), (0, 1, 1, 0)]


def test_more_labels_make_it_likelier_to_tell() -> None:
    chances = [
        power_of_detected(0.04, 0.1, 600, (labels, labels), (0.85, 0.92))
        for labels in (50, 200, 1000)
    ]
    assert chances == sorted(chances)
    assert chances[0] < 0.6 < 0.9 < chances[-1]


def test_more_pairs_and_more_labels_make_a_share_of_pairs_likelier_to_be_shown() -> None:
    chances = [
        power_of_joint((KINDS, [0.8, 0.1, 0.05, 0.05]), 0.72, n, (labels, 5 * labels), (0.95, 0.98))
        for n, labels in ((60, 20), (200, 20), (200, 100), (600, 100))
    ]
    assert chances == sorted(chances)
    assert chances[0] < 0.6 < 0.95 < chances[-1]


def test_many_labels_and_a_detector_without_errors_are_planned_for_as_well() -> None:
    many = power_of_joint((KINDS, [0.8, 0.1, 0.05, 0.05]), 0.7, 200, (4, 3000), (1.0, 0.98))
    assert 0.0 < many < 1.0
    assert power_of_detected(0.04, 0.1, 600, (3000, 3000), (0.85, 0.92)) > 0.9


def test_a_share_of_pairs_is_shown_as_often_as_planned() -> None:
    draw, n, labels, errs = np.random.default_rng(4), 100, (20, 60), (0.95, 0.97)
    seen = [0.75, 0.15, 0.06, 0.04]
    shown = 0
    for _ in range(120):
        known = Calibration(
            found=int(draw.binomial(labels[0], errs[0])),
            positives=labels[0],
            passed=int(draw.binomial(labels[1], errs[1])),
            negatives=labels[1],
        )
        rows = np.repeat(KINDS, draw.multinomial(n, seen), axis=0)
        shown += corrected_joint(rows.tolist(), known, draw, Bound(sides=1)).low >= 0.66
    planned = power_of_joint((KINDS, seen), 0.66, n, labels, errs)
    assert shown / 120 == pytest.approx(planned, abs=0.1)
