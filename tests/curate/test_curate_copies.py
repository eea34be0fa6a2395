"""Copies, leaks and dialogues are found however many there are, and whatever calls are named."""

from __future__ import annotations

import random
from collections.abc import Sequence
from string import ascii_lowercase

import pytest

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.recipe import Curate, Duplicates
from tutelage.core.row import Example, Source
from tutelage.curate.checks import answered
from tutelage.curate.decontaminate import leaks
from tutelage.curate.dedup import exact, near
from tutelage.curate.shelf import Rows
from tutelage.curate.sources import Asked
from tutelage.curate.split import split
from tutelage.curate.traits import sampled
from tutelage.store.ingest import Ingested

SECTION = Curate.model_validate(
    {"sources": [{"path": "r", "origin": "human", "licence": "MIT"}], "validation": 0.2}
)
DRAWN = random.Random(7)
HOURS = "the town hall of the old harbour opens its doors each day for all who live there at"


def words(count: int) -> str:
    return " ".join("".join(DRAWN.choices(ascii_lowercase, k=9)) for _ in range(count))


def row(*said: str, line: int = 1) -> Example:
    roles = ("user", "assistant")
    turns = [Message(role=roles[at % 2], content=text) for at, text in enumerate(said)]
    return rows_of(turns, line)


def rows_of(messages: Sequence[Message], line: int = 1) -> Example:
    source = Source(uri="r", line=line)
    return Example(messages=tuple(messages), origin="human", licence="MIT", source=source)


OTHERS = [row(words(30), words(30)) for _ in range(300)]


def suite(*items: Example) -> list[Asked]:
    file = Ingested(uri="t", file_digest="", layout="messages", examples=list(items))
    return [Asked(name="s", file=file)]


@pytest.mark.parametrize("copies", [4, 5, 12, 30])
def test_of_copies_one_row_stays_and_they_stand_on_one_side(copies: int) -> None:
    asked, said = words(40), words(40)
    rows = [*OTHERS, *(row(f"{asked} {words(1)}", said) for _ in range(copies))]

    found = near(rows, Duplicates())
    placed = split(rows, SECTION, 3)

    assert sorted(found.rows) == list(range(301, 300 + copies))
    assert len(set(placed.held[300:].tolist())) == 1
    assert placed.largest == copies


@pytest.mark.parametrize("count", [4, 5, 30])
def test_leaks_of_an_item_go_however_many_they_are(count: int) -> None:
    item = words(30)
    wrapped = [row(f"{words(25)} {item} {words(25)}", words(9)) for _ in range(count)]
    nearly = [row(f"{item} {words(1)}", words(9)) for _ in range(count)]

    found = leaks([*OTHERS, *wrapped, *nearly], suite(row(item, "x")), SECTION)

    assert sorted(found.drop) == list(range(300, 300 + 2 * count))


def test_rows_under_an_instruction_of_several_items_are_no_leaks() -> None:
    told = words(40)
    rows = [*OTHERS, *(row(f"{told} {words(3)}", "yes") for _ in range(40))]

    found = leaks(rows, suite(*(row(f"{told} {words(3)}", "x") for _ in range(4))), SECTION)

    assert (found.drop, found.review) == ({}, {})
    assert found.spanless == 4


@pytest.mark.parametrize(("copies", "others"), [(25, 35), (300, 0)])
def test_a_crowd_of_edited_copies_repeats_itself_and_stands_on_one_side(
    copies: int, others: int
) -> None:
    asked, said = words(200).split(), words(200).split()
    rows = [*OTHERS[:others]]
    for _ in range(copies):
        pair = [list(asked), list(said)]
        for side in pair:
            side[DRAWN.randrange(200)] = words(1)
        rows.append(row(" ".join(pair[0]), " ".join(pair[1])))

    placed = split([*rows, *OTHERS[100:200]], SECTION, 3)

    assert len(near(rows, Duplicates()).rows) == copies - 1
    assert placed.largest == copies


def test_labels_of_requests_that_differ_in_a_word_all_stay() -> None:
    told = words(40)
    rows = [*OTHERS, *(row(f"{told} {words(1)}", "yes") for _ in range(30))]

    assert near(rows, Duplicates()).rows == {}
    assert list(near([*rows, row(f"now {told} w", "yes")], Duplicates()).rows) == []
    assert list(near([row(told, "yes"), row(f"{told} w", "yes")], Duplicates()).rows) == [1]


def test_rows_whose_contexts_differ_in_a_number_or_in_words_are_kept() -> None:
    def under(context: str) -> Example:
        said = row("When may I enter the town hall of the harbour today?", "I cannot say that.")
        return rows_of([Message(role="system", content=context), *said.messages])

    assert near([under(f"{HOURS} {hour} sharp") for hour in ("9", "17")], Duplicates()).rows == {}
    other = HOURS.replace("old harbour", "new airport")
    assert near([under(HOURS), under(other)], Duplicates(jaccard=0.4)).rows == {}
    assert list(near([under(HOURS), under(f"{HOURS} once")], Duplicates()).rows) == [1]


def test_a_dialogue_of_short_turns_inside_a_longer_one_is_a_leak() -> None:
    item = ("I want a table", "Fine.", "for two people please", "Ok.", "at seven in the evening")
    item += ("Ok.", "close to the harbour", "Done.", "yes that is right")
    more = ("Noted.", "and a taxi for us all", "Ok.", "to the central station", "Done.")

    found = leaks([*OTHERS, row(*item, *more)], suite(row(*item)), SECTION)

    assert list(found.drop) == [300]
    assert "100%" in found.drop[300].detail


def test_rows_that_differ_in_the_ids_of_calls_alone_are_one() -> None:
    def calling(name: str, city: str = "Rome") -> Example:
        call = ToolCall(name="w", arguments={"city": city}, id=name)
        said = [
            Message(role="user", content="the weather please"),
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", content="sun", tool_call_id=name),
            Message(role="assistant", content="It is fine."),
        ]
        return rows_of(said)

    rows = [calling("call_1"), calling("call_2"), calling("call_1", "Bonn")]

    assert list(exact(rows)) == [1]
    told = answered(rows)
    assert (told.prompt.tolist(), told.answer.tolist()) == ([0, 0, 2], [0, 0, 2])
    ends = [rows_of(one.messages[:2]) for one in rows]
    assert list(exact(ends)) == [1]


def test_leaks_and_groups_do_not_hang_on_what_repeats_are() -> None:
    asked = words(20)
    strict = SECTION.model_copy(update={"duplicates": Duplicates(jaccard=1.0)})
    rows = [*OTHERS, row(asked, "a"), row(f"{asked} please", "b")]

    assert list(leaks(rows, suite(row(f"{asked} now", "x")), strict).drop) == [300, 301]
    assert split(rows, strict, 1).groups == 301


def test_an_answer_that_many_give_hides_no_repeats_of_their_requests() -> None:
    said = words(40)
    rows = [*OTHERS, *(row(words(20), said) for _ in range(40))]
    asked = words(30)

    found = near([*rows, row(asked, said), row(f"{asked} please", said)], Duplicates())

    assert list(found.rows) == [341]
    assert found.counts["rows whose answer repeats another's"] == 40


def test_a_sample_of_rows_holds_the_same_ones_in_any_order() -> None:
    turned = OTHERS[::-1]

    some = [OTHERS[index].id for index in sampled(Rows.of(OTHERS), 50)]

    assert len(some) == 50
    assert some == [turned[index].id for index in sampled(Rows.of(turned), 50)][::-1]
    assert some != [one.id for one in OTHERS[:50]]
