from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from tutelage.core.intervals import wilson
from tutelage.core.unpaired import quantile_interval, unbounded_mean, unpaired_difference


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [  # Newcombe 1998, table II, method 10
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 20), 0.6791, 1.0000),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_the_difference_of_shares_is_newcombes(
    first: tuple[int, int], second: tuple[int, int], low: float, high: float
) -> None:
    found = unpaired_difference(wilson(*first), wilson(*second))
    assert found.value == pytest.approx(first[0] / first[1] - second[0] / second[1])
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert (found.n, found.method) == (first[1], "newcombe")


def test_a_one_sided_difference_is_narrower_and_says_so() -> None:
    both = unpaired_difference(wilson(90, 100), wilson(80, 100))
    one = unpaired_difference(wilson(90, 100, sides=1), wilson(80, 100, sides=1))
    assert both.low < one.low < one.value < one.high < both.high
    assert one.method == "newcombe one-sided"
    with pytest.raises(ValueError, match="other sides"):
        unpaired_difference(wilson(90, 100), wilson(80, 100, sides=1))


def test_nothing_served_leaves_the_difference_open() -> None:
    found = unpaired_difference(wilson(0, 0), wilson(80, 100))
    assert (found.n, found.low, found.high) == (0, -1.0, 1.0)
    assert math.isnan(found.value)


@pytest.mark.parametrize(("share", "n"), [(0.5, 30), (0.95, 200)])
def test_the_bounds_of_a_quantile_hold_it_as_often_as_they_say(share: float, n: int) -> None:
    generator = np.random.default_rng(5)
    truth = float(stats.expon.ppf(share))
    draws = [quantile_interval(generator.exponential(size=n).tolist(), share) for _ in range(2000)]
    held = np.mean([one.low <= truth <= one.high for one in draws])
    assert 0.945 <= held <= 0.985


def test_too_few_values_do_not_bound_a_high_quantile() -> None:
    found = quantile_interval([float(value) for value in range(20)], 0.95)
    assert found.high == math.inf
    assert found.low < found.value
    enough = quantile_interval([float(value) for value in range(59)], 0.95, sides=1)
    assert enough.high == 58.0


def test_an_unbounded_mean_is_students() -> None:
    values = [3.0, 5.0, 9.0, 40.0]
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    found = unbounded_mean(values)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert unbounded_mean([2.0]).high == math.inf
    assert unbounded_mean([]).n == 0
