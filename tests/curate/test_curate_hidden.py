"""Leaks that hide: in signs nobody sees, and in a crowd of their own copies."""

from __future__ import annotations

import html
import json
import random
from collections import Counter
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from tests.curate.test_curate_steps import example
from tutelage.core.recipe import Curate, Recipe
from tutelage.core.row import Example, Source
from tutelage.curate import run as door
from tutelage.curate.decontaminate import Leaks, leaks
from tutelage.curate.dedup import near
from tutelage.curate.signs import exchanged, signs, unlike_signs
from tutelage.curate.sources import Asked
from tutelage.store.ingest import Ingested
from tutelage.store.run import Run

SECTION = Curate.model_validate(
    {"sources": [{"path": "a.jsonl", "origin": "human", "licence": "CC0-1.0"}]}
)
WORDS = [f"{a}{b}{c}" for a in "bdfgklm" for b in "aeiou" for c in "lmnrst"]
DRAW = random.Random(1)


def text(words: int) -> str:
    return " ".join(DRAW.choices(WORDS, k=words))


def found(rows: list[Example], items: list[str]) -> Leaks:
    tasks = [example(item, "x", line=number) for number, item in enumerate(items, start=1)]
    file = Ingested(uri="items", file_digest="", layout="messages", examples=tasks)
    return leaks(rows, [Asked(name="s", file=file)], SECTION)


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u2060", "\ufeff"])
def test_signs_nobody_sees_do_not_hide_an_item(sign: str) -> None:
    long, short = text(30), text(9)
    rows = [example(text(30)) for _ in range(20)]
    rows += [example(sign.join(short)), example(f"{text(20)} {sign.join(long)} {text(20)}")]

    assert found(rows, [long, short]).drop.keys() == {20, 21}


@pytest.mark.parametrize(("holding", "rows"), [(21, 60), (40, 60), (90, 300)])
def test_an_item_that_a_crowd_of_rows_holds_whole_is_no_instruction(
    holding: int, rows: int
) -> None:
    item = text(40)
    crowd = [example(f"{text(25)} {item} {text(25)}") for _ in range(holding)]
    others = [example(text(60)) for _ in range(rows - holding)]

    assert found([*crowd, *others], [item]).drop.keys() == set(range(holding))


def test_an_instruction_of_all_rows_makes_no_leak_of_a_short_question_behind_it() -> None:
    told = text(40)
    rows = [example(f"{told} {text(8)}", text(5)) for _ in range(60)]

    assert found(rows, [f"{told} {text(5)}"]).drop == {}
    assert found(rows, [f"{told} {text(5)}" for _ in range(4)]).drop == {}


def test_what_is_for_review_is_told_whatever_its_file_is_called(tmp_path: Path) -> None:
    name = "log 10:30 pm.jsonl"
    lines = [json.dumps({"prompt": "Which way?", "completion": one}) for one in ("Left", "Right")]
    (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = {"path": name, "origin": "human", "licence": "CC0-1.0"}
    section = {"sources": [source], "validation": 0.0}
    recipe = Recipe.model_validate({"name": "test", "curate": section}).at(tmp_path)
    assert recipe.curate is not None

    with Run.open(recipe) as run:
        made = door.run(recipe.curate, {}, run)

    assert made.counts["review.conflicting_label"] == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("वह बहुत अच्छा लड़का है और वह कल घर आया था", "वह बहुत अच्छी लड़की है और वह कल घर आयी थी"),
        (
            "How does one open a file in C++ by name",
            "How does one open a file in C# by name",
        ),
        ("Work out the sum alpha + beta by hand", "Work out the sum alpha - beta by hand"),
        (
            "Is p -> q true for all of its values",
            "Is p <- q true for all of its values",
        ),
    ],
)
def test_texts_that_differ_in_vowel_signs_or_operators_say_different_things(
    one: str, other: str
) -> None:
    rows = [example(one, line=1), example(other, line=2)]

    assert near(rows, SECTION.duplicates).rows == {}
    assert 0 not in found(rows, [other]).drop
    assert 1 in found(rows, [other]).drop


def test_signs_of_lists_and_emphasis_say_nothing() -> None:
    plain = f"{text(12)}\n- {text(6)} **{text(1)}**\n- {text(8)}"
    other = plain.replace("- ", "* ").replace("**", "__").replace(" ", " + ", 1)
    rows = [example(plain, line=1), example(other, line=2)]

    assert signs(plain) == Counter()
    assert len(signs(other)) == 1
    assert near(rows, SECTION.duplicates).rows.keys() == {1}


