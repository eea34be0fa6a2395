from __future__ import annotations

import pytest

from tests.score.fakes import task
from tutelage.score.fields import Fields

GOLD = '{"name": "Ann", "address": {"city": "Rome", "zip": "1"}}'


@pytest.mark.parametrize(
    ("answer", "present", "found"),
    [
        ('{"name": "x", "address": {"zip": 0, "city": []}}', 1.0, 3.0),
        ('{"name": "x", "address": "Rome"}', 0.0, 1.0),
        ('{"name": null, "address": {"city": "", "zip": "1"}}', 0.0, 1.0),
        ("[1]", 0.0, 0.0),
        ("not JSON", 0.0, 0.0),
    ],
)
def test_a_field_is_there_whatever_its_value(answer: str, present: float, found: float) -> None:
    assert Fields().score(task("x", GOLD), answer) == {
        "fields_present": present,
        "fields_found": found,
        "fields_asked": 3.0,
    }


def test_only_the_fields_named_are_looked_for() -> None:
    scorer = Fields(("address.city",))
    assert scorer.score(task("x", GOLD), '{"address": {"city": "x"}}')["fields_present"] == 1.0
    assert scorer.problem(task("x", GOLD)) == ""
    assert "no `address.city`" in scorer.problem(task("x", '{"name": "x"}'))


def test_an_expected_answer_without_fields_is_a_problem() -> None:
    assert "no JSON object" in Fields().problem(task("x", "hello"))
    assert "no field" in Fields().problem(task("x", "{}"))
    assert Fields().problem(task("x", GOLD)) == ""
