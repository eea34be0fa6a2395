"""Review: sheets out, decisions in, and no synthetic row in a dataset without them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.score.judges import serving
from tests.score.teachers import PLANTED, Teacher, project, said
from tutelage.core.errors import RecipeError, RowError, StoreError, UsageError
from tutelage.core.recipe import Recipe, load
from tutelage.core.review import Held, Review, person, problem
from tutelage.curate import run as curation
from tutelage.curate.synthesis.review import Taken, export, queue, take
from tutelage.curate.synthesis.run import needed
from tutelage.curate.synthesis.run import run as drafting
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.store.tables import ROWS, read_rows

KEY = "TUTELAGE_TEST_REVIEWS"
WAGES, TODAY = (
    "could somebody look up whether my wages came in",
    "tell me what is on my account today",
)
MAIL, SECOND = "write the figure to [EMAIL] as soon as you can", "may i have a second account"
Lines = list[dict[str, str]]
Decide = Callable[[dict[str, str]], dict[str, str]]


@pytest.fixture(scope="module")
def drafts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its drafts made."""
    folder = tmp_path_factory.mktemp("desk")
    with serving(Teacher(planted=PLANTED).choice) as (endpoint, _):
        path = project(folder, PLANTED, endpoint)
        recipe = load(path, [])
        with Run.open(recipe) as run:
            drafting(needed(recipe)[0], run)
    return folder


@pytest.fixture
def desk(drafts: Path, tmp_path: Path) -> Path:
    """A copy of it to review in."""
    shutil.copytree(drafts, tmp_path / "desk")
    return tmp_path / "desk"


def recipe_of(desk: Path, *overrides: str) -> Recipe:
    return load(desk / "recipe.yaml", overrides)


def lines(path: Path) -> Lines:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


def fill(path: Path, rows: Lines) -> None:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def reviewed(
    desk: Path, decide: dict[str, Decide], *overrides: str, suffix: str = "csv", again: bool = False
) -> Taken:
    """One round: sheets out to all, filled in, and in."""
    recipe = recipe_of(desk, *overrides)
    waiting = queue(recipe)
    written = export(waiting, desk / f"sheet{len(list(desk.iterdir()))}.{suffix}", list(decide))
    files = []
    for path, reviewer, count in written:
        if count:
            fill(path, [{**row, **decide[reviewer](row)} for row in lines(path)])
            files.append(path)
    return take(queue(recipe), files, replace=again)


def curated(desk: Path, *overrides: str) -> Artifact:
    recipe = recipe_of(desk, *overrides)
    assert recipe.curate is not None
    with Run.open(recipe) as run:
        return curation.run(recipe.curate, {}, run)


def accept(row: dict[str, str]) -> dict[str, str]:
    return {"decision": "accept"}


RIGHT = {"edit": said("open_account"), "edit_request": "i want one more account beside the old"}


def careful(row: dict[str, str]) -> dict[str, str]:
    if row["request"] == SECOND:
        return {"decision": "Edit", **RIGHT, "note": "wrong intent"}
    return {"decision": "reject" if row["reasons"] else "accept"}


def test_rows_on_which_reviewers_agree_enter_and_no_others(desk: Path) -> None:
    taken = reviewed(desk, {"ann": careful, "ben": careful})
    form = taken.summary["reviews"]
    assert [form[name] for name in ("accepted", "edited", "rejected", "open", "waiting")] == [
        2, 1, 1, 0, 0,
    ]  # fmt: skip
    assert (form["agreement"]["value"], form["agreement"]["n"]) == (1.0, 4)

    artifact = curated(desk)

    kept = {one.messages[-2].content: one for one in read_rows(artifact.file(ROWS)) if one.reviews}
    assert set(kept) == {WAGES, TODAY, RIGHT["edit_request"]}
    assert {one.origin for one in kept.values()} == {"synthetic", "human_edited"}
    right = kept[RIGHT["edit_request"]]
    assert (right.origin, right.editor, right.messages[-1].content) == (
        "human_edited", "ann", said("open_account"),
    )  # fmt: skip
    assert [(one.reviewer, one.decision) for one in right.reviews] == [
        ("ann", "edit"), ("ben", "edit"),
    ]  # fmt: skip
    assert right.parents
    assert right.generator is not None
    assert kept[TODAY].editor is None


