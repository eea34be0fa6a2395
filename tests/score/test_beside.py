from __future__ import annotations

import numpy as np
import pytest

from tutelage.score.beside import beside
from tutelage.score.people import ALIKE
from tutelage.score.rating import Rating


def looks(rater: str, values: list[float], *, swapped: bool = False) -> list[Rating]:
    return [
        Rating(
            rater=rater,
            item=f"s/{at}",
            cluster=str(at),
            first="tuned",
            second="zero_shot",
            value=value,
            swapped=swapped,
        )
        for at, value in enumerate(values)
    ]


def test_a_judge_is_held_against_people_on_the_tasks_of_both() -> None:
    said = [1.0, 1.0, 0.0, 0.5, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    judged = looks("taste", said) + looks("taste", said, swapped=True)
    people = looks("ann", [1.0, 1.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0]) + looks(ALIKE, [0.5] * 10)
    ((one),) = beside(
        {("taste", "s", "zero_shot"): judged, ("taste", "s", "few_shot"): judged},
        {("s", "zero_shot"): people},
        np.random.default_rng(0),
    )
    assert (one.judge, one.against, one.same.n) == ("taste", "zero_shot", 8)
    assert one.same.value == pytest.approx(7 / 8)
    assert one.same.low < 7 / 8 < one.same.high
    # by hand: 2 of 16 values differ within tasks; 7, 2 and 7 of each verdict
    assert one.alpha.value == pytest.approx(1 - 15 * 2 / (16**2 - 7**2 - 2**2 - 7**2))


def test_looks_that_turn_with_the_order_are_no_preference() -> None:
    judged = looks("taste", [1.0]) + looks("taste", [0.0], swapped=True)
    (one,) = beside(
        {("taste", "s", "zero_shot"): judged},
        {("s", "zero_shot"): looks("ann", [0.5])},
        np.random.default_rng(0),
    )
    assert one.same.value == 1.0
