from __future__ import annotations

from datetime import date

import pytest

from tutelage.core.errors import GateShut
from tutelage.core.recipe import Waiver
from tutelage.release.admit import admit

TODAY = date(2026, 11, 21)
SHUT = {
    "rules": [
        {"rule": "a.parse >= 0.9", "outcome": "pass", "because": "it is"},
        {"rule": "a.valid >= 0.9", "outcome": "inconclusive", "because": "few tasks"},
        {"rule": "a.exact_match >= 0.9", "outcome": "fail", "because": "it is not"},
    ]
}


def waiver(rule: str, expires: date = date(2027, 1, 1)) -> Waiver:
    return Waiver(rule=rule, by="Ada", reason="a pilot", expires=expires)


def test_an_open_gate_needs_no_waiver() -> None:
    assert admit({"rules": SHUT["rules"][:1]}, (), TODAY) == ()


def test_every_shut_rule_is_named_with_its_cause() -> None:
    with pytest.raises(GateShut) as raised:
        admit(SHUT, (), TODAY)
    assert [(row.where, row.problem) for row in raised.value.rows] == [
        ("a.valid >= 0.9", "inconclusive: few tasks"),
        ("a.exact_match >= 0.9", "fail: it is not"),
    ]
    assert "waivers" in raised.value.hint


def test_a_waiver_covers_its_own_rule_alone() -> None:
    with pytest.raises(GateShut) as raised:
        admit(SHUT, [waiver("a.valid  >= 0.9")], TODAY)
    assert [row.where for row in raised.value.rows] == ["a.exact_match >= 0.9"]
    both = admit(SHUT, [waiver("a.valid >= 0.9"), waiver("a.exact_match >= 0.9")], TODAY)
    assert [(one.rule, one.outcome) for one in both] == [
        ("a.valid >= 0.9", "inconclusive"),
        ("a.exact_match >= 0.9", "fail"),
    ]


def test_of_two_waivers_the_one_that_holds_counts() -> None:
    for order in (1, -1):
        two = [waiver("a.valid >= 0.9"), waiver("a.valid >= 0.9", date(2020, 1, 1))][::order]
        (one, _) = admit(SHUT, [*two, waiver("a.exact_match >= 0.9")], TODAY)
        assert one.waiver.expires == date(2027, 1, 1)


def test_nobody_s_name_is_no_waiver() -> None:
    with pytest.raises(ValueError, match="blank"):
        Waiver(rule="a.valid >= 0.9", by=" ", reason="a pilot", expires=TODAY)


def test_a_waiver_ends_on_its_day() -> None:
    waivers = [waiver("a.valid >= 0.9", TODAY), waiver("a.exact_match >= 0.9")]
    with pytest.raises(GateShut, match="1 rule of the gate is shut") as raised:
        admit(SHUT, waivers, TODAY)
    assert "its waiver by Ada ended 2026-11-21" in raised.value.rows[0].problem