def test_the_card_counts_drafts_reviews_and_agreement(desk: Path) -> None:
    reviewed(desk, {"ann": careful, "ben": careful})
    artifact = curated(desk)

    form = json.loads(artifact.file("card.json").read_bytes())["synthetic"]
    assert (form["rows"], form["without_review"]) == (3, 0)
    assert form["decisions"] == {"accept": 2, "edit": 1}
    assert form["reviewers"] == {"2": 3}
    assert form["drafts"]["made"] == len(PLANTED)
    assert form["drafts"]["dropped"]["near_duplicate"] == 1
    assert form["drafts"]["reviews"]["agreement"]["value"] == 1.0
    text = artifact.file("card.md").read_text(encoding="utf-8")
    assert "## Synthetic rows" in text
    assert "- 14 drafts of teacher-7 (Apache-2.0) from 14 seeds; dropped: exact_duplicate 2" in text
    assert "- 4 reviewed: 2 accepted, 1 edited, 1 rejected, 0 on which reviewers differ" in text
    assert "ann" not in text  # who reviewed stands in the rows
    assert artifact.manifest.inputs["reviews"]


def test_where_reviewers_differ_the_row_waits_and_is_asked_again_with_what_was_said(
    desk: Path,
) -> None:
    taken = reviewed(desk, {"ann": accept, "ben": careful})
    form = taken.summary["reviews"]
    assert (form["open"], form["accepted"], taken.summary["rows"]) == (2, 2, 2)
    assert form["agreement"]["value"] < 1

    seen: list[dict[str, str]] = []

    def second(row: dict[str, str]) -> dict[str, str]:
        seen.append(row)
        return careful(row)

    taken = reviewed(desk, {"ann": second, "ben": second}, suffix="jsonl")
    assert sorted(row["request"] for row in seen) == sorted(2 * [MAIL, SECOND])
    told = next(row["said"] for row in seen if row["request"] == SECOND)
    edit = f"edit: request {RIGHT['edit_request']}: {RIGHT['edit']}"
    assert told == f"ann accept; ben {edit} (wrong intent)"
    after = taken.summary["reviews"]
    assert (after["open"], after["rejected"], after["edited"]) == (0, 1, 1)
    assert after["agreement"] == form["agreement"]  # of what they said before they conferred
    assert taken.filled.replaced == 2
    assert taken.filled.again == 2


def test_one_reviewer_of_two_is_not_enough(desk: Path) -> None:
    taken = reviewed(desk, {"ann": accept})
    assert (taken.summary["rows"], taken.summary["reviews"]["waiting"]) == (0, 4)
    assert taken.rows.read_bytes() == b""
    (told,) = export(queue(recipe_of(desk)), desk / "more.csv", ["Ann"])
    assert told[2] == 0  # she is asked nothing twice, however she writes her name
    taken = reviewed(desk, {"ben": accept})
    assert taken.summary["rows"] == 4


