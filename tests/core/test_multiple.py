from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tutelage.core.multiple import benjamini_hochberg, holm


def test_holm_multiplies_by_the_tests_left() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_benjamini_hochberg_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).random(30) ** 2
    expected = stats.false_discovery_control(values, method="bh")
    assert benjamini_hochberg(values.tolist()) == pytest.approx(expected.tolist())


def test_holm_errs_in_one_family_of_twenty_and_plain_tests_in_one_of_two() -> None:
    draws = np.random.default_rng(2).random((4000, 12))
    plain = (draws.min(1) <= 0.05).mean()
    corrected = np.mean([min(holm(row)) <= 0.05 for row in draws.tolist()])
    assert plain > 0.4
    assert corrected == pytest.approx(0.05, abs=0.012)
