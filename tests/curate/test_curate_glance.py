"""A glance passes over no row in which a closer look would find an evaluation item."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.recipe import Curate
from tutelage.core.row import Example, Source
from tutelage.curate.decontaminate import leaks
from tutelage.curate.sides import answer_key, keys, prompt_key
from tutelage.curate.signs import signs
from tutelage.curate.sources import Asked
from tutelage.store.ingest import Ingested

SECTION = Curate.model_validate(
    {"sources": [{"path": "r", "origin": "human", "licence": "MIT"}], "validation": 0.2}
)
PARTS = (
    "the north gate of the old town opens at noon",
    "for all who come by boat or on foot",
    "and nobody knows why it is shut on the last day of may",
    "Answer in one word:",
    "l'été où — naïve café",
    "a < b",
    "json",
    "x",
)
said = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map(" ".join)
turns = st.lists(said, min_size=2, max_size=4)


def row(texts: list[str], line: int) -> Example:
    roles = ("user", "assistant")
    messages = [Message(role=roles[at % 2], content=text) for at, text in enumerate(texts)]
    source = Source(uri="r", line=line)
    return Example(messages=tuple(messages), origin="human", licence="MIT", source=source)


def closely(one: Example) -> Example:
    """The row with something beside its words, so that it is always looked at closely."""
    return replace(one, messages=tuple(replace(turn, reasoning="") for turn in one.messages), id="")


@settings(max_examples=150, derandomize=True, deadline=None)
@given(rows=st.lists(turns, min_size=1, max_size=8), items=st.lists(said, min_size=1, max_size=4))
def test_what_is_found_after_a_glance_is_what_a_close_look_at_all_finds(
    rows: list[list[str]], items: list[str]
) -> None:
    read = [row(texts, at) for at, texts in enumerate(rows, 1)]
    tasks = [row([text, "x"], at) for at, text in enumerate(items, 1)]
    file = Ingested(uri="s", file_digest="", layout="messages", examples=tasks)
    quick, slow = (
        leaks(some, [Asked(name="s", file=file)], SECTION)
        for some in (read, list(map(closely, read)))
    )

    assert list(quick.items.items()) == list(slow.items.items())
    for mine, other in ((quick.drop, slow.drop), (quick.review, slow.review)):
        assert [(at, one.detail) for at, one in mine.items()] == [
            (at, one.detail) for at, one in other.items()
        ]


def test_a_turn_that_asks_an_item_is_found_among_longer_ones() -> None:
    item = row(["why is the north gate shut", "x"], 1)
    talk = row([f"{PARTS[1]} {PARTS[2]}", "wait", "why is the north gate shut?", "no idea"], 1)
    file = Ingested(uri="s", file_digest="", layout="messages", examples=[item])

    assert list(leaks([talk], [Asked(name="s", file=file)], SECTION).drop) == [0]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    texts=st.lists(st.text(alphabet='aB 1\n"\\\t.,é\x1c\x00Ж', max_size=9), min_size=2, max_size=4)
)
def test_keys_of_many_rows_are_those_of_each(texts: list[str]) -> None:
    plain = row(texts, 1)
    last = replace(plain.messages[-1], train=True, weight=0.5)
    call = ToolCall(name="f", arguments={"a": texts[0]}, id="1")
    calls = Message(role="assistant", content="", tool_calls=(call,))
    rows = [
        plain,
        replace(plain, messages=(*plain.messages[:-1], last), id=""),
        replace(plain, messages=(*plain.messages, calls), id=""),
        replace(plain, tools=({"name": "f"},), id=""),
    ]

    prompts, answers = keys(rows)

    assert [one.hex() for one in prompts] == list(map(prompt_key, rows))
    assert [one.hex() for one in answers] == list(map(answer_key, rows))


@pytest.mark.parametrize("sign", ["+", "->", "<=", "!=", "*", "--", "/"])
@pytest.mark.parametrize("form", ["a1 {} b", "x{}y z", "({} b)", "{}", "say a {}", "a {}{} b_c"])
def test_signs_stand_between_the_same_words_in_every_script(sign: str, form: str) -> None:
    text = form.replace("{}", sign)
    beyond = signs(f"{text} \u0436")  # a word that is not in ASCII, and no sign beside it

    assert set(signs(f"{text} zh")) == {
        tuple("zh" if part == "\u0436" else part for part in one) for one in beyond
    }


@pytest.mark.parametrize("last", ["c", "cc"])
def test_an_item_is_found_inside_a_row_however_short_its_last_word_is(last: str) -> None:
    item = f"which of these foods holds most vitamin {last}"
    around = [
        f"here is a long page on what people eat all year: {item} and then it went on",
        "well",
    ]
    file = Ingested(uri="s", file_digest="", layout="messages", examples=[row([item, "x"], 1)])
    found = leaks([row(around, 1)], [Asked(name="s", file=file)], SECTION)
    assert list(found.drop) == [0]
