from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.fakes import FakeBench, call, last_words, never, oracle, project, report
from tutelage.core.errors import RowError, StoreError, UsageError
from tutelage.engine.protocol import Prompt
from tutelage.evaluate.rate import Imported, export, take
from tutelage.evaluate.sheet import Wanted
from tutelage.score.people import ALIKE
from tutelage.score.rating import Rating, read_ratings
from tutelage.store.artifact import Artifact
from tutelage.store.rated import Rated
from tutelage.store.run import Run
from tutelage.store.sheets import guarded, read_rows, unguarded

COUNT = 20
RIGHT = '{"name"'


def shouts(prompt: Prompt) -> str:
    """An answer that a spreadsheet would compute."""
    return '=1+1\r\n, said "he"; é'


def half(prompt: Prompt) -> str:
    """As the oracle, where somebody is to be played."""
    words = last_words(prompt)
    return oracle(COUNT)(prompt) if words.startswith("play") else call("Rain", city="Nowhere")


def made(run: Run, other: Callable[[Prompt], str] = never) -> Artifact:
    answers = {"tuned": oracle(COUNT), "zero_shot": other, "few_shot": half}
    return report(run, FakeBench(answers))


def exported(
    run: Run, measured: Artifact, name: str = "sheet.csv", **wanted: Any
) -> list[tuple[Path, list[dict[str, str]]]]:
    """The files of a sheet and their lines."""
    asked = Wanted(**{"suite": "calls", "against": "zero_shot", **wanted})
    written = export(run.store, measured, asked, run.recipe.base_dir / name)
    return [(path, lines(path)) for path, _ in written]


def lines(path: Path) -> list[dict[str, str]]:
    text = path.read_bytes().decode("utf-8-sig")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines()]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def fill(path: Path, rows: list[dict[str, Any]], delimiter: str = ",") -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def prefers_calls(row: Mapping[str, str]) -> str:
    first, second = (RIGHT in row[side] for side in ("answer_a", "answer_b"))
    return "tie" if first == second else "A" if first else "b"


def filled(
    path: Path, rows: list[dict[str, str]], word: Callable[..., str] = prefers_calls
) -> Path:
    return fill(path, [{**row, "prefers": word(row)} for row in rows])


def ratings(found: Imported) -> list[Rating]:
    return read_ratings(found.artifact.file("ratings.jsonl"))


@pytest.mark.parametrize("name", ["sheet.csv", "sheet.jsonl"])
def test_a_sheet_filled_in_gives_the_ratings_that_were_meant(tmp_path: Path, name: str) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        before = measured.digest
        ((path, rows),) = exported(run, measured, name)
        found = take(run.store, measured, [filled(path, rows)])
        assert run.store.load(measured.name).digest == before
    some = ratings(found)
    assert (len(some), found.blank, found.replaced) == (COUNT, 0, 0)
    assert {(one.first, one.second, one.value) for one in some} == {("tuned", "zero_shot", 1.0)}
    pair = found.people["calls"]["pairs"]["zero_shot"]  # type: ignore[call-overload, index]
    assert pair["win_rate"]["value"] == 1.0
    assert pair["preference"]["outcome"] == "better"
    assert pair["first_shown"]["value"] == 0.5
    assert all(one.longer > 0 for one in some)  # calls are longer than the refusal


def test_a_sheet_tells_nothing_of_whose_an_answer_is(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured)
        text = path.read_text()
        key = Rated(store=run.store).key(rows[0]["sheet"])
    assert key is not None
    for word in ("tuned", "zero_shot", "few_shot", measured.digest[:12], "calls/"):
        assert word not in text
    assert [row["line"] for row in rows] == sorted(row["line"] for row in rows)
    shown = [key["lines"][row["line"]]["systems"][0] for row in rows]
    assert shown.count("tuned") == COUNT // 2
    tasks = [key["lines"][row["line"]]["task"] for row in rows]
    assert tasks != sorted(tasks)


