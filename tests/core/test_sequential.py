from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tutelage.core.sequential import (
    chance_to_tell,
    log_e_value,
    log_two_sided,
    mean_at_every_look,
    preference,
)


def test_the_two_sided_evidence_is_the_beta_binomials() -> None:
    for wins, losses in ((0, 0), (7, 3), (60, 40)):
        n = wins + losses
        mixture = stats.betabinom.pmf(wins, n, 1, 1)
        expected = math.log(mixture / stats.binom.pmf(wins, n, 0.5))
        assert log_two_sided(wins, losses) == pytest.approx(expected)


@pytest.mark.parametrize("truth", [0.5, 0.4])
def test_evidence_for_more_than_half_has_a_mean_of_at_most_one_where_it_is_not(
    truth: float,
) -> None:
    for n in (1, 5, 40):
        chances = stats.binom.pmf(range(n + 1), n, truth)
        mean = sum(p * math.exp(log_e_value(k, n - k)) for k, p in enumerate(chances))
        assert mean <= 1 + 1e-9


def test_looking_all_the_time_rarely_fools_and_tells_a_real_preference() -> None:
    assert chance_to_tell(0.5, every=10, most=500) < 0.03
    assert chance_to_tell(0.6, every=10, most=500) > 0.9
    assert chance_to_tell(0.6, every=10, most=100) < chance_to_tell(0.6, every=10, most=200)


def test_the_chance_to_tell_is_that_of_paths_drawn() -> None:
    draw = np.random.default_rng(3)
    told = 0
    for _ in range(2000):
        wins = np.cumsum(draw.random(100) < 0.65)[19::20].tolist()
        told += any(preference(w, 20 * i - w).outcome == "better" for i, w in enumerate(wins, 1))
    assert told / 2000 == pytest.approx(chance_to_tell(0.65, every=20, most=100), abs=0.03)


def test_a_preference_says_which_way_and_how_sure() -> None:
    better, worse, nothing = preference(60, 20), preference(20, 60), preference(0, 0)
    assert (better.outcome, worse.outcome, nothing.outcome) == ("better", "worse", "open")
    assert better.e_value > 20 > worse.e_value
    assert better.low > 0.5 > worse.high
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    assert preference(11, 9).outcome == "open"
    assert preference(11, 9).low < 0.55 < preference(11, 9).high


def test_a_mean_looked_at_all_the_time_rarely_fools_and_is_found() -> None:
    draw = np.random.default_rng(1)
    told = found = 0
    for _ in range(200):
        scores = draw.choice([0.0, 0.5, 1.0], 300)
        better = draw.random(300) < 0.65
        looks = range(10, 301, 10)
        told += any(mean_at_every_look(scores[:n], sides=1).low > 0.5 for n in looks)
        found += any(mean_at_every_look(better[:n], sides=1).low > 0.5 for n in looks)
    assert told <= 12  # of 200, where 5 % may be
    assert found >= 180


def test_a_cluster_has_one_voice_at_every_look() -> None:
    draw = np.random.default_rng(2)
    told = 0
    for _ in range(200):
        authors = np.repeat(np.arange(30), 10)
        scores = np.repeat(draw.random(30) < 0.5, 10).astype(float)
        told += any(
            mean_at_every_look(scores[:n], authors[:n], sides=1).low >= 0.5
            for n in range(10, 301, 10)
        )
    assert told <= 12


def test_bounds_at_every_look_lie_on_both_sides_of_the_mean() -> None:
    found = mean_at_every_look([1.0] * 30 + [0.0] * 10)
    assert found.low < 0.75 < found.high
    apart = mean_at_every_look([1.0] * 30 + [-1.0] * 10, span=(-1.0, 1.0))
    assert (apart.low, apart.high) == pytest.approx((2 * found.low - 1, 2 * found.high - 1))
    assert mean_at_every_look([1.0] * 40, sides=1).low > 0.8
    assert (mean_at_every_look([]).low, mean_at_every_look([]).high) == (0.0, 1.0)
