"""The door of improve: feedback in, a review file a person edits, approved rows out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.served import SCHEMA, answered, rated, released
from tutelage.core.errors import RowError, StoreError
from tutelage.core.event import Event
from tutelage.core.recipe import Improve, Reading, Recipe
from tutelage.core.row import Generator
from tutelage.improve.propose import REDACTED
from tutelage.improve.run import AGAIN, Improved, run
from tutelage.improve.triage import KINDS, SAYS, newest, triage
from tutelage.store.ingest import read_examples
from tutelage.store.journal import Journal
from tutelage.store.release import ReleaseFolder

SECTION = Improve(licence="CC0-1.0", propose=("corrected", "praised"))
RIGHT = '{"team": "shipping"}'


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "events.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def release(tmp_path: Path) -> ReleaseFolder:
    return released(tmp_path, schema=SCHEMA)


@pytest.fixture
def improve(tmp_path: Path, release: ReleaseFolder, journal: Journal) -> Any:
    """Runs the door in the project's folder."""

    def go(section: Improve = SECTION) -> Improved:
        return run(section, release, journal, tmp_path)

    return go


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "review.jsonl").read_text().splitlines()]


def rewrite(folder: Path, forms: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(form) + "\n" for form in forms)
    (folder / "review.jsonl").write_text(text, encoding="utf-8")


def rows(folder: Path) -> list[dict[str, Any]]:
    written = (folder / "data" / "feedback.jsonl").read_text().splitlines()
    return [json.loads(line) for line in written]


def test_a_failure_is_of_the_first_kind_that_fits(release: ReleaseFolder, journal: Journal) -> None:
    wrong: list[dict[str, Any]] = [
        {"parsed": False, "valid": False},
        {"valid": False},
        {"finish": "content_filter", "parsed": None, "valid": None},
        {"finish": "length"},
        {},
    ]
    for changed in wrong:
        rated(journal, answered(journal, release, **changed), "down")
    rated(journal, answered(journal, release), None, correction=RIGHT)
    rated(journal, answered(journal, release), "up")
    rated(journal, answered(journal, release), None, comment="hm")
    answered(journal, release, valid=False)  # nobody said anything

    found = triage(journal, release.digest)

    assert set(found.counts.values()) == {1}
    assert tuple(found.counts) == KINDS == tuple(SAYS)
    assert found.astray == 0


def test_what_was_said_last_counts_and_a_correction_keeps_its_author(
    release: ReleaseFolder, journal: Journal
) -> None:
    served = answered(journal, release)
    rated(journal, served, "up", author="ann")
    rated(journal, served, None, correction=RIGHT, author="bo")
    rated(journal, served, "down", comment="late", author="cy")

    (case,) = triage(journal, release.digest).cases

    assert (case.kind, case.rating, case.correction) == ("corrected", "down", RIGHT)
    assert (case.author, case.comment) == ("bo", "late")


def test_feedback_about_no_known_answer_is_counted(
    release: ReleaseFolder, journal: Journal
) -> None:
    journal.append(
        "feedback", release=release.digest, subject="chatcmpl-gone", payload={"rating": "up"}
    )
    assert triage(journal, release.digest).astray == 1


def test_the_newest_cases_come_first(release: ReleaseFolder, journal: Journal) -> None:
    served = [answered(journal, release) for _ in range(5)]
    for one in reversed(served):
        rated(journal, one, "down")
    found = newest(triage(journal, release.digest).of("rated_down"), 2)
    assert [case.completion.id for case in found] == [served[4].id, served[3].id]


