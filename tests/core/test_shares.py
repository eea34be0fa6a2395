from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from tutelage.core.quantiles import beta_quantile, t_below
from tutelage.core.shares import (
    clopper_pearson,
    paired_share_difference,
    score_bound,
    share_interval,
)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (3, 7), (300, 2), (1, 2995)])
@pytest.mark.parametrize("probability", [0.025, 0.5, 0.95])
def test_quantiles_of_beta_agree_with_scipy(probability: float, a: float, b: float) -> None:
    expected = float(stats.beta.ppf(probability, a, b))
    assert beta_quantile(probability, a, b) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("value", [-3.0, -0.2, 0.0, 1.5])
def test_the_distribution_of_t_agrees_with_scipy(value: float) -> None:
    assert t_below(value, 7) == pytest.approx(float(stats.t.cdf(value, 7)), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(0, 20), (1, 29), (81, 263), (148, 148)])
def test_clopper_pearson_agrees_with_scipy(successes: int, n: int) -> None:
    found = clopper_pearson(successes, n)
    exact = stats.binomtest(successes, n).proportion_ci(0.95, "exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize(("n", "bound"), [(299, 0.01), (2995, 0.001)])
def test_no_failure_in_so_many_bounds_the_rate(n: int, bound: float) -> None:
    assert clopper_pearson(0, n, sides=1).high <= bound
    assert clopper_pearson(0, n - 1, sides=1).high > bound


def test_a_rules_bound_of_a_share_lets_no_more_through_than_it_says() -> None:
    for n, threshold in ((25, 0.5), (100, 0.97), (300, 0.97), (90, 0.9)):
        passing = [
            k
            for k in range(n + 1)
            if share_interval([1.0] * k + [0.0] * (n - k), sides=1).low >= threshold
        ]
        assert stats.binom.pmf(passing, n, threshold).sum() <= 0.05


def test_a_rules_bound_of_paired_shares_lets_no_more_through_than_it_says() -> None:
    n = 40
    for margin, wins in ((0.0, 0.1), (-0.05, 0.0), (-0.1, 0.05), (0.1, 0.2)):
        losses = wins - margin if margin <= wins else 0.0
        chance = 0.0
        for w in range(n + 1):
            for lost in range(n + 1 - w):
                if score_bound(w, lost, n, sides=1) >= margin:
                    rest = 1 - wins - losses
                    counts, shares = [w, lost, n - w - lost], [wins, losses, rest]
                    chance += float(stats.multinomial.pmf(counts, n, shares))
        assert chance <= 0.05


def test_the_paired_score_interval_solves_its_equation() -> None:
    def score(difference: float) -> float:
        b, c, n = 9, 3, 44
        slope = (2 * n - b + c) * difference - b - c
        rest = -c * difference * (1 - difference)
        share = (np.sqrt(slope**2 - 8 * n * rest) - slope) / (4 * n)
        spread = np.sqrt(n * (2 * share + difference * (1 - difference)))
        return float((b - c - n * difference) / spread)

    z = float(stats.norm.ppf(0.975))
    low = brentq(lambda d: score(d) - z, -0.9, 0.1)
    high = brentq(lambda d: score(d) + z, 0.15, 0.9)
    first = [1.0] * 9 + [0.0] * 3 + [1.0] * 32
    second = [0.0] * 9 + [1.0] * 3 + [1.0] * 32
    found = paired_share_difference(first, second)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    assert (found.value, found.n, found.method) == (6 / 44, 44, "paired score")


def test_swapping_the_systems_turns_the_interval_round() -> None:
    first, second = [1.0, 1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0, 1.0]
    one, other = paired_share_difference(first, second), paired_share_difference(second, first)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_clusters_widen_a_paired_difference() -> None:
    first, second = [1.0] * 12 + [0.0] * 28, [0.0] * 40
    alone = paired_share_difference(first, second, sides=1)
    groups = [number // 4 for number in range(40)]
    found = paired_share_difference(first, second, groups, sides=1)
    assert found.low < alone.low < found.value < alone.high < found.high
    assert found.method == "clustered paired score one-sided"
    with pytest.raises(ValueError, match="equal counts"):
        paired_share_difference([1.0], [])
    assert paired_share_difference([], []).n == 0
