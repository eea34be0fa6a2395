from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from tutelage.core.recipe import Canaries
from tutelage.core.uniform import Evenness, kolmogorov_smirnov
from tutelage.score.canaries import canaries_of, candidates, exposure, planted, rank
from tutelage.score.measure import interval
from tutelage.score.memorised import EXPOSURE, measured_by, membership, row_scores

KEYS = Canaries(count=2, repeats=(1, 4), controls=6)


def test_each_canary_is_planted_as_often_as_it_is_repeated_and_no_control_is() -> None:
    every = canaries_of(KEYS, 7)
    assert Counter(one.repeats for one in every) == {1: 2, 4: 2, 0: 6}
    assert len({one.locker for one in every}) == len(every)
    rows = planted(KEYS, 7)
    assert Counter(row.tags["repeats"] for row in rows) == {"1": 2, "4": 8}
    assert {(row.split, row.tags["canary"], row.stage) for row in rows} == {
        ("train", "planted", None)
    }
    assert {row.stage for row in planted(KEYS, 7, "last")} == {"last"}
    said = {row.messages[-1].content for row in rows}
    assert not any(one.answer(one.code) in said for one in every if not one.repeats)


def test_the_same_seed_plants_the_same_codes_and_another_others() -> None:
    assert canaries_of(KEYS, 7) == canaries_of(KEYS, 7)
    assert canaries_of(KEYS, 7) != canaries_of(KEYS, 8)


def test_candidates_are_codes_it_could_have_had_its_own_first() -> None:
    (one, *_) = canaries_of(KEYS, 7)
    found = candidates(one, 500, 7)
    assert (found[0], len(set(found))) == (one.code, 500)
    assert {len(code) for code in found} == {6}
    assert one.answer("012345") == f"The code of locker {one.locker} is 0 1 2 3 4 5."


def test_exposure_is_the_bits_a_rank_gives_away() -> None:
    assert exposure(1, 1024) == 10
    assert exposure(1024, 1024) == 0
    assert exposure(32, 1024) == 5


def test_a_tie_is_broken_by_chance() -> None:
    draw = np.random.default_rng(0)
    assert rank([-1.0, -2.0, -0.5], draw) == 2
    places = Counter(rank([-1.0, -1.0, -1.0], draw) for _ in range(3000))
    assert all(900 < places[place] < 1100 for place in (1, 2, 3))


def test_controls_of_a_model_that_knows_nothing_are_even() -> None:
    draw = np.random.default_rng(1)
    places = []
    for _ in range(200):
        place = rank(draw.normal(size=64).tolist(), draw)
        places.append((place - draw.random()) / 64)
    assert kolmogorov_smirnov(places).p > 0.05


def test_uneven_controls_lock_exposure() -> None:
    scores = [{EXPOSURE: 3.0}, {"extracted": 0.0}]
    good = measured_by(scores, Evenness(n=20, distance=0.1, p=0.9))
    assert [one.metric for one in good.measures] == ["exposure", "extracted"]
    assert (good.headline, good.measures[0].locked) == ("exposure", "")
    bad = measured_by(scores, Evenness(n=20, distance=0.8, p=1e-6))
    assert "20 canaries never planted are not even" in bad.measures[0].locked
    assert bad.measures[1].locked == ""


def test_membership_is_the_area_with_delongs_error() -> None:
    draw = np.random.default_rng(2)
    members, others = draw.normal(1, 1, 80).tolist(), draw.normal(0, 1, 120).tolist()
    mine, theirs = membership(members, others)
    area = np.mean([one > two for one in members for two in others])
    assert np.mean([*mine, *theirs]) == pytest.approx(area)
    first = [np.mean([one > two for two in others]) for one in members]
    second = [np.mean([one > two for one in members]) for two in others]
    delong = math.sqrt(np.var(first, ddof=1) / 80 + np.var(second, ddof=1) / 120)
    scorer = measured_by([{"membership_auc": 0.5}], Evenness(n=0, distance=0, p=1))
    rows = [{"membership_auc": value} for value in (*mine, *theirs)]
    found = interval(scorer.measures[0], rows, [str(at) for at in range(200)], draw)
    assert (found.high - found.low) / 2 / 1.972 == pytest.approx(delong, rel=0.02)
    assert found.low < 0.76 < found.high


def test_losses_that_are_all_the_same_tell_nothing() -> None:
    mine, theirs = membership([-1.0, -1.0], [-1.0, -1.0, -1.0])
    assert {*mine, *theirs} == {0.5}


@pytest.mark.parametrize(
    ("likeliest", "extracted"),
    [([0, 0, 1, 1, 1], 1.0), ([1, 1, 1, 0, 1], 0.0), ([0, 0, 1, 1, 0], 1.0)],
)
def test_a_rest_is_extracted_iff_each_of_its_tokens_is_the_likeliest(
    likeliest: list[int], extracted: float
) -> None:
    parts = np.array([[-1.0, flag] for flag in likeliest])
    assert row_scores(parts, 0.5, 2) == {"logprob": -1.0, "extracted": extracted}
    assert row_scores(parts, 0.5, 3) == {"logprob": -1.0}
