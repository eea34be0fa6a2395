from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.gate.page.draw import (
    Scale,
    Series,
    percent,
    plot,
    points,
    round_step,
    scale_over,
    smoothed,
    span,
    thinned,
)


def test_numbers_are_written_for_people() -> None:
    assert (percent(0.9637), percent(math.nan)) == ("96.4 %", "–")
    assert points(-0.02) == "-2.0 points"
    assert span(0.948, 0.976) == "94.8 to 97.6"
    assert span(-0.01, 0.5, signed=True) == "-1.0 to +50.0"
    assert span(math.nan, 1.0) == "–"


def test_what_lies_outside_a_scale_stands_at_its_edge() -> None:
    scale = Scale(low=0.5, high=1.0)
    assert [scale.at(value) for value in (0.2, 0.5, 0.75, 1.0, 7.0)] == [0, 0, 50, 100, 100]


@pytest.mark.parametrize(
    ("rough", "step"), [(0.9, 1), (1.2, 2), (2.2, 2.5), (26, 50), (0.031, 0.05)]
)
def test_steps_are_round(rough: float, step: float) -> None:
    assert round_step(rough) == pytest.approx(step)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_scale_holds_all_its_values_and_a_few_ticks(values: list[float]) -> None:
    scale = scale_over(values)
    assert scale.low <= min(values)
    assert scale.high >= max(values)
    assert 2 <= len(scale.ticks) <= 9
    assert scale.low >= 0
    assert scale.high <= 1
    assert len({tick.label for tick in scale.ticks}) == len(scale.ticks)


def test_a_scale_of_differences_shows_signs_and_a_plain_zero() -> None:
    labels = [tick.label for tick in scale_over([-0.1, 0.1], signed=True).ticks]
    assert "0" in labels
    assert labels[0].startswith("-")
    assert labels[-1].startswith("+")


def test_a_plot_reaches_over_its_tallest_point() -> None:
    drawn = plot([Series(name="train", points=[(1, 4.2), (50, 0.4)])], "loss")
    assert drawn.up[0].label == "0"
    assert float(drawn.up[-1].label) >= 4.2
    assert drawn.curves[0].path.startswith("0.0,")
    assert all(0 <= tick.x <= 100 for tick in (*drawn.across, *drawn.up))


def test_a_plot_of_one_step_is_drawn() -> None:
    assert plot([Series(name="train", points=[(1, 2.0)])], "loss").curves[0].path


def test_long_curves_are_thinned_by_means() -> None:
    found = thinned([(float(x), 1.0) for x in range(1900)])
    assert len(found) <= 500
    assert {y for _, y in found} == {1.0}
    assert found[-1][0] == 1899
    assert thinned([(1.0, 2.0)]) == [(1.0, 2.0)]


def test_smoothing_keeps_a_straight_line_straight() -> None:
    line = [(float(x), 2.0 * x) for x in range(200)]
    assert [y for _, y in smoothed(line)] == pytest.approx([y for _, y in line])
