from __future__ import annotations

import numpy as np
import pytest

from tutelage.core.winning import Compared, controlled_difference, length_controlled
from tutelage.score.measure import Pairs, difference, interval
from tutelage.score.preference import PairNames, pair_measures, pair_scores
from tutelage.score.rating import Rating

NAMES = PairNames(by="j")
WIN, CONTROLLED = pair_measures(NAMES, "j prefers it")


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def drawn(n: int, strength: float, slope: float, draw: np.random.Generator) -> Compared:
    """Comparisons in which length counts, too."""
    longer = draw.normal(100, 200, n)
    taste = np.tanh(longer / np.sqrt((longer**2).mean()))
    wins = draw.random(n) < 1 / (1 + np.exp(-(strength + slope * taste)))
    return Compared(scores=wins.astype(float).tolist(), longer=longer.tolist())


def test_a_rule_is_rarely_opened_by_chance() -> None:
    draw, opened, draws = generator(), 0, 250
    for _ in range(draws):
        found = length_controlled(drawn(60, 0.8, 1.0, draw), np.arange(60), draw, sides=1)
        opened += found.low > 1 / (1 + np.exp(-0.8))
    assert opened / draws <= 0.055


def test_a_few_wins_in_a_row_are_no_certainty() -> None:
    every = Compared(scores=[1.0] * 12, longer=list(range(12)))
    found = length_controlled(every, np.arange(12), generator(), sides=1)
    assert found.value > 0.99
    assert found.low == pytest.approx(0.05 ** (1 / 12), abs=0.01)
    assert found.method.endswith(" one-sided")
    none = length_controlled(Compared(scores=[], longer=[]), [], generator())
    assert (none.n, none.low, none.high) == (0, 0.0, 1.0)


def test_two_systems_that_were_compared_differ_by_what_one_wins_beyond_half() -> None:
    first = drawn(80, 0.7, 1.0, generator())
    second = Compared(
        scores=[1 - one for one in first.scores], longer=[-one for one in first.longer]
    )
    clusters = np.arange(80) // 2
    rate = length_controlled(first, clusters, generator())
    apart = controlled_difference(first, second, clusters, generator())
    assert apart.value == pytest.approx(2 * rate.value - 1, abs=1e-6)
    assert apart.low == pytest.approx(2 * rate.low - 1, abs=1e-4)
    assert apart.high == pytest.approx(2 * rate.high - 1, abs=1e-4)


def test_clusters_are_left_out_together() -> None:
    some = drawn(100, 0.5, 0.5, generator())
    four = Compared(scores=[*some.scores] * 4, longer=[*some.longer] * 4)
    together = length_controlled(four, np.tile(np.arange(100), 4), generator())
    apart = length_controlled(four, np.arange(400), generator())
    assert together.high - together.low > 1.8 * (apart.high - apart.low)


def test_of_very_many_clusters_groups_are_left_out() -> None:
    some = drawn(3000, 0.5, 0.5, generator())
    found = length_controlled(some, np.arange(3000), generator())
    assert found.low < 1 / (1 + np.exp(-0.5)) < found.high
    assert found.high - found.low < 0.05


def test_ratings_become_scores_of_both_systems_and_metrics_of_samples() -> None:
    ratings = [
        Rating(rater="j", item=f"t/{n}", cluster=str(n), first="tuned", second="base",
               value=float(n % 3 > 0), swapped=turn, longer=10 * n - 50)
        for n in range(12) for turn in (False, True)
    ]  # fmt: skip
    scores = pair_scores(ratings, NAMES)
    assert scores["tuned"]["t/1"] == {"j_win_rate": 1.0, "j_longer": -40.0}
    assert scores["base"]["t/1"] == {"j_win_rate": 0.0, "j_longer": 40.0}
    first, second = (list(scores[system].values()) for system in ("tuned", "base"))
    clusters = tuple(map(str, range(12)))
    alone = interval(CONTROLLED, [*first, {}], [*clusters, "x"], generator())
    assert alone.n == 12
    assert alone.low < alone.value < alone.high < 1
    pairs = Pairs(tasks=clusters, first=first, second=second, clusters=clusters)
    both = difference(CONTROLLED, pairs, generator(), 1)
    assert both.value == pytest.approx(2 * alone.value - 1, abs=1e-6)
    assert both.method == "paired length-controlled jackknife one-sided"
    assert interval(WIN, first, clusters, generator()).value == pytest.approx(8 / 12)