def rows_of(desk: Path) -> list[dict[str, Any]]:
    path = desk / "data/synthetic.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def put(desk: Path, rows: list[dict[str, Any]]) -> None:
    (desk / "data/synthetic.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def refused(desk: Path, *overrides: str) -> dict[str, str]:
    with pytest.raises(RowError) as raised:
        curated(desk, *overrides)
    return {row.where: row.problem for row in raised.value.rows}


def test_a_synthetic_row_without_the_review_demanded_is_refused_by_line(desk: Path) -> None:
    reviewed(desk, {"ann": accept, "ben": accept})
    first, second, third, _ = rows_of(desk)
    lone = {**second, "reviews": second["reviews"][:1]}
    twice = {**third, "reviews": [third["reviews"][0]] * 2}
    put(desk, [{**first, "reviews": []}, lone, twice, rows_of(desk)[3]])

    assert refused(desk) == {
        "line 1": "it is synthetic and nobody has reviewed it; expected reviews by 2 people "
        "(`tutelage review`)",
        "line 2": "it is synthetic and only ann reviewed it; expected reviews by 2 people "
        "(`tutelage review`)",
        "line 3": "it is synthetic and only ann reviewed it; expected reviews by 2 people "
        "(`tutelage review`)",
    }
    artifact = curated(desk, "curate.invalid=reject")
    assert artifact.counts["drop.not_reviewed"] == 3
    assert sum(bool(one.reviews) for one in read_rows(artifact.file(ROWS))) == 1
    put(desk, [lone])
    assert "drop.not_reviewed" not in curated(desk, "curate.review.reviewers=1").counts


def test_a_stale_review_is_refused(desk: Path) -> None:
    reviewed(desk, {"ann": accept, "ben": careful})
    put(desk, [changed(rows_of(desk)[0], said("lost_card")), elsewhere(rows_of(desk)[1])])

    told = refused(desk)
    assert set(told) == {"line 1", "line 2"}
    assert all("by `ann` is of other words" in one for one in told.values())


def changed(row: dict[str, Any], answer: str) -> dict[str, Any]:
    """The row with another answer, its id taken out as whoever edits it would."""
    turns = [*row["messages"][:-1], {**row["messages"][-1], "content": answer}]
    return {**{name: one for name, one in row.items() if name != "id"}, "messages": turns}


def elsewhere(row: dict[str, Any]) -> dict[str, Any]:
    """The row as if another model had written it."""
    return {**row, "generator": {**row["generator"], "model": "human-like-9"}}


def test_a_forged_review_is_refused(desk: Path) -> None:
    reviewed(desk, {"ann": accept, "ben": accept})
    first, second, third, _ = rows_of(desk)
    one, two = first["reviews"]
    third = changed(third, said("lost_card"))
    made_up = [{**review, "row": "ab" * 32} for review in third["reviews"]]
    put(
        desk,
        [
            {**first, "reviews": [one, {**two, "reviewer": "cleo"}]},
            {**second, "reviews": [one, two]},  # another row's
            {**third, "reviews": made_up},
        ],
    )
    told = refused(desk)
    assert "by `cleo` was not written by `tutelage review import`" in told["line 1"]
    assert "is of other words" in told["line 2"]
    assert "was not written by `tutelage review import`" in told["line 3"]


def test_with_a_key_nobody_without_it_can_write_a_review(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "k" * 32)
    keyed = f"curate.review.key_env={KEY}"
    reviewed(desk, {"ann": accept, "ben": accept}, keyed)
    assert curated(desk, keyed).counts["kept"] == 22

    rows = rows_of(desk)
    forged = [
        Review(reviewer=name, decision="accept", draft=one["draft"], row=one["row"]).sealed(b"")
        for name, one in zip(("cleo", "dan"), rows[0]["reviews"], strict=True)
    ]
    put(desk, [{**rows[0], "reviews": [one.to_dict() for one in forged]}])
    told = refused(desk, keyed)
    assert "was not written by `tutelage review import`, or with another key" in told["line 1"]

    put(desk, rows)
    monkeypatch.setenv(KEY, "l" * 32)
    assert len(refused(desk, keyed)) == 4
    monkeypatch.delenv(KEY)
    with pytest.raises(RecipeError, match="the key of reviews in environment variable"):
        curated(desk, keyed)


def test_synthetic_rows_of_elsewhere_need_a_review_too_unless_the_recipe_waives_it(
    desk: Path,
) -> None:
    reviewed(desk, {"ann": accept, "ben": accept})
    path = desk / "recipe.yaml"
    written = json.loads(path.read_text())
    other = {
        "path": "bought.jsonl",
        "origin": "synthetic",
        "licence": "CC0-1.0",
        "generator": {"model": "elsewhere-1"},
    }
    written["curate"]["sources"].append(other)
    path.write_text(json.dumps(written))
    (desk / "bought.jsonl").write_text('{"prompt": "a new one", "completion": "yes"}\n')
    assert list(refused(desk)) == ["line 1"]

    del written["curate"]["synthesis"]
    written["curate"]["review"] = {"reviewers": 0}
    path.write_text(json.dumps(written))
    form = json.loads(curated(desk).file("card.json").read_bytes())
    assert form["synthetic"]["without_review"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"decision": "yes"}, "`decision` is `yes`; expected accept, edit, reject"),
        ({"decision": ""}, "`decision` is ``; expected accept, edit, reject"),
        ({"decision": "edit"}, "nothing is edited"),
        ({"decision": "edit", "edit": said("balance")}, "nothing is edited"),
        ({"decision": "edit", "edit": "a word"}, "contract.output_schema does not allow"),
        (
            {"decision": "accept", "edit": said("lost_card")},
            "it is edited and `decision` is accept",
        ),
        ({"decision": "accept", "answer": said("lost_card")}, "`answer` is not what was exported"),
        ({"decision": "accept", "draft": "0" * 16}, "no draft `0000000000000000` is known here"),
        ({"decision": "accept", "reviewer": " "}, "`reviewer` is empty"),
    ],
)
def test_a_line_that_cannot_be_used_is_told_and_none_is_taken(
    desk: Path, change: dict[str, str], told: str
) -> None:
    def decide(row: dict[str, str]) -> dict[str, str]:
        note = {"note": "see"} if row["request"] == WAGES else {}
        return {**note, **change} if row["request"] == WAGES else {"decision": "accept"}

    with pytest.raises(RowError) as raised:
        reviewed(desk, {"ann": decide})
    (row,) = raised.value.rows
    assert told in row.problem
    assert queue(recipe_of(desk)).before is None
    assert not (desk / "data/synthetic.jsonl").exists()