@pytest.mark.parametrize(
    "said",
    [
        "this is **very** good",
        "**Bold**, *slanted* and (***both***) in one line",
        "> > quoted words\n1. - one point\n* * *\n# The end",
        "| one\n|:---|---|\n---\nmore",
        "a footnote* here",
    ],
)
def test_markup_has_no_signs(said: str) -> None:
    assert signs(said) == Counter()


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("f(a) - 2", "f(a) + 2", [("-", "+")]),
        ("say 2**3 now", "say 2*3 now", [("**", "*")]),
        ("in C++.", "in C# please", [("++", "#")]),
        ("it is -5 or x", "it is ~5 or x", [("-", "~")]),
        ("计算x+减的值", "请问x-减", [("+", "-")]),
        ("x &lt; y", "x < y", []),
        ("this and/or that", "this and-or that", []),
        ("a - b", "a b", []),
        ("a - b, c + d", "a - e, c d", []),
        ("a long - dash", "a long --- dash", []),
    ],
)
def test_signs_are_exchanged_between_the_same_words_alone(
    one: str, other: str, told: list[tuple[str, str]]
) -> None:
    assert exchanged(signs(one), signs(other)) == told
    assert exchanged(signs(other), signs(one)) == [pair[::-1] for pair in told]


@pytest.mark.parametrize(
    ("one", "other", "unlike"),
    [
        ("x += 1", "y -= 1", True),
        ("x += 1", "y += 1", False),
        ("p -> q", "p <- q", True),
        ("a + b", "a b", False),
        ("a + b, c - d", "a b + e, c d", False),
    ],
)
def test_rows_are_apart_by_another_sign_beside_one_word(one: str, other: str, unlike: bool) -> None:
    assert unlike_signs(signs(one), signs(other)) is unlike
    assert unlike_signs(signs(other), signs(one)) is unlike


PRICES = (
    "In this country the price of one loaf of bread rose from 4 to 7 coins in a year, where"
    " inflation stayed < 9 percent and wages rose not at all; explain why that may have been so"
)
KINGS = "Name the **three** kings of the old island that ruled in turn and say which was the last"
FRUIT = (
    "Tom & Ann have 12 apples and 9 pears between them, of which Ann gives 4 pears to her"
    " brother; how many pieces of fruit do they have left in the evening of that day?"
)


@pytest.mark.parametrize(
    ("item", "row"),
    [
        (PRICES, html.escape(PRICES)),
        (PRICES, f"Answer this - please / now. {html.escape(PRICES)} {text(60)}"),
        (KINGS, KINGS.replace("**three**", "- three -")),
        (KINGS, f"Q / A: {KINGS.replace('**', '')}"),
        (FRUIT, f"Solve - step by step: {FRUIT.replace('&', 'and')}"),
        (FRUIT, f"Solve - step by step: {FRUIT.replace('&', 'and')} {text(70)}"),
    ],
)
def test_markup_and_signs_elsewhere_hide_no_item(item: str, row: str) -> None:
    rows = [*(example(text(20)) for _ in range(30)), example(row)]

    assert found(rows, [item]).drop.keys() == {30}


def test_another_operator_is_told_and_hides_no_long_item() -> None:
    short, long = "Work out the sum alpha + beta by hand", f"{text(30)} alpha + beta {text(30)}"
    rows = [example(one.replace("+", "-"), line=at) for at, one in enumerate((short, long))]

    told = found(rows, [short, long])

    assert told.review[0].detail == "rows.jsonl asks what rows.jsonl:1 asks, but with `-` for `+`"
    assert told.drop.keys() == {1}
    assert "leak_ngram" in told.drop[1].reason


def test_an_operator_that_the_answer_writes_as_the_item_does_is_no_doubt() -> None:
    item = "Work out the sum alpha + beta by hand"
    rows = [example(item.replace("+", "-"), f"You mean: {item}")]

    assert found(rows, [item]).drop.keys() == {0}


def dialogue(*asks: str) -> Example:
    said = [example(one, text(4)).messages for one in asks]
    return replace(example("x"), messages=tuple(chain(*said)))


def test_every_turn_of_a_dialogue_is_looked_at() -> None:
    sums = "what does the operator a {} b do in this old language"
    kings = "who was the very first king of france"
    rows = [dialogue(sums.format("-"), kings), dialogue(sums.format("-"), text(9))]

    told = found(rows, [sums.format("+"), kings])

    assert told.drop.keys() == {0}
    assert told.review.keys() == {1}


@pytest.mark.parametrize("crowd", [30, 150, 400])
def test_a_turn_that_a_crowd_of_rows_begins_with_makes_no_leak_of_them(crowd: int) -> None:
    opening, asked = text(18), text(10)
    rows = [example(f"{opening}\n{text(14)}") for _ in range(crowd)]
    rows += [dialogue(opening, text(14)) for _ in range(crowd)]
    leak = example(f"{text(4)} {asked} {text(4)}")
    others = [example(text(20)) for _ in range(crowd)]
    items = [dialogue(opening, "thanks a lot"), dialogue(opening, asked)]
    tasks = [replace(one, source=Source(uri="items", line=at)) for at, one in enumerate(items, 1)]

    for task, drop in zip(tasks, (set(), {2 * crowd}), strict=True):
        file = Ingested(uri="items", file_digest="", layout="messages", examples=[task])
        told = leaks([*rows, leak, *others], [Asked(name="s", file=file)], SECTION)

        assert told.drop.keys() == drop
