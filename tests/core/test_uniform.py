from __future__ import annotations

import numpy as np
import pytest

from tutelage.core.uniform import kolmogorov_smirnov


def test_the_distance_is_the_greatest_between_both_steps() -> None:
    found = kolmogorov_smirnov([0.1, 0.2, 0.9])
    assert (found.n, found.distance) == (3, pytest.approx(2 / 3 - 0.2))
    assert kolmogorov_smirnov([]).p == 1.0


@pytest.mark.parametrize(
    ("n", "distance", "p"), [(20, 0.29408, 0.05), (20, 0.35241, 0.01), (100, 0.13403, 0.05)]
)
def test_p_is_that_of_the_tables(n: int, distance: float, p: float) -> None:
    # all values pushed up by `distance`: the tables' critical values give the tables' p
    even = [(place + 1) / n - distance for place in range(n)]
    found = kolmogorov_smirnov([max(0.0, value) for value in even])
    assert found.distance == pytest.approx(distance, abs=1e-6)
    assert found.p == pytest.approx(p, rel=0.06)


def test_even_numbers_are_rarely_called_uneven() -> None:
    draw = np.random.default_rng(3)
    called = sum(kolmogorov_smirnov(draw.random(20).tolist()).p < 0.05 for _ in range(1000))
    assert 25 <= called <= 80