def test_the_next_rater_sees_the_answers_the_other_way_round(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        files = exported(run, measured, raters=("ann", "ben"))
        words = [filled(path, rows) for path, rows in files]
        found = take(run.store, measured, words)
        again = exported(run, measured, "again.csv", raters=("ann", "ben"))
        other = exported(run, measured, "other.csv", raters=("ann",), seed=1)
    assert [path.name for path, _ in files] == ["sheet-ann.csv", "sheet-ben.csv"]
    assert [rows for _, rows in again] == [rows for _, rows in files]  # by the seed alone
    assert other[0][1] != files[0][1]
    turned = {(one.item, one.rater): one.swapped for one in ratings(found)}
    assert all(turned[item, "ann"] != turned[item, "ben"] for item, _ in turned)


def test_raters_are_held_against_each_other(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        (ann, mine), (ben, his) = exported(run, measured, raters=("ann", "ben"))
        take(run.store, measured, [filled(ann, mine)])
        found = take(run.store, measured, [filled(ben, his, lambda row: "A")])
    pair: Any = found.people["calls"]["pairs"]["zero_shot"]  # type: ignore[call-overload, index]
    assert found.artifact.counts == {"ratings": 2 * COUNT, "raters": 2}
    assert pair["agreement"]["n"] == COUNT
    assert pair["agreement"]["value"] < 0.3  # one of the two looks at nothing
    assert pair["raters"]["ann"]["first_shown"] == 0.5
    assert pair["raters"]["ben"]["first_shown"] == 1.0
    assert pair["raters"]["ben"]["win_rate"] == 0.5
    assert pair["win_rate"]["value"] == 0.75


def test_two_answers_that_are_one_are_a_tie_that_nobody_is_asked_about(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured, against="few_shot")
        found = take(run.store, measured, [filled(path, rows, lambda row: "tie")])
    assert len(rows) == COUNT // 2
    alike = [one for one in ratings(found) if one.rater == ALIKE]
    assert (len(alike), {one.value for one in alike}) == (COUNT // 2, {0.5})
    pair: Any = found.people["calls"]["pairs"]["few_shot"]  # type: ignore[call-overload, index]
    assert (pair["alike"], pair["win_rate"]["n"], pair["agreement"]["n"]) == (10, 20, 0)


def test_where_every_answer_is_one_there_is_nothing_to_rate(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run, oracle(COUNT))
        with pytest.raises(UsageError, match="every answer of tuned"):
            exported(run, measured)


def test_marks_become_means_of_each_system(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        wanted = {"against": None, "criteria": ("formatting", "helpfulness")}
        ((path, rows),) = exported(run, measured, **wanted)
        words = [
            {**row, "formatting": 5 if RIGHT in row["answer"] else 2, "helpfulness": ""}
            for row in rows
        ]
        found = take(run.store, measured, [fill(path, words)])
    marks: Any = found.people["calls"]["marks"]  # type: ignore[call-overload, index]
    assert len(rows) == 3 * COUNT
    assert list(marks) == ["formatting"]
    means = {system: one["value"] for system, one in marks["formatting"]["means"].items()}
    assert means == {"few_shot": 1.0, "tuned": 1.0, "zero_shot": 0.25}


def test_a_sample_of_the_tasks_may_be_rated_and_lines_left_blank(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured, tasks=8)
        some = [{**row, "prefers": prefers_calls(row) if n else " "} for n, row in enumerate(rows)]
        found = take(run.store, measured, [fill(path, some)])
        with pytest.raises(RowError, match="no line is filled in"):
            take(run.store, measured, [fill(path, rows)])
    assert (len(rows), found.read, found.blank) == (8, 7, 1)


def test_every_line_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured)
        bad: list[dict[str, Any]] = [{**row, "prefers": "A"} for row in rows]
        bad[0]["prefers"] = "left"
        bad[1]["answer_a"], bad[1]["answer_b"] = bad[1]["answer_b"], bad[1]["answer_a"]
        bad[2]["line"] = "ffffffffffff"
        bad[3]["sheet"] = "../../keys"
        bad[4]["rater"] = ""
        bad[6] = dict(bad[5])
        bad[7]["rater"] = ALIKE
        with pytest.raises(RowError) as caught:
            take(run.store, measured, [fill(path, bad)])
        assert Rated(store=run.store).latest(measured) is None  # none is taken
    told = {row.where: row.problem for row in caught.value.rows}
    assert {where: problem.split(";")[0] for where, problem in told.items()} == {
        "sheet.csv row 2": "`prefers` is `left`",
        "sheet.csv row 3": f"`answer_a` is not what was exported as line `{rows[1]['line']}`",
        "sheet.csv row 4": "its sheet has no line `ffffffffffff`",
        "sheet.csv row 5": "no sheet `../../keys` was exported here",
        "sheet.csv row 6": "`rater` is no name",
        "sheet.csv row 8": "rater `rater` has rated it in sheet.csv row 7, too",
        "sheet.csv row 9": "`rater` is no name",
    }


def test_a_sheet_that_could_not_be_written_is_waited_for_by_nobody(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        measured = made(run)
        with pytest.raises(FileNotFoundError):
            exported(run, measured, "no/such/folder/sheet.csv")
        assert Rated(store=run.store).handed_out(measured) == {}


def test_a_sheet_of_another_report_is_refused(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured)
        answers = {"tuned": half, "zero_shot": never, "few_shot": half}
        other = report(run, FakeBench(answers, adapter="two"), mark="two")
        with pytest.raises(RowError) as caught:
            take(run.store, other, [filled(path, rows)])
    assert len(caught.value.rows) == COUNT
    assert "is of another report" in caught.value.rows[0].problem


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"", "holds no line"),
        (b"sheet,line\n1,2,3\n", "no table"),
        (b'sheet,line\n"1,2\n', "no CSV"),
        (b"sheet,line\n1,2\n", "cannot be used"),
    ],
)
def test_what_is_no_sheet_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        path = tmp_path / "sheet.csv"
        path.write_bytes(content)
        with pytest.raises(RowError) as caught:
            take(run.store, measured, [path])
    assert told in caught.value.message


def test_what_spreadsheets_do_to_a_sheet_does_not_harm_it(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run, shouts)
        ((path, rows),) = exported(run, measured)
        texts = {row[side] for row in rows for side in ("answer_a", "answer_b")}
        assert {text for text in texts if RIGHT not in text} == {f"'{shouts(None)}"}  # type: ignore[arg-type]
        changed = [
            {
                **{
                    name: cell.replace("\r\n", "\n").removeprefix("'") for name, cell in row.items()
                },
                "prefers": f" {prefers_calls(row)} ",
            }
            for row in rows
        ]
        found = take(run.store, measured, [fill(path, changed[::-1], ";")])
    assert {one.value for one in ratings(found)} == {1.0}


@pytest.mark.parametrize(
    "cell",
    [
        *("007", "1-2", "3/4", "0.10", "TRUE", "12345678901234567", "1e5", "5 Jan", "May-05"),
        *("10:30 pm", "50 %", "$5.00", "=1+1", "2024-01-31", "'5", "'90 was good"),
    ],
)
def test_what_a_spreadsheet_would_write_otherwise_is_guarded(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize(
    "cell", ["seven", "1 is enough", "Mayor", "L123456789012", "", "a1", "o'5"]
)
def test_what_it_leaves_alone_is_not(cell: str) -> None:
    assert guarded(cell) == cell


def test_no_line_of_a_sheet_has_a_number_for_a_name(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        ((_, rows),) = exported(run, made(run))
    assert {row["sheet"][0] + row["line"][0] for row in rows} == {"SL"}


def test_a_column_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("sheet,line,prefers,prefers\nS1,L1,A,B\n")
    with pytest.raises(RowError, match="column `prefers` stands in it twice"):
        read_rows(path)


def test_a_rating_is_changed_only_where_that_is_meant(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured)
        first = take(run.store, measured, [filled(path, rows)])
        same = take(run.store, measured, [filled(path, rows)])
        with pytest.raises(RowError) as caught:
            take(run.store, measured, [filled(path, rows, lambda row: "tie")])
        assert Rated(store=run.store).latest(measured) == same.artifact
        other = take(run.store, measured, [filled(path, rows, lambda row: "tie")], replace=True)
        back = take(run.store, measured, [filled(path, rows)], replace=True)
        latest = Rated(store=run.store).latest(measured)
    assert same.artifact.digest == first.artifact.digest
    assert len(caught.value.rows) == COUNT
    assert "gave tuned against zero_shot 1 before" in caught.value.rows[0].problem
    assert other.replaced == COUNT
    assert latest is not None
    assert latest.digest == back.artifact.digest == first.artifact.digest


def test_a_filled_in_sheet_is_never_written_over(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured)
        filled(path, rows)
        before = path.read_bytes()
        with pytest.raises(UsageError, match="such a file already"):
            exported(run, measured)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"suite": "other"}, "no suite `other`"),
        ({"against": "few_shots"}, "`few_shots` did not answer"),
    ],
)
def test_what_a_report_does_not_have_is_told(
    tmp_path: Path, wanted: dict[str, str], told: str
) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        with pytest.raises(UsageError, match=told):
            exported(run, measured, **wanted)
        with pytest.raises(UsageError, match="CSV or JSON Lines"):
            exported(run, measured, "sheet.xlsx")


def test_ratings_that_are_gone_are_missed(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        measured = made(run)
        ((path, rows),) = exported(run, measured)
        found = take(run.store, measured, [filled(path, rows)])
        found.artifact.folder.rename(tmp_path / "away")
        with pytest.raises(StoreError, match="not in the store"):
            Rated(store=run.store).latest(measured)