def test_a_correction_is_proposed_with_all_that_tells_where_it_is_from(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    served = answered(journal, release, user="user-7")
    feedback = rated(journal, served, "down", correction=RIGHT, author="ann", comment="wrong team")

    assert (improve().added, improve().added) == (1, 0)

    assert lines(tmp_path) == [
        {
            "approved": None,
            "kind": "corrected",
            "comment": "wrong team",
            "feedback": feedback.id,
            "answer": '{"team": "billing"}',
            "row": {
                "messages": [
                    {"role": "user", "content": "My invoice is wrong."},
                    {"role": "assistant", "content": RIGHT},
                ],
                "origin": "human_edited",
                "licence": "CC0-1.0",
                "source": {"uri": f"event:{served.id}", "line": 0, "digest": served.digest},
                "author": "ann",
                "editor": "ann",
                "generator": release.label,
                "consent_key": "user-7",
                "tags": {"kind": "corrected", "release": release.digest},
            },
        }
    ]
    assert not (tmp_path / "data").exists()


def test_a_praised_answer_is_proposed_only_where_the_recipe_says_so(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    rated(journal, answered(journal, release), "up", author="ann")
    assert improve(Improve(licence="CC0-1.0")).added == 0
    assert improve().added == 1
    (line,) = lines(tmp_path)
    assert line["row"]["origin"] == "log"
    assert line["row"]["messages"][-1]["content"] == line["answer"]
    assert "editor" not in line["row"]


def test_a_praised_answer_that_was_broken_off_must_be_ended_before_it_is_approved(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    rated(journal, answered(journal, release, finish="length"), "up")
    assert improve().with_problem == 1
    (line,) = lines(tmp_path)
    assert line["problem"] == "its answer was broken off (length): end it, or refuse it"
    rewrite(tmp_path, [{**line, "approved": True}])
    with pytest.raises(RowError):
        improve()
    line["row"]["messages"][-1]["content"] = RIGHT
    rewrite(tmp_path, [{**line, "approved": True}])
    assert improve().rows == 1


@pytest.mark.parametrize(
    "said", [{"finish": "content_filter", "answer": ""}, {"finish": "error"}, {"error": "misfit"}]
)
def test_what_was_never_answered_is_not_proposed_as_praised(
    said: dict[str, Any], release: ReleaseFolder, journal: Journal, improve: Any
) -> None:
    rated(journal, answered(journal, release, **said), "up")
    improved = improve()
    assert (improved.added, improved.without_answer) == (0, 1)


def test_a_second_row_of_one_event_is_told_with_its_line(improve: Any, tmp_path: Path) -> None:
    row = {
        "messages": [
            {"role": "user", "content": "Where is it?"},
            {"role": "assistant", "content": RIGHT},
        ],
        "origin": "human_edited",
        "licence": "CC0-1.0",
        "source": {"uri": "event:chatcmpl-1", "line": 0},
    }
    (tmp_path / "data").mkdir()
    written = "".join(json.dumps({**row, "author": name}) + "\n" for name in ("ann", "bo"))
    (tmp_path / "data" / "feedback.jsonl").write_text(written)
    with pytest.raises(RowError) as caught:
        improve()
    (bad,) = caught.value.rows
    assert (bad.where, bad.problem) == (
        "data/feedback.jsonl:2",
        "event:chatcmpl-1 is also in line 1",
    )


def test_earlier_answers_of_the_conversation_are_read_and_not_taught(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Where is it?"},
    ]
    rated(journal, answered(journal, release, messages=turns), "down", correction=RIGHT)
    improve()
    taught = [turn.get("train") for turn in lines(tmp_path)[0]["row"]["messages"]]
    assert taught == [None, False, None, None]


def test_text_that_was_not_kept_cannot_be_proposed_and_redacted_text_says_so(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    gone = answered(journal, release, kept="nothing", messages=None, answer=None)
    rated(journal, gone, "down", correction=RIGHT)
    replaced = [{"role": "user", "content": "Write to [EMAIL]."}]
    for messages in (replaced, [{"role": "user", "content": "Write to me."}]):
        served = answered(journal, release, kept="redacted", messages=messages)
        rated(journal, served, "down", correction=RIGHT)

    improved = improve()

    assert (improved.without_text, improved.added) == (1, 2)
    assert [line.get("note") for line in lines(tmp_path)] == [REDACTED, None]


def test_a_name_that_was_replaced_is_no_name(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    served = answered(journal, release, kept="redacted", user="[EMAIL]")
    rated(journal, served, "down", correction=RIGHT, author="[PHONE]")
    improve()
    row = lines(tmp_path)[0]["row"]
    assert {"author", "editor", "consent_key"} & row.keys() == set()


def test_the_tools_an_answer_could_call_are_part_of_the_row(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    tools = [{"type": "function", "function": {"name": "find", "parameters": {}}}]
    rated(journal, answered(journal, release, tools=tools), "down", correction=RIGHT)
    assert improve().with_problem == 0
    assert lines(tmp_path)[0]["row"]["tools"] == tools


@pytest.mark.parametrize(
    ("correction", "problem"),
    [
        ("shipping, please", "its answer is not JSON, which the contract asks for"),
        ('{"team": "kitchen"}', "its answer does not satisfy the contract's output schema"),
    ],
)
def test_a_correction_the_contract_does_not_allow_cannot_be_approved_before_it_is_mended(
    release: ReleaseFolder,
    journal: Journal,
    improve: Any,
    tmp_path: Path,
    correction: str,
    problem: str,
) -> None:
    rated(journal, answered(journal, release), "down", correction=correction)
    assert improve().with_problem == 1
    (line,) = lines(tmp_path)
    assert line["problem"] == problem

    rewrite(tmp_path, [{**line, "approved": True}])
    with pytest.raises(RowError) as caught:
        improve()
    assert caught.value.rows[0].where == "review.jsonl:1"
    assert caught.value.rows[0].problem == f"it is approved, but {problem}"

    line["row"]["messages"][-1]["content"] = RIGHT
    rewrite(tmp_path, [{**line, "approved": True}])
    assert improve().rows == 1
    assert "problem" not in lines(tmp_path)[0]


def test_approved_rows_are_written_in_the_order_of_events_and_only_once(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    for name in ("c", "a", "b"):
        served = answered(journal, release, id=f"chatcmpl-{name}")
        rated(journal, served, "down", correction=RIGHT)
    improve()
    review = lines(tmp_path)
    rewrite(tmp_path, [{**line, "approved": index != 1} for index, line in enumerate(review)])

    first = improve()

    assert (first.rows, first.rows_changed, first.refused) == (2, True, 1)
    assert [row["source"]["uri"] for row in rows(tmp_path)] == [
        "event:chatcmpl-b",
        "event:chatcmpl-c",
    ]
    before = (tmp_path / "data" / "feedback.jsonl").read_bytes()
    again = improve()
    assert (again.added, again.rows_changed) == (0, False)
    assert (tmp_path / "data" / "feedback.jsonl").read_bytes() == before


def test_what_people_edited_stays_and_only_what_is_new_is_added(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    first = answered(journal, release)
    rated(journal, first, "down", correction=RIGHT)
    improve()
    (line,) = lines(tmp_path)
    line["row"]["messages"][0]["content"] = "Where is my parcel?"
    line["row"]["editor"] = "reviewer"
    rewrite(tmp_path, [{**line, "approved": True}])
    rated(journal, answered(journal, release), "down", correction=RIGHT)
    rated(journal, first, None, correction='{"team": "billing"}')

    improved = improve()

    assert (improved.added, improved.waiting, improved.approved, improved.renewed) == (1, 1, 1, 1)
    kept, _ = lines(tmp_path)
    assert kept == {**line, "approved": True}
    assert rows(tmp_path)[0]["messages"][0]["content"] == "Where is my parcel?"
    assert rows(tmp_path)[0]["editor"] == "reviewer"


def test_rows_stay_when_the_review_is_emptied_and_go_when_they_are_refused(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    for _ in range(2):
        rated(journal, answered(journal, release), "down", correction=RIGHT)
    improve()
    review = [{**line, "approved": True} for line in lines(tmp_path)]
    rewrite(tmp_path, review)
    assert improve().rows == 2
    (tmp_path / "review.jsonl").unlink()
    emptied = improve()
    assert (emptied.added, emptied.rows, emptied.rows_changed) == (0, 2, False)
    rewrite(tmp_path, [{**review[0], "approved": False}])
    assert improve().rows == 1


OTHER = '{"team": "billing"}'


def test_an_approved_answer_that_is_corrected_again_is_proposed_again(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    served = answered(journal, release)
    rated(journal, served, "down", correction=RIGHT, author="ann")
    improve()
    approve_all(tmp_path)
    assert improve().rows == 1
    rated(journal, served, None, correction=OTHER, author="bo")
    assert (improve().renewed, improve().added) == (1, 0)
    rewrite(tmp_path, [])  # as it says: the line is taken out

    again = improve()

    assert (again.added, again.rows, again.renewed) == (1, 1, 0)
    (line,) = lines(tmp_path)
    assert line["note"] == AGAIN
    assert line["row"]["messages"][-1]["content"] == OTHER
    assert rows(tmp_path)[0]["messages"][-1]["content"] == RIGHT, "it stands while this waits"
    approve_all(tmp_path)
    assert improve().rows == 1
    (row,) = rows(tmp_path)
    assert (row["messages"][-1]["content"], row["editor"]) == (OTHER, "bo")
    assert row["source"] == {"uri": f"event:{served.id}", "line": 0, "digest": served.digest}
    rewrite(tmp_path, [])
    assert improve().added == 0, "the row has the newest correction"


def test_an_answer_that_was_only_praised_again_was_not_corrected_again(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    praised = answered(journal, release)
    rated(journal, praised, "up")
    corrected = answered(journal, release)
    rated(journal, corrected, None, correction=RIGHT)
    improve()
    rated(journal, praised, "up")
    rated(journal, corrected, None, correction=RIGHT)
    assert improve().renewed == 0


class Meddling(Journal):
    """A journal so long that a person saves a file while it is read."""

    saved: Path
    words: bytes

    def events(self, **chosen: Any) -> Iterator[Event]:
        """The events, the file being saved before the first."""
        self.saved.write_bytes(self.words)
        yield from super().events(**chosen)


@pytest.mark.parametrize("name", ["review.jsonl", "data/feedback.jsonl"])
def test_what_a_person_saves_meanwhile_is_not_written_over(
    name: str, release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    rated(journal, answered(journal, release), "down", correction=RIGHT)
    improve()
    approve_all(tmp_path)
    rated(journal, answered(journal, release), "down", correction=RIGHT)
    before = (tmp_path / "review.jsonl").read_bytes()
    (tmp_path / "data").mkdir()
    meddling = Meddling.open(journal.path, read_only=True)
    assert isinstance(meddling, Meddling)
    meddling.saved, meddling.words = tmp_path / name, b"what was saved\n"

    with pytest.raises(StoreError, match=f"{name} was changed meanwhile"):
        run(SECTION, release, meddling, tmp_path)

    assert (tmp_path / name).read_bytes() == b"what was saved\n"
    if name != "review.jsonl":
        assert (tmp_path / "review.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"licence": " "}, "it is approved, but its licence is empty"),
        (
            {"licence": "mit"},
            "it is approved, but its licence: `mit` is not on the SPDX list; did you mean `MIT`?",
        ),
        (
            {"train": False},
            "it is approved, but its answer is not taught: "
            "see `train` and `weight` of the last message",
        ),
        ({"uri": "event:"}, "`uri` of `source` is event:; expected `event:ID`"),
        (
            {"uri": "event:a b\x1b"},
            "`uri` of `source` is event:a b\\x1b; expected `event:ID`",
        ),
    ],
)
def test_an_approved_row_that_says_too_little_is_told_with_its_line(
    change: dict[str, Any],
    problem: str,
    release: ReleaseFolder,
    journal: Journal,
    improve: Any,
    tmp_path: Path,
) -> None:
    rated(journal, answered(journal, release), "down", correction=RIGHT)
    improve()
    (line,) = lines(tmp_path)
    row = line["row"]
    row["licence"] = change.get("licence", row["licence"])
    row["source"]["uri"] = change.get("uri", row["source"]["uri"])
    row["messages"][-1]["train"] = change.get("train")
    rewrite(tmp_path, [{**line, "approved": True}])
    with pytest.raises(RowError) as caught:
        improve()
    (bad,) = caught.value.rows
    assert (bad.where, bad.problem) == ("review.jsonl:1", problem)


def approve_all(folder: Path) -> None:
    rewrite(folder, [{**line, "approved": True} for line in lines(folder)])


def test_all_bad_lines_are_told_together_and_nothing_is_written(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    rated(journal, answered(journal, release), "down", correction=RIGHT)
    improve()
    (line,) = lines(tmp_path)
    broken = [
        json.dumps(line),
        "{",
        json.dumps({**line, "approved": "yes"}),
        json.dumps({**line, "aproved": True}),
        json.dumps({"approved": None, "kind": "corrected", "answer": ""}),
        json.dumps({**line, "row": {**line["row"], "source": {"uri": "a.jsonl"}}}),
        json.dumps(line),
        json.dumps(
            {
                **line,
                "approved": True,
                "row": {**line["row"], "source": {"uri": "event:x"}, "licence": None},
            }
        ),
    ]
    text = "\n".join(broken)
    (tmp_path / "review.jsonl").write_text(text, encoding="utf-8")

    with pytest.raises(RowError) as caught:
        improve()

    assert [row.where for row in caught.value.rows] == [
        f"review.jsonl:{number}" for number in (2, 3, 4, 5, 6, 7, 8)
    ]
    said = [row.problem for row in caught.value.rows]
    assert said[1] == "`approved` is text; expected true or false"
    assert said[2].startswith("the line has the key `aproved`")
    assert said[3].startswith("no column `row`")
    assert said[5] == f"{line['row']['source']['uri']} is also in line 1"
    assert (tmp_path / "review.jsonl").read_text() == text


def test_a_file_of_other_rows_is_not_written_over(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    mine = '{"messages": [{"role": "user", "content": "Hi"}], "origin": "human"}\n'
    (tmp_path / "data" / "feedback.jsonl").write_text(mine)
    with pytest.raises(RowError, match=r"cannot be kept"):
        improve()
    assert (tmp_path / "data" / "feedback.jsonl").read_text() == mine


def test_approved_rows_are_read_by_curation_as_they_were_approved(
    release: ReleaseFolder, journal: Journal, improve: Any, tmp_path: Path
) -> None:
    served = answered(journal, release, user="user-7")
    rated(journal, served, "down", correction=RIGHT, author="ann")
    improve()
    rewrite(tmp_path, [{**line, "approved": True} for line in lines(tmp_path)])
    improve()

    recipe = Recipe(name="test").at(tmp_path)
    found = read_examples(Reading(path="data/feedback.jsonl"), recipe)

    assert found.bad == []
    (example,) = found.examples
    assert str(example.source) == f"event:{served.id}"
    assert example.source.digest == served.digest
    assert (example.origin, example.licence, example.author) == ("human_edited", "CC0-1.0", "ann")
    assert example.generator == Generator(model=release.label)
    assert example.consent_key == "user-7"
    assert example.tags == {"kind": "corrected", "release": release.digest}
