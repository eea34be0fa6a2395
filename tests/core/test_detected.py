from __future__ import annotations

import math

import numpy as np
import pytest

from tutelage.core.detected import (
    Calibration,
    corrected_difference,
    corrected_share,
    rogan_gladen,
)
from tutelage.core.shares import clopper_pearson

GOOD = Calibration(found=180, positives=200, passed=190, negatives=200)


def draws() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_rate_is_corrected_for_both_errors() -> None:
    found = rogan_gladen(220, 1000, GOOD, draws())
    assert found.value == pytest.approx((0.22 + 0.95 - 1) / (0.9 + 0.95 - 1))
    assert found.low < 0.2 < found.high
    assert (found.n, found.method) == (1000, "rogan-gladen bootstrap")
    one = rogan_gladen(220, 1000, GOOD, draws(), sides=1)
    assert found.low < one.low < one.high < found.high


def test_few_labels_leave_the_rate_unsure_however_many_outputs_there_are() -> None:
    few = Calibration(found=18, positives=20, passed=19, negatives=20)
    wide, narrow = rogan_gladen(22000, 100000, few, draws()), rogan_gladen(220, 1000, GOOD, draws())
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_a_detector_that_tells_nothing_bounds_nothing() -> None:
    blind = Calibration(found=50, positives=100, passed=50, negatives=100)
    found = rogan_gladen(500, 1000, blind, draws())
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0.0, 1.0)
    unknown = Calibration(found=0, positives=0, passed=5, negatives=5)
    assert rogan_gladen(5, 10, unknown, draws()).n == 0


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(1)
    held = 0
    for _ in range(600):
        seen = Calibration(
            found=int(draw.binomial(100, 0.8)),
            positives=100,
            passed=int(draw.binomial(100, 0.95)),
            negatives=100,
        )
        flagged = int(draw.binomial(500, 0.2 * 0.8 + 0.8 * 0.05))
        found = rogan_gladen(flagged, 500, seen, draw)
        held += found.low <= 0.2 <= found.high
    assert 0.92 <= held / 600 <= 0.985


def test_outputs_that_move_together_count_as_fewer() -> None:
    values = np.repeat([1.0, 0.0, 0.0, 0.0, 0.0] * 10, 10)
    groups = np.repeat(np.arange(50), 10)
    alone = corrected_share(values, None, GOOD, draws())
    together = corrected_share(values, groups, GOOD, draws())
    assert together.value == alone.value
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert (together.n, together.method) == (500, "clustered rogan-gladen bootstrap")
    sure = corrected_share(values, groups, GOOD, draws(), confidence=0.99)
    assert sure.low < together.low < together.high < sure.high


def test_a_difference_holds_the_truth_as_often_as_it_says() -> None:
    draw = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        seen = Calibration(
            found=int(draw.binomial(100, 0.8)),
            positives=100,
            passed=int(draw.binomial(100, 0.95)),
            negatives=100,
        )
        true = draw.random((400, 2)) < (0.6, 0.3)
        flagged = draw.random((400, 2)) < np.where(true, 0.8, 0.05)
        pairs = (flagged[:, 0].astype(float), flagged[:, 1].astype(float))
        found = corrected_difference(pairs, None, seen, draw)
        held += found.low <= 0.3 <= found.high
    assert 0.92 <= held / 400 <= 0.985


def test_a_difference_seen_by_chance_alone_bounds_nothing() -> None:
    blind = Calibration(found=50, positives=100, passed=50, negatives=100)
    found = corrected_difference(([1.0] * 50, [0.0] * 50), None, blind, draws())
    assert math.isnan(found.value)
    assert (found.low, found.high) == (-1.0, 1.0)
    nothing = Calibration(found=0, positives=0, passed=5, negatives=5)
    assert corrected_difference(([1.0], [0.0]), None, nothing, draws()).n == 0


@pytest.mark.parametrize(("rate", "labels"), [(0.8, (20, 180)), (0.05, (180, 20))])
def test_a_bound_for_a_rule_is_not_too_sure_of_few_labels(
    rate: float, labels: tuple[int, int]
) -> None:
    draw, over = np.random.default_rng(5), np.zeros(2)
    for _ in range(600):
        seen = Calibration(
            found=int(draw.binomial(labels[0], 0.98)),
            positives=labels[0],
            passed=int(draw.binomial(labels[1], 0.98)),
            negatives=labels[1],
        )
        flagged = int(draw.binomial(500, rate * 0.98 + (1 - rate) * 0.02))
        found = rogan_gladen(flagged, 500, seen, draw, sides=1)
        over += (found.low > rate, found.high < rate)
    assert (over / 600 <= 0.055).all()


def test_with_errors_known_the_bounds_of_a_rule_are_the_exact_ones() -> None:
    sure = Calibration(found=10**9, positives=10**9, passed=10**9, negatives=10**9)
    found = rogan_gladen(3, 40, sure, draws(), sides=1)
    exact = clopper_pearson(3, 40, sides=1)
    assert (found.low, found.high) == (
        pytest.approx(exact.low, abs=0.003),
        pytest.approx(exact.high, abs=0.005),
    )
