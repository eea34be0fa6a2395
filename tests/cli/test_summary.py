"""The end of a run: systems side by side, differences, verdict, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tutelage.cli.summary import compared, draw_suite, shown, shut, systems
from tutelage.core.errors import GateShut
from tutelage.core.metric import Metric

NAMES = ("parse", "valid", "intent", "slot_f1", "exact_match")


def measured(system: str, metric: str, value: float, method: str = "wilson") -> Metric:
    return Metric(
        metric=metric,
        suite="calls",
        system=system,
        n=700,
        value=value,
        low=value - 0.02,
        high=value + 0.01,
        method=method,
    )


def report() -> list[Metric]:
    values = {"tuned": 0.91, "zero_shot": 0.02, "few_shot": 0.25}
    found = [measured(system, name, value) for system, value in values.items() for name in NAMES]
    found.append(measured("tuned", "parse", 0.5, "wilson one-sided"))
    difference = Metric(
        metric="slot_f1",
        suite="calls",
        system="tuned",
        n=700,
        value=0.91,
        low=0.61,
        high=0.70,
        method="paired",
        baseline="few_shot",
        difference=0.66,
    )
    return [*found, difference]


def drawn(width: int) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=width, color_system=None)
    draw_suite(console, "calls", report())
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_wide_terminal_has_systems_in_rows_and_metrics_in_columns() -> None:
    lines = drawn(120)
    assert lines[1] == "calls: 700 tasks, value and 95 % interval"
    assert lines[2].split() == list(NAMES)
    assert [line.split()[0] for line in lines[3:6]] == ["zero_shot", "few_shot", "tuned"]
    assert lines[5].count("91.0 [89.0 92.0]") == 5
    assert lines[7:] == ["tuned − few_shot, paired", "  slot_f1  +66.0 [+61.0 +70.0] points"]


def test_a_terminal_too_narrow_for_that_has_metrics_in_rows() -> None:
    lines = drawn(80)
    assert lines[2].split() == ["zero_shot", "few_shot", "tuned"]
    assert [line.split()[0] for line in lines[3:8]] == list(NAMES)
    assert lines[3].endswith("91.0 [89.0 92.0]")


@pytest.mark.parametrize("width", [40, 60])
def test_a_narrow_terminal_has_a_list(width: int) -> None:
    lines = drawn(width)
    assert max(len(line) for line in lines) <= width
    at = lines.index("parse")
    assert lines[at + 1 : at + 4] == [
        "  zero_shot  2.0 [0.0 3.0]",
        "  few_shot   25.0 [23.0 26.0]",
        "  tuned      91.0 [89.0 92.0]",
    ]


def test_only_people_s_intervals_are_drawn() -> None:
    assert [one.method for one in report() if shown(one)] == ["wilson"] * 15
    assert [one.difference for one in report() if compared(one)] == [0.66]


def test_the_tuned_system_comes_last_and_others_are_not_lost() -> None:
    order = [measured(name, "parse", 0.5) for name in ("tuned", "control", "zero_shot", "other")]
    assert systems(order) == ["control", "other", "zero_shot", "tuned"]


def test_an_open_gate_is_no_error() -> None:
    assert shut({}) is None
    assert shut({"outcome": "pass", "rules": []}) is None


@pytest.mark.parametrize("outcome", ["fail", "inconclusive"])
def test_a_shut_gate_is_an_error_with_its_own_code(outcome: str) -> None:
    error = shut({"outcome": outcome, "rules": []})
    assert isinstance(error, GateShut)
    assert error.exit_code == 3
    assert "the gate is shut" in error.message


def test_an_open_rules_own_advice_is_the_hint() -> None:
    rules = [{"outcome": "pass", "advice": ""}, {"outcome": "inconclusive", "advice": "90 more"}]
    error = shut({"outcome": "inconclusive", "rules": rules})
    assert error is not None
    assert error.hint == "90 more"
