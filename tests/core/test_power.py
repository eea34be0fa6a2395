from __future__ import annotations

import math

import pytest
from scipy import stats

from tutelage.core.power import (
    items_by_variance,
    items_for,
    power_of_mean,
    power_of_pairs,
    power_of_share,
)
from tutelage.core.shares import clopper_pearson, score_bound


@pytest.mark.parametrize(("distance", "n"), [(0.0, 20), (0.1, 30), (0.3, 12), (0.05, 400)])
def test_the_power_of_a_mean_is_noncentral_t(distance: float, n: int) -> None:
    needed, centre = stats.t.ppf(0.95, n - 1), distance * math.sqrt(n) / 0.4
    expected = float(stats.nct.sf(needed, n - 1, centre))
    assert power_of_mean(distance, 0.4, n) == pytest.approx(expected, abs=1e-4)


def test_clusters_tell_less_than_items() -> None:
    assert power_of_mean(0.1, 0.4, 60, freedom=5) < power_of_mean(0.1, 0.4, 60) - 0.03
    assert (power_of_mean(0.1, 0.4, 1), power_of_mean(0.1, 0.0, 5)) == (0.0, 1.0)


def test_the_power_of_a_share_is_that_of_its_exact_bound() -> None:
    n, share, threshold = 120, 0.95, 0.9
    expected = sum(
        float(stats.binom.pmf(k, n, share))
        for k in range(n + 1)
        if clopper_pearson(k, n, sides=1).low >= threshold
    )
    assert power_of_share(share, threshold, n) == pytest.approx(expected)
    assert power_of_share(0.8, 0.9, 100) == 0.0


def test_the_power_of_pairs_is_that_of_every_count() -> None:
    n, wins, losses, threshold = 25, 0.4, 0.1, 0.05
    expected = sum(
        float(stats.multinomial.pmf([w, lost, n - w - lost], n, [wins, losses, 0.5]))
        for w in range(n + 1)
        for lost in range(n + 1 - w)
        if score_bound(w, lost, n, sides=1) >= threshold
    )
    assert power_of_pairs(wins, losses, threshold, n) == pytest.approx(expected)


def test_the_items_needed_are_the_least_that_do() -> None:
    needed = items_for(lambda n: power_of_mean(0.1, 0.4, n))
    assert needed is not None
    assert power_of_mean(0.1, 0.4, needed) >= 0.8 > power_of_mean(0.1, 0.4, needed - 1)
    assert needed == pytest.approx(items_by_variance(0.1, 0.16), abs=3)
    assert items_for(lambda n: 0.5) is None
    assert items_for(lambda n: power_of_share(1.0, 0.99, n)) == 299
