"""Power laws through losses."""

from __future__ import annotations

import random

import pytest

from tutelage.core.curve import power_law

ROWS = (100.0, 200.0, 400.0, 800.0)


def test_a_law_is_found_again_and_told_without_doubt() -> None:
    curve = power_law(ROWS, [3 * rows**-0.2 for rows in ROWS])
    gain, low, high = curve.doubling()
    assert (curve.slope, curve.scale) == (pytest.approx(-0.2), pytest.approx(3))
    assert curve.at(1600) == pytest.approx(3 * 1600**-0.2)
    assert gain == pytest.approx(1 - 2**-0.2)
    assert high - low < 1e-6


def test_the_interval_holds_the_gain_nineteen_times_in_twenty() -> None:
    draw, held = random.Random(3), 0
    for _ in range(1000):
        curve = power_law(ROWS, [3 * rows**-0.2 * draw.lognormvariate(0, 0.05) for rows in ROWS])
        _, low, high = curve.doubling()
        held += low <= 1 - 2**-0.2 <= high
    assert 0.93 < held / 1000 < 0.97


def test_losses_that_rise_promise_no_gain() -> None:
    gain, _, _ = power_law(ROWS, [1.0, 1.1, 1.2, 1.3]).doubling()
    assert gain < 0


@pytest.mark.parametrize(
    ("rows", "losses"), [((1, 2), (1, 1)), ((1, 2, 3), (1, 0, 1)), ((2, 2, 2), (1, 1, 1))]
)
def test_too_few_points_or_none_above_zero_make_no_law(rows: list[int], losses: list[int]) -> None:
    with pytest.raises(ValueError, match="points"):
        power_law(rows, losses)
