from __future__ import annotations

import math
import time

import numpy as np
import pytest
from scipy import stats

from tutelage.core.intervals import (
    Floats,
    clustered_error,
    mean_interval,
    micro_f1,
    paired_difference,
    paired_ratio_interval,
    ratio_interval,
    standard_error,
    sum_by_cluster,
    wilson,
)
from tutelage.core.quantiles import student_t
from tutelage.core.shares import mcnemar


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_agrees_with_published_intervals(
    successes: int, n: int, low: float, high: float
) -> None:
    interval = wilson(successes, n)
    assert (round(interval.low, 4), round(interval.high, 4)) == (low, high)


def test_a_one_sided_bound_is_that_of_a_two_sided_interval_of_90_percent() -> None:
    alone, both = wilson(81, 263, sides=1), wilson(81, 263, confidence=0.9)
    assert (alone.low, alone.high) == (both.low, both.high)
    assert (alone.method, both.method) == ("wilson one-sided", "wilson")


def test_wilson_of_nothing_excludes_nothing() -> None:
    interval = wilson(0, 0)
    assert (interval.low, interval.high, interval.n) == (0.0, 1.0, 0)
    assert math.isnan(interval.value)


def test_wilson_reaches_the_edges_exactly() -> None:
    assert wilson(7, 7).high == 1.0
    assert wilson(0, 7).low == 0.0


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 30, 200, 5000])
@pytest.mark.parametrize("probability", [0.6, 0.95, 0.975, 0.9995, 0.25])
def test_quantiles_of_t_agree_with_scipy(probability: float, freedom: int) -> None:
    assert student_t(probability, freedom) == pytest.approx(
        float(stats.t.ppf(probability, freedom)), rel=1e-9
    )


def test_t_with_many_degrees_is_the_normal_and_senseless_ones_are_refused() -> None:
    assert student_t(0.975, 1e9) == pytest.approx(1.959963985, rel=1e-8)
    with pytest.raises(ValueError, match="no quantile"):
        student_t(1.0, 3)


def test_mean_interval_agrees_with_scipy() -> None:
    scores = [0.2, 0.5, 0.9, 0.4, 0.6, 0.55]
    low, high = stats.t.interval(0.95, 5, np.mean(scores), stats.sem(scores))
    interval = mean_interval(scores)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert standard_error(scores) == pytest.approx(float(stats.sem(scores)))


def test_clusters_of_one_give_the_plain_error_and_copies_add_nothing() -> None:
    scores = [0.0, 1.0, 1.0, 0.0, 1.0]
    plain = standard_error(scores)
    assert clustered_error(scores, range(5)) == pytest.approx(plain)
    copies = np.repeat(scores, 10)
    assert clustered_error(copies, np.repeat(range(5), 10)) == pytest.approx(plain)
    assert standard_error(copies) < plain / 2
    wide = mean_interval(copies, np.repeat(range(5), 10))
    assert wide.high - wide.low > 2 * (mean_interval(copies).high - mean_interval(copies).low)
    assert wide.method == "clustered t"


def test_scores_that_all_agree_do_not_claim_certainty() -> None:
    few, many = mean_interval([1.0] * 5), mean_interval([1.0] * 500)
    assert few.low == pytest.approx(wilson(5, 5).low)
    assert few.low < 0.6 < 0.99 < many.low
    same = paired_difference([1.0] * 5, [1.0] * 5)
    assert same.low < -0.4
    assert same.high > 0.4
    alone = mean_interval([0.3, 0.4, 0.9], ["a", "a", "a"])
    assert alone.low < 0.15
    assert mean_interval([]).n == 0


def test_pairing_is_narrower_than_two_systems_apart() -> None:
    # GSM8K, 175B fine-tuned against 6B with verifier: 1,319 items, disagreements 209 and 152
    first = np.r_[np.ones(209), np.zeros(152), np.ones(249), np.zeros(709)]
    second = np.r_[np.zeros(209), np.ones(152), np.ones(249), np.zeros(709)]
    interval = paired_difference(first, second)
    assert interval.value == pytest.approx((209 - 152) / 1319)
    error = (interval.high - interval.low) / 2 / student_t(0.975, 1318)
    assert error == pytest.approx(0.0144, abs=5e-5)
    assert interval.method == "paired t"
    assert interval.low > 0
    with pytest.raises(ValueError, match="equal counts"):
        paired_difference([1.0], [1.0, 0.0])