def test_a_decision_is_changed_only_where_reviewers_differ_or_with_replace(desk: Path) -> None:
    export(queue(recipe_of(desk)), desk / "one.csv", ["ann"])
    rows = lines(desk / "one.csv")
    fill(desk / "one.csv", [{**row, "decision": "accept"} for row in rows])
    fill(desk / "two.csv", [{**row, "decision": "reject"} for row in rows])
    take(queue(recipe_of(desk)), [desk / "one.csv"])
    same = take(queue(recipe_of(desk)), [desk / "one.csv"])
    assert (len(same.filled.said), same.filled.again) == (0, 4)

    with pytest.raises(RowError) as raised:
        take(queue(recipe_of(desk)), [desk / "two.csv"])
    assert len(raised.value.rows) == 4
    assert "`ann` decided accept before; import with `--replace`" in raised.value.rows[0].problem
    with pytest.raises(RowError, match="cannot be used") as raised:
        take(queue(recipe_of(desk)), [desk / "one.csv", desk / "two.csv"], replace=True)
    assert "has decided on it in one.csv row 2, too" in raised.value.rows[0].problem
    taken = take(queue(recipe_of(desk)), [desk / "two.csv"], replace=True)
    assert taken.filled.replaced == 4


def test_an_import_killed_before_it_was_the_latest_is_in_nobody_s_way(desk: Path) -> None:
    waiting = queue(recipe_of(desk, "curate.review.reviewers=1"))
    export(waiting, desk / "one.csv", ["ann"])
    rows = [{**row, "decision": "accept"} for row in lines(desk / "one.csv")]
    fill(desk / "one.csv", rows[:1])
    fill(desk / "two.csv", rows[1:])
    take(waiting, [desk / "one.csv"])
    (waiting.store.root / "reviews" / "desk.json").unlink()  # as it was when the rows were written

    again = queue(recipe_of(desk, "curate.review.reviewers=1"))
    assert again.before is None
    assert take(again, [desk / "two.csv"]).summary["rows"] == len(rows) - 1


def test_a_file_that_no_import_wrote_is_never_written_over(desk: Path) -> None:
    (desk / "data").mkdir()
    put(desk, [{"mine": 1}])
    with pytest.raises(StoreError, match="was not written by `tutelage review import`"):
        reviewed(desk, {"ann": accept, "ben": accept})
    (desk / "data/synthetic.jsonl").unlink()
    reviewed(desk, {"ann": accept})
    put(desk, [{"mine": 1}])
    with pytest.raises(StoreError, match="or was changed since"):
        reviewed(desk, {"ben": accept})


def test_drafts_made_anew_keep_what_was_decided(desk: Path) -> None:
    reviewed(desk, {"ann": accept, "ben": accept})
    with pytest.raises(StoreError, match="has no drafts as it stands"):
        queue(recipe_of(desk, "curate.synthesis.agreement=0.7"))
    recipe = recipe_of(desk, "curate.synthesis.agreement=0.7")
    with Run.open(recipe) as run:
        drafting(needed(recipe)[0], run)  # the server is gone: every reply is kept
    states = [case.state(2) for case in queue(recipe).cases.values()]
    assert states == ["accept"] * 4


def test_a_sheet_is_never_written_over(desk: Path) -> None:
    (desk / "sheet.csv").write_text("mine")
    with pytest.raises(UsageError, match="there is such a file already"):
        export(queue(recipe_of(desk)), desk / "sheet.csv", ["ann"])
    with pytest.raises(UsageError, match="CSV or JSON Lines"):
        export(queue(recipe_of(desk)), desk / "sheet.xls", ["ann"])


