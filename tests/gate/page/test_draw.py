from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.core.metric import Metric
from tutelage.gate.page.charts import metric_groups, needs
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
from tutelage.score.measure import Measure


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


def test_what_is_no_share_is_written_in_its_unit() -> None:
    assert percent(2.314, "seconds") == "2.31 seconds"
    assert percent(1250.0, "tokens") == "1,250 tokens"
    assert points(-0.5, "bits") == "-0.50 bits"
    assert span(1.5, math.inf, unit="perplexity") == "1.50 to ∞"
    assert span(-math.inf, 0.25, signed=True, unit="bits") == "-∞ to +0.25"


def test_a_scale_of_seconds_begins_at_nothing_and_leaves_infinity_out() -> None:
    scale = scale_over([3.0, 7.5, math.inf], unit="seconds")
    assert scale.low == 0.0
    assert 7.5 <= scale.high <= 12.5
    assert [tick.label for tick in scale.ticks][:2] == ["0", "2"]
    signed = scale_over([-0.4, 0.1], signed=True, unit="bits")
    assert signed.low <= -0.4
    assert "0" in [tick.label for tick in signed.ticks]


def test_a_level_is_drawn_on_its_own_axis() -> None:
    def metric(name: str, value: float, high: float, unit: str) -> Metric:
        return Metric(
            metric=name,
            suite="calls",
            system="tuned",
            n=9,
            value=value,
            low=value / 2,
            high=high,
            method="t",
            unit=unit,
        )

    measures = [
        Measure(metric="accuracy", says="right"),
        Measure(metric="seconds", says="took", family="level", better="lower", unit="seconds"),
    ]
    found = metric_groups(
        "calls",
        measures,
        [metric("accuracy", 0.5, 0.7, "share"), metric("seconds", 4.0, math.inf, "seconds")],
    )
    assert [one.title for one in found] == ["Higher is better", "Seconds: lower is better"]
    (took,) = found[1].rows[0].whiskers
    assert (took.text, took.span) == ("4.00", "2.00 to ∞")  # the title names the unit
    assert took.high == 100.0
    assert 0 < took.x < 100


def test_a_corrected_rate_is_drawn_as_it_was_measured_and_never_above_all() -> None:
    def of(system: str, value: float, **more: Any) -> Metric:
        form = {"metric": "answered", "suite": "twins", "method": "rogan-gladen", "n": 109}
        return Metric(system=system, value=value, **{"low": 0.6, "high": 1.0, **form, **more})

    found = [
        of("zero_shot", 1.0),
        of("tuned", 0.715),
        of("tuned", 0.715, baseline="zero_shot", difference=-0.294, low=-0.396, high=-0.202),
    ]
    suite = {"name": "twins", "headline": "refusal", "discordant": {}}
    (need,) = needs(suite, Measure(metric="answered", says="answered"), found)
    assert (need.before, need.tuned, need.answer) == ("100.0 %", "71.5 %", "no")
