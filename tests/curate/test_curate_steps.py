"""Each step of curation on rows written out."""

from dataclasses import replace

from tutelage.core.conversation import Message
from tutelage.core.digest import Json
from tutelage.core.ledger import LedgerEntry, Reason
from tutelage.core.recipe import Curate, Duplicates, SourceFile
from tutelage.core.row import Example, Origin, Source
from tutelage.curate.checks import conflicts, outside_schema, outvoted
from tutelage.curate.decontaminate import Leaks, leaks
from tutelage.curate.dedup import exact, near
from tutelage.curate.sources import Asked
from tutelage.store.ingest import Ingested

LOOSE = Duplicates(jaccard=0.7)
LONG = "please book a quiet table for my family near the old harbour on the first sunday of may"
ANSWER = "of course, i will book that table for you and send you a message once it is done"


def example(
    user: str,
    answer: str = "Yes",
    *,
    line: int = 1,
    origin: Origin = "human",
    system: str = "",
) -> Example:
    said = [Message(role="user", content=user), Message(role="assistant", content=answer)]
    if system:
        said.insert(0, Message(role="system", content=system))
    return Example(
        messages=tuple(said),
        origin=origin,
        licence="CC0-1.0",
        source=Source(uri="rows.jsonl", line=line),
    )


def section(coverage: float) -> Curate:
    return Curate.model_validate(
        {
            "sources": [SourceFile(path="rows.jsonl", origin="human", licence="CC0-1.0")],
            "leakage": {"coverage": coverage},
        }
    )


def suite(*tasks: Example) -> list[Asked]:
    placed = [
        replace(task, source=Source(uri="test.jsonl", line=line))
        for line, task in enumerate(tasks, start=1)
    ]
    file = Ingested(uri="test.jsonl", file_digest="d", layout="messages", examples=placed)
    return [Asked(name="s", file=file)]


def told(found: dict[int, LedgerEntry]) -> dict[int, tuple[str, str]]:
    return {index: (str(entry.reason), entry.detail) for index, entry in found.items()}


def test_a_row_that_repeats_another_but_for_case_and_blanks_goes() -> None:
    rows = [example("Hi there", line=1), example("hi  There", line=2), example("Hi you", line=3)]

    assert told(exact(rows)) == {
        1: (
            "exact_duplicate",
            "rows.jsonl:2 repeats, but for case and blanks, rows.jsonl:1",
        )
    }
    assert exact([example("Hi", "Yes"), example("Hi", "No"), example("Hi!", "Yes")]) == {}


def test_the_row_written_by_people_stays() -> None:
    origins: tuple[Origin, ...] = ("log", "synthetic", "human", "human_edited")
    rows = [example("Hi", line=line, origin=origin) for line, origin in enumerate(origins)]

    assert sorted(exact(rows)) == [0, 1, 3]
    assert {entry.other_row for entry in exact(rows).values()} == {rows[2].id}


def test_of_rows_of_one_origin_the_better_one_stays() -> None:
    rows = [
        replace(example("Hi", line=1), tags={"quality": "0.2"}),
        replace(example("Hi", line=2), tags={"quality": "0.9"}),
        example("Hi", line=3, origin="log"),
        replace(example("Hi", line=4, origin="synthetic"), tags={"quality": "9"}),
    ]

    assert {str(rows[index].source): one.detail for index, one in exact(rows).items()} == {
        f"rows.jsonl:{line}": f"rows.jsonl:{line} repeats rows.jsonl:2" for line in (1, 3, 4)
    }
    assert sorted(exact(rows[2:])) == [1]
    odd = [replace(rows[0], tags={"quality": word}) for word in ("nan", "good")]
    assert sorted(exact([*odd, replace(rows[1], weight=2.0, tags={})])) == [0, 1]


def test_a_near_duplicate_in_request_and_answer_goes() -> None:
    rows = [example(LONG, ANSWER, line=1), example(f"{LONG} thanks", f"{ANSWER} now", line=2)]

    assert told(near(rows, LOOSE).rows) == {
        1: ("near_duplicate", "rows.jsonl:2 is like rows.jsonl:1, Jaccard 0.93")
    }


def test_rows_that_differ_in_what_is_taught_are_kept() -> None:
    other = "no, that table is taken all through the month and so are all of the others"
    call = '{"name": "book", "arguments": {"place": "the old harbour", "guests": "my whole family"'

    assert near([example(LONG, ANSWER), example(f"{LONG} thanks", other)], LOOSE).rows == {}
    # JSON answers are alike only if they are the same value
    ends = (', "on": "first sunday of may"}}', ', "on": "last sunday of may"}}')
    rows = [example(LONG, call + ends[0]), example(f"{LONG} ok", call + ends[1])]
    assert near(rows, LOOSE).rows == {}
    reordered = '{"arguments": {"b": 2, "a": 1}, "name": "f"}'
    same = '{"name":"f","arguments":{"a":1,"b":2}}'
    assert list(near([example(LONG, same), example(f"{LONG} ok", reordered)], LOOSE).rows) == [1]


def test_rows_with_other_numbers_are_kept() -> None:
    one, two = (f"{LONG}, the table for {count} people that i spoke of" for count in (4, 5))

    assert near([example(one, ANSWER), example(two, ANSWER)], LOOSE).rows == {}


def test_rows_that_exchange_a_word_for_another_are_kept() -> None:
    begin = "what is the title of the national anthem of the beautiful and old country of"
    rows = [example(f"{begin} {country}", "Not known") for country in ("malta", "portugal")]

    assert near(rows, LOOSE).rows == {}
    assert list(near([*rows, example(f"please, {begin} malta", "Not known")], LOOSE).rows) == [2]


