from __future__ import annotations

import json
from typing import Any

import pytest

from tests.score.fakes import task
from tutelage.score.constraints import CONSTRAINTS
from tutelage.score.instructions import Instructions, followed, loosened

FOLLOWED: dict[str, tuple[dict[str, Any], str, str]] = {  # what is told, an answer, another
    "change_case:capital_word_frequency": (
        {"capital_frequency": 2, "capital_relation": "at least"},
        "An URGENT and BIG matter.",
        "An URGENT matter.",
    ),
    "change_case:english_capital": ({}, "THIS IS THE ANSWER.", "THIS is the answer."),
    "change_case:english_lowercase": ({}, "this is the answer.", "This is the answer."),
    "combination:repeat_prompt": (
        {"prompt_to_repeat": "Write a poem. "},
        "write a poem.\nRoses",
        "Roses",
    ),
    "combination:two_responses": ({}, "one****** two", "one******one"),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, "[a] [b]", "[a]"),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, "Bye\nP. s. x", "Bye PS x"),
    "detectable_format:constrained_response": ({}, "Well. My answer is no.", "no"),
    "detectable_format:json_format": ({}, '```json\n{"a": 1}\n```', "{a: 1}"),
    "detectable_format:multiple_sections": (
        {"section_spliter": "Day", "num_sections": 2},
        "Day 1\nx\nDay 2\ny",
        "Day 1\nx\nDay two",
    ),
    "detectable_format:number_bullet_lists": (
        {"num_bullets": 2},
        "* one\n - two\n** no",
        "* one\n* two\n* three",
    ),
    "detectable_format:number_highlighted_sections": (
        {"num_highlights": 2},
        "*one* and *two*",
        "*one* and * *",
    ),
    "detectable_format:title": ({}, "<<A title>>\nx", "<< >>"),
    "keywords:existence": ({"keywords": ["Cat", "dog"]}, "catalogue of dogs", "cats"),
    "keywords:forbidden_words": ({"forbidden_words": ["cat"]}, "catalogue", "a CAT."),
    "keywords:frequency": (
        {"keyword": "cat", "frequency": 2, "relation": "less than"},
        "a cat",
        "cat Cat",
    ),
    "keywords:letter_frequency": (
        {"letter": "Q", "let_frequency": 2, "let_relation": "at least"},
        "Qq",
        "q",
    ),
    "language:response_language": ({"language": "de"}, "Das ist nicht gut.", "That is not good."),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "Then"},
        "one\n\n'then, two",
        "one\n\ntwo",
    ),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, "a\n***\nb\n***\n", "a"),
    "length_constraints:number_sentences": (
        {"num_sentences": 2, "relation": "at least"},
        "Dr. Lee came. He left!",
        "Dr. Lee came and left.",
    ),
    "length_constraints:number_words": (
        {"num_words": 3, "relation": "less than"},
        "two words",
        "now three words",
    ),
    "punctuation:no_comma": ({}, "a; b", "a, b"),
    "startend:end_checker": ({"end_phrase": "The End. "}, 'So. the end."', "The End. Or not"),
    "startend:quotation": ({}, ' "quoted" ', '"'),
}


@pytest.mark.parametrize("kind", sorted(CONSTRAINTS))
def test_each_kind_of_instruction_is_told_from_its_breach(kind: str) -> None:
    told, right, wrong = FOLLOWED[kind]
    assert followed([{"id": kind, **told}], [right]) == [True]
    assert followed([{"id": kind, **told}], [wrong]) == [False]


@pytest.mark.parametrize(
    ("kind", "told", "answer"),
    [
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a *** *** b"),
        ("combination:two_responses", {}, "a******  ******b"),
        (
            "length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": 1, "nth_paragraph": 2, "first_word": "a"},
            "a",
        ),
    ],
)
def test_an_empty_part_in_the_middle_breaks_the_form(
    kind: str, told: dict[str, Any], answer: str
) -> None:
    assert followed([{"id": kind, **told}], [answer]) == [False]


def asked(*instructions: dict[str, Any]) -> Any:
    return task("write", "-", instructions=json.dumps(instructions))


def test_all_of_a_prompt_and_each_by_itself_are_counted() -> None:
    one = asked({"id": "punctuation:no_comma"}, {"id": "startend:quotation"})
    assert Instructions().score(one, "plain") == {
        "prompt_strict": 0.0,
        "prompt_loose": 0.0,
        "followed_strict": 1.0,
        "asked_strict": 2.0,
        "followed_loose": 1.0,
        "asked_loose": 2.0,
    }


def test_loosely_a_greeting_before_and_asterisks_are_forgiven() -> None:
    one = asked({"id": "startend:quotation"})
    found = Instructions().score(one, 'Sure!\n*"quoted"*\nBye')
    assert (found["prompt_strict"], found["prompt_loose"]) == (0.0, 1.0)
    assert loosened("one line") == ["one line", ""]


def test_an_empty_answer_follows_nothing() -> None:
    found = Instructions().score(asked({"id": "punctuation:no_comma"}), " \n")
    assert (found["prompt_strict"], found["followed_loose"]) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("instruction", "problem"),
    [
        ({"id": "punctuation:no_commas"}, "did you mean `punctuation:no_comma`"),
        ({"id": "length_constraints:number_words", "num_words": 3}, "needs `relation`"),
        (
            {"id": "length_constraints:number_words", "num_words": 2.5, "relation": "at least"},
            "needs `num_words`, a whole number",
        ),
        (
            {"id": "length_constraints:number_words", "num_words": 2, "relation": "around"},
            "expected less than or at least",
        ),
        ({"id": "keywords:existence", "keywords": ["("]}, "is no pattern"),
        ({"id": "punctuation:no_comma", "num_words": 3}, "takes no `num_words`"),
    ],
)
def test_an_instruction_that_cannot_be_checked_is_a_problem(
    instruction: dict[str, Any], problem: str
) -> None:
    assert problem in Instructions().problem(asked(instruction))


def test_a_row_without_instructions_is_a_problem() -> None:
    assert "no `instructions`" in Instructions().problem(task("write", "-"))
    assert "no `instructions`" in Instructions().problem(asked())
    assert Instructions().problem(asked({"id": "punctuation:no_comma", "num_words": None})) == ""
