from __future__ import annotations

from decimal import Decimal

import pytest

from tests.score.fakes import task
from tutelage.score.claims import (
    claims_of,
    fold,
    name_holds,
    names_of,
    number_holds,
    numbers_of,
    source_of,
)
from tutelage.score.grounded import Grounded, grounding

SOURCE = (
    "Marie Curie was born in Warsaw in 1867. She won two Nobel Prizes, the first in 1903 with "
    "Pierre Curie, and raised about 3.5 million francs for the American Red Cross."
)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1,200 and 3.50", {1200, 3.5}),
        ("two hundred and five people", {205}),
        ("twenty one or thirty-two", {21, 32}),
        ("3.5 million", {3.5, 3_500_000}),
        ("one of them", set()),
        ("one hundred of them", {100}),
        ("five thousand two hundred", {5200}),
        ("none at all", set()),
    ],
)
def test_numbers_are_read_in_digits_and_in_words(text: str, values: set[float]) -> None:
    found = {value for readings in numbers_of(text) for value in readings}
    assert found == {Decimal(str(value)).normalize() for value in values}


def test_a_number_holds_in_any_way_of_writing_it() -> None:
    source = source_of("3,500,000 francs, twelve ships, the fourth and 0.50 of it")
    for text in ("3.5 million", "12", "4", "0.5", "3500000"):
        assert all(number_holds(one, source) for one in claims_of(text).numbers), text
    assert not number_holds(claims_of("13").numbers[0], source)


def test_names_are_capitalised_words_that_do_not_only_begin_a_sentence() -> None:
    assert names_of("Walking home, Ann met Bob Dole. People saw the BBC.") == [
        ("Ann",),
        ("Bob", "Dole"),
        ("BBC",),
    ]
    assert names_of("Marie Curie won. However it rained.") == [("Marie", "Curie")]


@pytest.mark.parametrize("name", ["Curie", "Marie Curie's", "Americans", "ARC", "Nobel Prize"])
def test_a_name_holds_shortened_or_inflected(name: str) -> None:
    words = tuple(fold(word) for word in name.split())
    assert name_holds(words, source_of(SOURCE))


def test_accents_and_possessives_do_not_count() -> None:
    assert fold("Müller’s") == "muller"


@pytest.mark.parametrize(
    ("answer", "warned"),
    [
        ("She was born in Warsaw in 1867.", set()),
        ("She won 2 prizes.", set()),
        ("She was born in Paris.", {"unknown_name"}),
        ("She was born in 1876.", {"unknown_number"}),
        ("She met Albert Einstein 3 times.", {"unknown_name", "unknown_number"}),
    ],
)
def test_what_the_source_does_not_have_is_warned_of(answer: str, warned: set[str]) -> None:
    found = grounding(answer, SOURCE)
    assert {name for name in ("unknown_name", "unknown_number") if found[name]} == warned
    assert found["factuality_warning"] == float(bool(warned))
    assert found["grounded"] == float(not warned)


def test_a_sentence_whose_words_are_elsewhere_is_not_supported() -> None:
    found = grounding("She won prizes. Bananas ripen quickly under tropical sunshine.", SOURCE)
    assert (found["sentences_supported"], found["sentences_given"]) == (1.0, 2.0)
    assert found["grounded"] == 0.0
    assert found["factuality_warning"] == 0.0


def test_an_empty_answer_says_nothing_wrong() -> None:
    assert grounding("", SOURCE)["grounded"] == 1.0


def test_the_source_is_a_field_of_the_row_or_what_the_user_says() -> None:
    one = task("Where was Marie born?", "Warsaw", context=SOURCE)
    assert Grounded("context").score(one, "Marie, in Warsaw.")["grounded"] == 1.0
    assert Grounded().score(one, "She was born in Warsaw.")["factuality_warning"] == 1.0
    assert Grounded("context").problem(one) == ""
    assert "no `passage`" in Grounded("passage").problem(one)
    assert "says nothing" in Grounded().problem(task(" ", "x"))