def test_one_word_in_twenty_may_be_exchanged() -> None:
    told = f"{LONG} and please tell us by letter whether that day is fine for all of you"
    rows = [example(told, ANSWER), example(told.replace("letter", "mail"), ANSWER)]

    assert list(near(rows, LOOSE).rows) == [1]


def test_rows_with_another_context_are_kept() -> None:
    rows = [
        example(LONG, ANSWER, system="You are a cook."),
        example(f"{LONG} ok", ANSWER, system="You are a waiter."),
    ]

    assert near(rows, LOOSE).rows == {}


def test_a_row_is_dropped_only_for_one_that_stays() -> None:
    words = LONG.split()
    middle, last = " ".join(words[2:]), " ".join(words[5:])  # last is like middle alone
    rows = [example(text, line=line) for line, text in enumerate((LONG, middle, last), start=1)]

    assert [(index, entry.other_row) for index, entry in near(rows, LOOSE).rows.items()] == [
        (1, rows[0].id)
    ]


def test_short_rows_that_differ_are_all_kept() -> None:
    rows = [example(text) for text in ("Say hello.", "Say goodbye.", "Add 3", "Add -3", "C", "C++")]

    assert near(rows, Duplicates(jaccard=0.1)).rows == {}


def test_rows_that_answer_one_prompt_differently_are_for_review() -> None:
    rows = [
        example("Hi", "Yes", line=1),
        example(" hi", "No", line=2),
        example("Ho", "Yes", line=3),
        example("Ho", "no", line=4, system="Be rude."),
    ]

    found = conflicts(rows)

    assert [(entry.row, entry.reason, entry.other_row) for entry in found] == [
        (rows[0].id, Reason.CONFLICTING_LABEL, rows[1].id),
        (rows[1].id, Reason.CONFLICTING_LABEL, rows[0].id),
    ]
    assert found[0].detail == "rows.jsonl:1 answers the prompt of rows.jsonl:2 otherwise"


def test_answers_the_contract_does_not_allow_are_for_review() -> None:
    rows = [example("Hi", '{"a": 1}'), example("Ho", '{"a": "x"}'), example("Hu", "Yes")]
    schema: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}

    found = outside_schema(rows, schema)

    assert [(place, entry.row, str(entry.reason)) for place, entry in found.items()] == [
        (1, rows[1].id, "invalid_output"),
        (2, rows[2].id, "invalid_output"),
    ]


def test_rows_that_most_others_contradict_go_and_where_none_has_most_all() -> None:
    rows = [
        example("Hi", "Yes", line=1),
        example("hi", "yes ", line=2),
        example("Hi", "No", line=3),
        example("Ho", "Yes", line=4),
        example("Ho", "No", line=5),
        example("Hu", "No", line=6),
    ]

    found = outvoted(rows)

    assert [(place, entry.other_row, str(entry.decision)) for place, entry in found.items()] == [
        (2, rows[0].id, "drop"),
        (3, rows[4].id, "drop"),
        (4, rows[3].id, "drop"),
    ]


def find(rows: list[Example], *tasks: Example, coverage: float = 0.5) -> Leaks:
    return leaks(rows, suite(*tasks), section(coverage=coverage))


def test_a_row_that_asks_what_a_task_asks_is_a_leak() -> None:
    rows = [example("What now?"), example("what  NOW"), example("What then?")]

    found = find(rows, example("What now?", "something else"))

    assert told(found.drop) == {
        0: ("leak_exact", "rows.jsonl:1 asks what test.jsonl:1 asks"),
        1: ("leak_exact", "rows.jsonl:1 asks what test.jsonl:1 asks"),
    }


def test_signs_keep_short_requests_apart() -> None:
    assert find([example("3 - 4")], example("3 + 4")).drop == {}


def test_a_task_asked_in_a_later_turn_is_a_leak() -> None:
    first = example("Hello", "Hello")
    asked = "what is the name of that place"
    row = replace(first, messages=(*first.messages, *example(asked).messages), id="")

    assert list(find([row], example(f"{asked}?")).drop) == [0]


def test_a_task_wrapped_in_a_long_row_is_a_leak() -> None:
    row = example("Tell me a story", f"{'Once there was a king. ' * 40}{LONG} {ANSWER}")

    assert told(find([row], example(LONG)).drop) == {
        0: ("leak_ngram", "rows.jsonl:1 holds 100% of the 13-word spans of test.jsonl:1")
    }


def test_a_small_part_of_a_task_is_for_review() -> None:
    part = " ".join(LONG.split()[:14])
    row = example(f"{part} or some other time, whatever is best for you and the kitchen")

    found = find([row], example(LONG))

    assert found.drop == {}
    assert [entry.detail for entry in found.review.values()] == [
        "rows.jsonl:1 holds 33% of the 13-word spans of test.jsonl:1"
    ]
    assert list(find([row], example(LONG), coverage=0.3).drop) == [0]


def test_a_near_duplicate_of_a_task_is_a_leak() -> None:
    task = "could you book a table for two at the harbour"
    found = find([example(f"{task} please")], example(task))

    assert told(found.drop) == {
        0: ("leak_near", "rows.jsonl:1 asks much like test.jsonl:1, Jaccard 0.86")
    }


def test_an_instruction_in_every_row_and_task_is_no_leak() -> None:
    told_first = (
        "read the request below with care and answer it with one single line of plain text "
        "that names the town"
    )
    rows = [example(f"{told_first}: town{index}") for index in range(30)]
    tasks = [example(f"{told_first}: city{index}") for index in range(30)]

    found = find([*rows, example(f"{told_first}: city7")], *tasks)

    assert told(found.drop) == {30: ("leak_exact", "rows.jsonl:1 asks what test.jsonl:8 asks")}
    assert found.review == {}
