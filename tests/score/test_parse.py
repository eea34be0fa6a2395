from __future__ import annotations

import pytest

from tutelage.score.parse import as_text, parse, same_form


@pytest.mark.parametrize("text", ['{"a": 1}', ' [1, "x"] \n', "null", '"word"', "1.5e3"])
def test_json_is_parsed(text: str) -> None:
    assert parse(text).ok


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure!",
        '```json\n{"a": 1}\n```',
        '{"a": 1} and more',
        "{'a': 1}",
        '{"a": 1,}',
        "NaN",
        '{"a": Infinity}',
        '{"a": 1',
        "1e999",
        "[" * 100_000,
        '"\\ud800"',
        "\ud800",
    ],
)
def test_what_is_not_strict_json_is_not_parsed(text: str) -> None:
    assert not parse(text).ok


def test_null_is_json_and_not_a_failure() -> None:
    assert parse("null").ok
    assert parse("null").value is None


def test_forms_are_equal_whatever_the_order_of_keys_and_the_kind_of_number() -> None:
    assert same_form({"a": 1, "b": [2.0]}) == same_form({"b": [2], "a": 1.0})
    assert same_form([1, 2]) != same_form([2, 1])
    assert same_form(True) != same_form(1)
    assert same_form("1") != same_form(1)


def test_a_value_is_written_as_in_a_text() -> None:
    assert as_text("four") == "four"
    assert as_text(4.0) == "4"
    assert as_text(True) == "true"
