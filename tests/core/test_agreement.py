from __future__ import annotations

import math

import numpy as np
import pytest

from tutelage.core.agreement import Unit, krippendorff

# four raters, twelve units, as Krippendorff works it out by hand; 0 is a rating not given
RATED = [
    (1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3),
    (0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0),
]


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def units() -> list[Unit]:
    columns = zip(*RATED, strict=True)
    return [
        Unit(values=tuple(float(one) for one in column if one), cluster=str(number))
        for number, column in enumerate(columns)
    ]


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("interval", 0.849)])
def test_alpha_is_krippendorffs(scale: str, alpha: float) -> None:
    found = krippendorff(units(), scale, generator())  # type: ignore[arg-type]
    assert found.value == pytest.approx(alpha, abs=5e-4)
    assert found.n == 11  # the unit of one rater alone tells nothing
    assert found.low < alpha < found.high <= 1


def test_agreement_by_chance_is_none() -> None:
    draw = generator()
    random = [
        Unit(values=tuple(draw.choice([0.0, 0.5, 1.0], 3)), cluster=str(n)) for n in range(2000)
    ]
    found = krippendorff(random, "nominal", generator())
    assert found.low < 0 < found.high
    assert abs(found.value) < 0.05


def test_a_few_who_always_agree_do_not_prove_that_they_always_will() -> None:
    same = [Unit(values=(float(n % 2),) * 2, cluster=str(n)) for n in range(10)]
    found = krippendorff(same, "nominal", generator())
    assert (found.value, found.high) == (1.0, 1.0)
    assert 0 < found.low < 0.6


def test_where_all_values_are_one_agreement_is_not_known() -> None:
    one = [Unit(values=(1.0, 1.0), cluster=str(n)) for n in range(10)]
    assert math.isnan(krippendorff(one, "nominal", generator()).value)
    assert krippendorff([], "nominal", generator()).n == 0


def test_units_of_one_cluster_are_drawn_together() -> None:
    draw = generator()
    apart, together = [], []
    for number in range(60):
        first = float(draw.integers(2))
        values = (first, first if draw.random() < 0.8 else 1 - first)
        for copy in range(4):
            apart.append(Unit(values=values, cluster=f"{number}.{copy}"))
            together.append(Unit(values=values, cluster=str(number)))
    wide = krippendorff(together, "nominal", generator())
    narrow = krippendorff(apart, "nominal", generator())
    assert wide.value == pytest.approx(narrow.value)
    assert wide.high - wide.low > 1.6 * (narrow.high - narrow.low)