def test_reviews_of_two_drafts_or_of_two_minds_are_none() -> None:
    one = Review(reviewer="ann", decision="accept", draft="d", row="r")
    held = Held(row="r", draft="d", reviewers=2)
    mixed = [one.sealed(b""), replace(one, reviewer="ben", decision="edit").sealed(b"")]
    assert problem(mixed, held)[0] == "forged"
    alike = [one.sealed(b""), replace(one, reviewer="ANN ").sealed(b"")]
    assert problem(alike, held)[0] == "few"
    assert problem([one.sealed(b""), replace(one, reviewer="ben").sealed(b"")], held) == ("", "")


def test_a_reviewer_is_one_person_however_the_name_is_written(desk: Path) -> None:
    recipe = recipe_of(desk)
    ((first, _, _),) = export(queue(recipe), desk / "a.csv", ["ann"])
    fill(first, [{**row, **accept(row)} for row in lines(first)])
    take(queue(recipe), [first])

    for name in ("Ann", "ann.", " ANN", "\uff41nn"):
        ((second, _, count),) = export(
            queue(recipe), desk / f"b{ord(name[0])}{len(name)}.csv", ["bo"]
        )
        assert count == 4
        fill(second, [{**row, **accept(row), "reviewer": name} for row in lines(second)])
        taken = take(queue(recipe), [second])
        assert taken.filled.again == 4
        assert taken.summary["reviews"]["accepted"] == 0
    with pytest.raises(RowError, match="cannot name a reviewer"):
        fill(second, [{**row, **accept(row), "reviewer": "ann\u200b"} for row in lines(second)])
        take(queue(recipe), [second])
    assert person("Ann\u200b") == person(" ann.") == "ann" != person("anna")


@pytest.mark.parametrize("column", ["edit", "edit_request"])
def test_an_edit_in_which_nothing_is_seen_is_refused_by_line(column: str, desk: Path) -> None:
    with pytest.raises(RowError, match=f"`{column}` holds nothing that can be seen"):
        reviewed(desk, {"ann": lambda row: {"decision": "edit", column: "\u200b"}})


@pytest.mark.parametrize(
    ("suffix", "written", "words"),
    [
        ("jsonl", "'-5 is cold", "'-5 is cold"),
        ("csv", "'-5 is cold", "-5 is cold"),
        ("csv", "''-5 is cold", "'-5 is cold"),
    ],
)
def test_an_apostrophe_is_taken_for_a_guard_in_csv_alone(
    suffix: str, written: str, words: str, desk: Path
) -> None:
    edit = {"decision": "edit", "edit_request": written}
    taken = reviewed(desk, {"ann": lambda row: edit if row["request"] == TODAY else accept(row)},
                     "curate.review.reviewers=1", suffix=suffix)  # fmt: skip

    (row,) = [one for one in lines(taken.rows) if one["origin"] == "human_edited"]
    assert row["messages"][-2]["content"] == words  # type: ignore[index]


@pytest.mark.parametrize(
    "change",
    [
        {"weight": 5.0},
        {"consent_key": None},
        {"tags": {"intent": "mine"}},
        {"origin": "human_edited", "editor": "me"},
    ],
)
def test_what_stands_beside_the_words_is_under_the_seal_too(
    change: dict[str, Any], desk: Path
) -> None:
    reviewed(desk, {"ann": accept, "ben": accept})
    path = desk / "data" / "synthetic.jsonl"
    rows = [json.loads(line) | {"consent_key": None} for line in path.read_text().splitlines()]
    if change == {"consent_key": None}:
        change = {"consent_key": "somebody's"}  # the planted rows have none
    fill(path, [{k: v for k, v in {**rows[0], **change}.items() if v is not None}, *rows[1:]])

    with pytest.raises(RowError, match="1 row of") as caught:
        curated(desk)
    assert "is of other words" in caught.value.rows[0].problem


def test_no_row_of_the_drafts_file_is_without_reviews_whatever_its_origin(desk: Path) -> None:
    reviewed(desk, {"ann": accept, "ben": accept})
    path = desk / "data" / "synthetic.jsonl"
    first, *others = [json.loads(line) for line in path.read_text().splitlines()]
    first |= {"origin": "human_edited", "editor": "me"}
    del first["reviews"]
    fill(path, [first, *others])

    with pytest.raises(RowError, match="1 row of") as caught:
        curated(desk)
    assert "nobody has reviewed it" in caught.value.rows[0].problem