def test_mcnemar_agrees_with_the_exact_binomial() -> None:
    assert mcnemar(209, 152) == pytest.approx(0.0031507, abs=5e-8)
    assert mcnemar(3, 12) == pytest.approx(float(stats.binomtest(3, 15).pvalue))
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 0) == 1.0


def test_micro_f1_is_of_the_sums() -> None:
    sums = np.array([[8.0, 10.0, 16.0], [0.0, 0.0, 0.0], [0.0, 3.0, 1.0]])
    assert micro_f1(sums).tolist() == pytest.approx([16 / 26, 1.0, 0.0])


def test_counts_of_one_cluster_are_summed() -> None:
    counts = np.array([[1, 2], [3, 4], [5, 6]])
    assert sum_by_cluster(counts, ["b", "a", "b"]).tolist() == [[3, 4], [6, 8]]


def shares(sums: Floats) -> Floats:
    return np.divide(sums[:, 0], sums[:, 1])


def test_bootstrap_of_a_share_is_close_to_wilson_and_repeats_with_its_seed() -> None:
    counts = np.c_[np.r_[np.ones(300), np.zeros(700)], np.ones(1000)]
    interval = ratio_interval(counts, shares, np.random.default_rng(1))
    exact = wilson(300, 1000)
    assert interval.value == 0.3
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high), abs=0.004)
    assert interval == ratio_interval(counts, shares, np.random.default_rng(1))
    assert interval != ratio_interval(counts, shares, np.random.default_rng(2))
    one = ratio_interval(counts, shares, np.random.default_rng(1), sides=1)
    assert interval.low < one.low < one.high < interval.high
    assert one.method == "bootstrap one-sided"


def test_bootstrap_of_f1_covers_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(3)
    covered = 0
    for _ in range(100):
        expected = draw.integers(1, 4, 150)
        hits = draw.binomial(expected, 0.8)
        counts = np.c_[hits, expected, expected]
        interval = ratio_interval(counts, micro_f1, draw)
        covered += interval.low <= 0.8 <= interval.high
    assert 89 <= covered <= 99


def test_paired_bootstrap_cancels_what_items_share() -> None:
    draw = np.random.default_rng(4)
    expected = np.full(200, 3)
    hard = draw.binomial(3, draw.random(200))
    better = np.minimum(3, hard + (draw.random(200) < 0.2))
    first = np.c_[better, expected, expected]
    second = np.c_[hard, expected, expected]
    paired = paired_ratio_interval(first, second, micro_f1, np.random.default_rng(5))
    alone = ratio_interval(first, micro_f1, np.random.default_rng(5))
    assert 0 < paired.low < paired.value < paired.high
    assert paired.high - paired.low < (alone.high - alone.low) / 2
    assert paired.method == "paired bootstrap"
    with pytest.raises(ValueError, match="equal shapes"):
        paired_ratio_interval(first, second[:3], micro_f1, draw)


def test_bootstrap_without_spread_says_what_n_items_cannot_exclude() -> None:
    perfect = np.tile([2.0, 2.0, 2.0], (20, 1))
    interval = ratio_interval(perfect, micro_f1, np.random.default_rng(0))
    assert interval.low == pytest.approx(wilson(20, 20).low)
    assert interval.high == 1.0
    same = paired_ratio_interval(perfect, perfect, micro_f1, np.random.default_rng(0))
    assert same.low < 0 < same.high
    empty = ratio_interval(perfect[:0], micro_f1, np.random.default_rng(0))
    assert (empty.low, empty.high, empty.n) == (0.0, 1.0, 0)


def test_bootstrap_of_two_thousand_items_takes_a_moment_only() -> None:
    counts = np.random.default_rng(0).integers(0, 4, (2000, 3))
    started = time.process_time()
    ratio_interval(counts, micro_f1, np.random.default_rng(0))
    assert time.process_time() - started < 2


def test_clusters_whose_sums_cancel_claim_nothing() -> None:
    for clusters, scores in (("aabb", [1.0, 0.0, 1.0, 0.0]), ("aabb", [0.1, 0.2, 0.2, 0.1])):
        for sides in (1, 2):
            found = mean_interval(scores, list(clusters), sides=sides)  # type: ignore[arg-type]
            assert found.low < found.value - 0.05 < found.value + 0.05 < found.high
    apart = paired_difference([1.0, 0.0, 1.0, 0.0], [0.5] * 4, list("aabb"), sides=1)
    assert apart.low < -0.3 < 0.3 < apart.high
