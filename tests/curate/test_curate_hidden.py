"""Leaks that hide: in signs nobody sees, and in a crowd of their own copies."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.curate.test_curate_steps import example
from tutelage.core.recipe import Curate, Recipe
from tutelage.core.row import Example
from tutelage.curate import run as door
from tutelage.curate.decontaminate import Leaks, leaks
from tutelage.curate.dedup import near
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
    rows = [example(plain, line=1), example(plain.replace("- ", "* ").replace("**", "__"), line=2)]

    assert near(rows, SECTION.duplicates).rows.keys() == {1}
