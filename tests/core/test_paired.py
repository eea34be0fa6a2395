from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tutelage.core.paired import paired_t, permutation


def test_paired_t_agrees_with_scipy() -> None:
    values = [0.1, -0.2, 0.4, 0.3, 0.05, 0.2]
    assert paired_t(values) == pytest.approx(float(stats.ttest_1samp(values, 0).pvalue))
    assert paired_t([0.0] * 40) == 1.0
    copies = np.repeat(values, 5)
    assert paired_t(copies, np.repeat(range(6), 5)) == pytest.approx(paired_t(values))


def test_few_signs_are_all_tried() -> None:
    draw = np.random.default_rng(0)
    values = [0.1, -0.2, 0.4, 0.3, 0.05, 0.2]
    exact = stats.permutation_test(
        (np.array(values),),
        lambda x, axis: np.sum(x, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert permutation(values, draw) == pytest.approx(float(exact.pvalue))
    assert permutation([0.0, 0.0], draw) == 1.0
    assert permutation([1.0] * 5, draw) == 2 / 2**5


def test_many_signs_are_drawn_and_clusters_turn_together() -> None:
    draw = np.random.default_rng(0)
    values = np.random.default_rng(5).normal(0.3, 1, 60)
    assert permutation(values, draw) == pytest.approx(paired_t(values), abs=0.02)
    assert permutation([1.0] * 20, draw, [number // 10 for number in range(20)]) == 0.5
    assert permutation(np.ones(40), draw) == pytest.approx(1 / 20_001)


def test_differences_that_all_agree_are_told_apart_by_their_signs() -> None:
    assert paired_t([0.5, 0.5]) == 0.5
    assert paired_t([1.0] * 40) == 2.0**-39
    assert paired_t([-1.0] * 40, [number // 10 for number in range(40)]) == 2.0**-3
    assert paired_t([1.0] * 10, ["one"] * 10) == 1.0
    draw = np.random.default_rng(0)
    assert paired_t([0.3] * 9) == permutation([0.3] * 9, draw)
