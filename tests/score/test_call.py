from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.score.fakes import task
from tutelage.score.call import Call, read_call
from tutelage.score.measure import STATISTICS

GOLD = '{"name": "Book", "arguments": {"city": "Rome", "dish": ["fish", "rice", "fish"]}}'
TASK = task("book fish and rice and fish in Rome for Ann", GOLD)
ERRORS = ("unparsable", "wrong_name", "wrong_value", "missing_slot", "extra_slot", "hallucinated")


def scores(answer: str) -> dict[str, float]:
    return dict(Call().score(TASK, answer))


def errors(answer: str) -> set[str]:
    found = scores(answer)
    return {name for name in ERRORS if found[name]}


def slots(answer: str) -> tuple[float, ...]:
    found = scores(answer)
    return found["slot_hits"], found["slot_predicted"], found["slot_expected"]


def test_the_expected_call_is_right_in_any_order_of_keys() -> None:
    shuffled = '{"arguments": {"dish": ["fish", "rice", "fish"], "city": "Rome"}, "name": "Book"}'
    for answer in (GOLD, shuffled):
        found = scores(answer)
        assert (found["intent"], found["exact_match"]) == (1.0, 1.0)
        assert slots(answer) == (4.0, 4.0, 4.0)
        assert errors(answer) == set()


def test_a_list_is_a_multiset_for_slots_but_not_for_the_exact_match() -> None:
    answer = '{"name": "Book", "arguments": {"city": "Rome", "dish": ["fish", "fish", "rice"]}}'
    assert slots(answer) == (4.0, 4.0, 4.0)
    assert scores(answer)["exact_match"] == 0.0


def test_a_value_too_few_of_a_list_costs_recall_alone() -> None:
    answer = '{"name": "Book", "arguments": {"city": "Rome", "dish": ["fish", "rice"]}}'
    assert slots(answer) == (3.0, 3.0, 4.0)
    assert errors(answer) == {"wrong_value"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Sure!", {"unparsable"}),
        ('{"name": "Book"}', {"unparsable"}),
        ('{"name": "Book", "arguments": []}', {"unparsable"}),
        (GOLD.replace("Book", "book"), {"wrong_name"}),
        (GOLD.replace("Rome", "rome"), {"wrong_value", "hallucinated"}),
        (GOLD.replace("Rome", "Ann"), {"wrong_value"}),
        (GOLD.replace('"city": "Rome", ', ""), {"missing_slot"}),
        (GOLD.replace('"city"', '"for": "Ann", "city"'), {"extra_slot"}),
        (GOLD.replace('"city"', '"for": "Eve", "city"'), {"extra_slot", "hallucinated"}),
    ],
)
def test_each_kind_of_error_is_named(answer: str, expected: set[str]) -> None:
    assert errors(answer) == expected
    assert scores(answer)["exact_match"] == 0.0


def test_an_expected_value_that_the_request_does_not_hold_is_not_invented() -> None:
    one = task("wake me at seven", '{"name": "Wake", "arguments": {"hour": 7}}')
    assert Call().score(one, one.expected)["hallucinated"] == 0.0
    assert Call().score(one, '{"name": "Wake", "arguments": {"hour": 8}}')["hallucinated"] == 1.0


def test_a_key_beside_name_and_arguments_is_not_an_exact_match() -> None:
    found = scores(GOLD.replace('{"name"', '{"why": "asked", "name"'))
    assert (found["intent"], found["exact_match"]) == (1.0, 0.0)


def test_a_task_that_expects_no_call_is_a_problem() -> None:
    assert Call().problem(TASK) == ""
    assert "no call" in Call().problem(task("hello", "hello"))
    with pytest.raises(ValueError, match="no call"):
        Call().score(task("hello", "hello"), "{}")


def test_every_metric_has_its_scores_and_every_statistic_exists() -> None:
    found = scores(GOLD)
    for measure in Call().measures:
        assert all(name in found for name in measure.columns or (measure.metric,))
        assert measure.statistic in {*STATISTICS, ""}
    assert Call().headline in {measure.metric for measure in Call().measures}


words = st.text(st.characters(codec="utf-8"), max_size=5)
arguments = st.dictionaries(words, st.one_of(words, st.integers(), st.lists(words, max_size=3)))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(arguments, arguments)
def test_hits_never_exceed_what_is_given_or_expected(
    first: dict[str, object], second: dict[str, object]
) -> None:
    gold = json.dumps({"name": "f", "arguments": first})
    answer = json.dumps({"name": "f", "arguments": second})
    found = Call().score(task("x", gold), answer)
    assert found["slot_hits"] <= min(found["slot_predicted"], found["slot_expected"])
    assert found["exact_match"] == float(first == second)
    called = read_call(gold)
    assert called is not None
    assert found["slot_expected"] == called.slots.total()


TWO = '[{"name": "f", "arguments": {"x": 1}}, {"name": "g", "arguments": {"x": 1, "at": {"y": 2}}}]'
TURNED = (
    '[{"name": "g", "arguments": {"at": {"y": 2}, "x": 1}}, {"name": "f", "arguments": {"x": 1}}]'
)


def test_calls_side_by_side_are_right_in_any_order() -> None:
    one = task("f 1, g 1 2", TWO)
    assert Call().problem(one) == ""
    for answer in (TWO, TURNED):
        found = Call().score(one, answer)
        assert (found["intent"], found["exact_match"]) == (1.0, 1.0)
        assert (found["slot_hits"], found["slot_predicted"]) == (3.0, 3.0)
    ordered = Call(ordered=True)
    assert ordered.name == "call:ordered"
    assert ordered.score(one, TWO)["exact_match"] == 1.0
    assert ordered.score(one, TURNED)["exact_match"] == 0.0
    assert ordered.score(one, TURNED)["intent"] == 0.0


def test_a_call_too_few_or_twice_is_not_right() -> None:
    one = task("f 1, g 1 2", TWO)
    found = Call().score(one, '{"name": "f", "arguments": {"x": 1}}')
    assert (found["intent"], found["exact_match"], found["missing_slot"]) == (0.0, 0.0, 1.0)
    assert (found["slot_hits"], found["slot_expected"]) == (1.0, 3.0)
    single = task("f 1", '{"name": "f", "arguments": {"x": 1}}')
    twice = '[{"name": "f", "arguments": {"x": 1}}, {"name": "f", "arguments": {"x": 1}}]'
    assert Call().score(single, twice)["exact_match"] == 0.0
    assert Call().score(single, twice)["slot_predicted"] == 2.0
    assert Call().score(single, "[]")["unparsable"] == 1.0


def test_a_value_of_the_other_call_is_no_hit() -> None:
    one = task("f 1, g 2", '[{"name":"f","arguments":{"x":1}},{"name":"g","arguments":{"x":2}}]')
    swapped = '[{"name":"f","arguments":{"x":2}},{"name":"g","arguments":{"x":1}}]'
    assert Call().score(one, swapped)["slot_hits"] == 0.0
    assert Call().score(one, swapped)["intent"] == 1.0


def test_slots_within_objects_are_compared_one_by_one() -> None:
    one = task("Rome 00100", '{"name": "f", "arguments": {"at": {"city": "Rome", "zip": "00100"}}}')
    found = Call().score(one, '{"name": "f", "arguments": {"at": {"city": "Rome", "zip": "1"}}}')
    assert (found["slot_hits"], found["slot_expected"], found["wrong_value"]) == (1.0, 2.0, 1.0)
