"""`monitor`, `improve`, and the way from a served answer to its rows: what a user sees of them."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

import tutelage as tt
from tests.cli.conftest import Kept, Tutelage
from tests.served import SCHEMA, answered, evaluation, rated, released
from tutelage.core.artifact import Provenance
from tutelage.core.errors import RecipeError
from tutelage.core.event import Event
from tutelage.core.row import Source
from tutelage.store.artifact import Artifact
from tutelage.store.journal import Journal
from tutelage.store.release import ReleaseFolder
from tutelage.store.tables import LEDGER, ROWS, write_ledger, write_rows

RULES = ["served.valid >= evaluation - 0.05", "served.latency_p50 <= 2"]
IMPROVE = {"licence": "CC0-1.0"}
RIGHT = '{"team": "shipping"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A release made of an adapter, and the journal of its project."""

    release: ReleaseFolder
    journal: Journal

    @property
    def name(self) -> str:
        return self.release.folder.name


@pytest.fixture
def desk(tmp_path: Path, kept: Kept) -> Iterator[Desk]:
    release = released(
        tmp_path,
        metrics=evaluation("valid", 0.95),
        inputs={"adapter": kept.adapter.digest, "dataset": kept.dataset.digest},
        schema=SCHEMA,
        monitor={"rules": RULES, "segments": ["channel"]},
        improve=IMPROVE,
    )
    journal = Journal.open(tmp_path / ".tutelage" / "events.sqlite")
    yield Desk(release=release, journal=journal)
    journal.close()


def test_monitor_shows_the_figures_beside_the_evaluations(tutelage: Tutelage, desk: Desk) -> None:
    for _ in range(60):
        answered(desk.journal, desk.release, metadata={"channel": "web"})

    said = tutelage("monitor", desk.name, "--html", "out/served.html")

    assert said.code == 0
    assert f"{desk.release.label}, " in said.out
    assert ": 60 requests" in said.out
    assert "valid              100.0 %  94.0 % to 100.0 %" in said.out
    assert "95.0 % (92.0 % to 98.0 %, n = 200)" in said.out
    assert "channel=web" in said.out
    assert "PASS  served.latency_p50 <= 2" in said.out
    assert "report: report-" in said.out
    assert "<html" in Path("out/served.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("columns", [36, 40, 60, 80])
def test_value_interval_and_n_are_whole_in_a_narrow_terminal(
    columns: int, tutelage: Tutelage, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(60):
        answered(desk.journal, desk.release)
    monkeypatch.setenv("COLUMNS", str(columns))
    said = tutelage("monitor", desk.name).out
    figures = [" ".join(line.split()) for line in said.splitlines()]
    assert any("100.0 % 94.0 % to 100.0 % 60" in line for line in figures)
    assert "…" not in said
    narrow = "the evaluation's figures need a wider terminal, or --json" in " ".join(said.split())
    assert narrow == (columns < 80)
    assert ("95.0 %" in said) == (columns == 80)


ESCAPE = "\x1b]0;owned\x07\x1b[31m"


def test_what_a_client_wrote_does_not_reach_the_terminal_as_orders(
    tutelage: Tutelage, kept: Kept, desk: Desk
) -> None:
    served = answered(desk.journal, desk.release, metadata={"channel": f"web{ESCAPE}{'x' * 200}"})
    rated(desk.journal, served, "down", correction=RIGHT, author=f"eve{ESCAPE}\nmallory")
    message = replace(kept.first.messages[0], content=f"late {ESCAPE}")
    source = Source(uri=f"event:{served.id}", line=0, digest=served.digest)
    row = replace(kept.first, id="", messages=(message,), source=source)
    elsewhere = replace(row, messages=kept.first.messages[:1], id="")
    elsewhere = replace(elsewhere, source=Source(uri=f"data/{ESCAPE}.jsonl", line=1))
    provenance = Provenance(kind="dataset", inputs={}, section={}, stage_version=1)
    with kept.store.put(provenance) as draft:
        write_rows(draft.folder / ROWS, [row, elsewhere])
        write_ledger(draft.folder / LEDGER, [])
    said = [
        tutelage("monitor", desk.name),
        tutelage("lineage", f"event:{served.id}"),
        tutelage("lineage", draft.artifact.name, "--rows"),
        tutelage("explain-row", row.id),
    ]
    assert [one.code for one in said] == [0, 0, 0, 0]
    for one in said:
        assert "\x1b" not in one.out + one.err
        assert "\x07" not in one.out + one.err
        assert "\\x1b]0;owned" in one.out
    assert "x" * 60 not in said[0].out, "a heading is cut"
    assert "by eve\\x1b]0;owned\\x07\\x1b[31m mallory\n" in said[1].out


def test_monitor_ends_with_3_where_a_rule_is_broken(tutelage: Tutelage, desk: Desk) -> None:
    for _ in range(60):
        answered(desk.journal, desk.release, valid=False)
    said = tutelage("monitor", desk.name, "--json")
    form = said.json()
    assert (said.code, form["status"], form["data"]["outcome"]) == (3, "shut", "fail")
    assert [one["outcome"] for one in form["data"]["rules"]] == ["fail", "pass"]
    assert [one["kind"] for one in form["artifacts"]] == ["report"]
    assert f"1 rule of `monitor` broken: {RULES[0]}" in said.err


def test_a_rule_the_evidence_does_not_decide_is_shown_and_does_not_alarm(
    tutelage: Tutelage, desk: Desk
) -> None:
    answered(desk.journal, desk.release)
    said = tutelage("monitor", desk.name)
    assert said.code == 0
    assert f"OPEN  {RULES[0]}" in said.out


def test_an_empty_window_is_said_and_nothing_is_kept(tutelage: Tutelage, desk: Desk) -> None:
    said = tutelage("monitor", desk.name)
    assert said.code == 0
    assert "nothing was served in this window" in said.out
    assert "report:" not in said.out
    assert said.out.count("OPEN  ") == 2


def test_monitor_without_a_journal_names_the_file_and_the_option(
    tutelage: Tutelage, desk: Desk
) -> None:
    said = tutelage("monitor", desk.name, "--events", "other.sqlite")
    assert said.code == 1
    assert "other.sqlite: there are no events yet" in said.err


@pytest.mark.parametrize("command", ["monitor", "improve"])
def test_a_journal_in_which_an_event_was_changed_is_an_error(
    command: str, tutelage: Tutelage, desk: Desk, tmp_path: Path
) -> None:
    for _ in range(3):
        answered(desk.journal, desk.release)
    with sqlite3.connect(tmp_path / ".tutelage" / "events.sqlite") as raw:
        raw.execute("UPDATE events SET payload = replace(payload, 'true', 'false') WHERE seq = 2")
    raw.close()
    said = tutelage(command, desk.name)
    assert said.code == 1
    assert "the chain of events is broken at event 3" in said.err


def test_a_window_of_more_than_ten_years_is_no_window(tutelage: Tutelage, desk: Desk) -> None:
    assert tutelage("monitor", desk.name, "--hours", "1e9").code == 2
    assert tutelage("monitor", desk.name, "--hours", "nan").code == 2
    assert tutelage("monitor", desk.name, "--hours", "inf").code == 2
    assert tutelage("monitor", desk.name, "--hours", "87600").code == 0


def test_python_keeps_the_report_and_reads_the_journal_that_the_command_does(
    tutelage: Tutelage, desk: Desk, tmp_path: Path
) -> None:
    copied = tmp_path / "shipped" / "desk"
    shutil.copytree(desk.release.folder, copied)
    beside = Journal.open(copied.parent / "events.sqlite")
    rated(beside, answered(beside, desk.release), "down", correction=RIGHT)
    beside.close()
    answered(desk.journal, desk.release)

    report = tt.monitor(desk.release)

    assert report.kept is not None
    assert tutelage("lineage", report.kept.name).code == 0
    assert tt.monitor(copied).kept is None
    assert tt.monitor(copied).requests == 1
    assert tt.improve(copied, tmp_path).added == 0  # the project's own journal has no feedback
    assert not (tmp_path / "shipped" / "review.jsonl").exists()


def test_python_too_falls_back_to_the_section_of_the_recipe(
    tutelage: Tutelage, desk: Desk, tmp_path: Path
) -> None:
    other = released(tmp_path, monitor={"window_hours": 3})
    with pytest.raises(RecipeError, match="neither the release nor the recipe"):
        tt.improve(other)
    (tmp_path / "recipe.yaml").write_text("name: desk\nimprove: {licence: MIT}\n")
    assert tt.improve(other).section.licence == "MIT"
    assert tutelage("improve", other.folder.name).code == 0


def test_improve_counts_shows_the_newest_and_says_what_to_do(
    tutelage: Tutelage, desk: Desk
) -> None:
    for index in range(5):
        served = answered(desk.journal, desk.release, valid=False, answer=f"answer {index}")
        rated(desk.journal, served, "down")
    served = answered(desk.journal, desk.release)
    rated(desk.journal, served, "down", correction=RIGHT, comment="it is late\x1b[2J")
    gone = answered(desk.journal, desk.release, messages=None, answer=None, kept="nothing")
    rated(desk.journal, gone, None, correction=RIGHT)

    said = tutelage("improve", desk.name)

    assert said.code == 0
    assert "invalid 5: the answer did not satisfy the output schema" in said.out
    shown = [line.split()[-1] for line in said.out.splitlines() if "answered " in line]
    assert shown == ["4", "3", "2", '"billing"}']
    assert f"should be  {RIGHT}" in said.out
    assert "\x1b" not in said.out
    assert "not proposed, since no text was kept: 1 answer" in said.out
    assert "review.jsonl: 1 new line, 1 waiting for review, 0 approved, 0 refused" in said.out
    assert "curate.sources" not in said.out


def approve(journal: Journal, tutelage: Tutelage, desk: Desk) -> Event:
    """One corrected answer, approved; its rows written."""
    served = answered(journal, desk.release)
    rated(journal, served, "down", correction=RIGHT, author="ann")
    tutelage("improve", desk.name)
    review = Path("review.jsonl")
    review.write_text(review.read_text().replace('"approved":null', '"approved":true'))
    return served


def test_improve_writes_what_was_approved_and_names_the_source_to_add(
    tutelage: Tutelage, desk: Desk
) -> None:
    approve(desk.journal, tutelage, desk)
    line = "{path: data/feedback.jsonl, format: row, origin: human_edited, licence: CC0-1.0}"

    said = tutelage("improve", desk.name)

    assert "data/feedback.jsonl: 1 approved row" in said.out
    assert f"add to `curate.sources`:  - {line}" in said.out
    Path("recipe.yaml").write_text(f"name: desk\ncurate: {{sources: [{line}]}}\n")
    again = tutelage("improve", desk.name, "--json").json()["data"]
    assert again["rows"] == {
        "path": "data/feedback.jsonl",
        "count": 1,
        "changed": False,
        "source_to_add": None,
    }
    assert again["counts"]["corrected"] == again["review"]["approved"] == 1


def test_improve_tells_all_bad_lines_of_the_review(tutelage: Tutelage, desk: Desk) -> None:
    Path("review.jsonl").write_text("{\n[]\n")
    said = tutelage("improve", desk.name)
    assert said.code == 1
    assert "2 lines of review.jsonl cannot be used" in said.err
    assert "review.jsonl:2  the line is a list; expected an object" in said.err


def test_improve_without_a_section_says_what_to_add(
    tutelage: Tutelage, desk: Desk, tmp_path: Path
) -> None:
    other = released(tmp_path, monitor={"window_hours": 3})
    said = tutelage("improve", other.folder.name)
    assert said.code == 1
    assert "add `improve: {licence: ...}` to the recipe" in said.err


@pytest.fixture
def taught(kept: Kept, desk: Desk) -> tuple[Event, str, Artifact]:
    """An answer that was corrected, the id of the row it became, and the dataset with that row."""
    served = answered(desk.journal, desk.release)
    rated(desk.journal, served, "down", correction=RIGHT, author="ann")
    source = Source(uri=f"event:{served.id}", line=0, digest=served.digest)
    row = replace(kept.first, id="", messages=kept.first.messages[:1], source=source)
    provenance = Provenance(kind="dataset", inputs={}, section={}, stage_version=1)
    with kept.store.put(provenance) as draft:
        write_rows(draft.folder / ROWS, [row])
        write_ledger(draft.folder / LEDGER, [])
    return served, row.id, draft.artifact


def test_lineage_of_an_event_leads_to_the_release_and_all_it_came_from(
    tutelage: Tutelage, kept: Kept, desk: Desk, taught: tuple[Event, str, Artifact]
) -> None:
    served, _, _ = taught
    said = tutelage("lineage", f"event:{served.id}")
    assert said.code == 0
    head, feedback, *tree = said.out.splitlines()
    assert head.startswith(f"event:{served.id}  ")
    assert head.endswith(" UTC, stop")
    assert feedback.endswith("rated down, corrected by ann")
    assert tree == [
        desk.name,
        f"├─ {kept.adapter.name}",
        f"│  └─ {kept.dataset.name}  2 rows",
        "│     └─ source:data/train.jsonl abababababab",
        f"└─ {kept.dataset.name}  2 rows (see above)",
    ]
    assert "invoice" not in said.out


def test_feedback_is_found_though_the_clock_was_set_back(
    tutelage: Tutelage, taught: tuple[Event, str, Artifact], tmp_path: Path
) -> None:
    served, _, _ = taught
    with sqlite3.connect(tmp_path / ".tutelage" / "events.sqlite") as raw:
        raw.execute("UPDATE events SET ts = '2020' WHERE kind = 'feedback'")
    raw.close()
    said = tutelage("lineage", f"event:{served.id}")
    assert "rated down, corrected by ann" in said.out


def test_lineage_of_an_event_goes_down_to_the_rows_made_from_it(
    tutelage: Tutelage, taught: tuple[Event, str, Artifact]
) -> None:
    served, row, dataset = taught
    said = tutelage("lineage", f"event:{served.id}", "--down")
    assert f"row {row}  human, train" in said.out
    assert f"{dataset.name}  holds it" in said.out
    form = tutelage("lineage", f"event:{served.id}", "--json").json()["data"]
    assert form["rows"] == [{"id": row, "source": f"event:{served.id}", "split": "train"}]
    assert form["feedback"][0]["corrected"] is True
    assert form["tree"]["artifact"].startswith("release-")


def test_lineage_of_an_event_lists_its_rows_where_they_are_asked_for(
    tutelage: Tutelage, taught: tuple[Event, str, Artifact]
) -> None:
    served, row, _ = taught
    line = f"{row}  train       event:{served.id}"
    assert line in tutelage("lineage", f"event:{served.id}", "--rows").out
    assert line not in tutelage("lineage", f"event:{served.id}").out


def test_a_journal_named_for_what_is_no_event_is_refused(tutelage: Tutelage, desk: Desk) -> None:
    said = tutelage("lineage", desk.name, "--events", "other.sqlite")
    assert said.code == 2
    assert "`--events` names the journal of a served answer" in said.err


def test_lineage_of_an_unknown_event_says_where_it_looked(tutelage: Tutelage, desk: Desk) -> None:
    said = tutelage("lineage", "event:chatcmpl-none")
    assert said.code == 1
    assert "the journal has no event `chatcmpl-none`" in said.err


def test_a_row_made_from_an_event_leads_on_to_the_release_that_answered(
    tutelage: Tutelage, desk: Desk, taught: tuple[Event, str, Artifact]
) -> None:
    served, row, _ = taught
    by_id = tutelage("explain-row", row)
    assert f"read from    event:{served.id}, CC0-1.0, human" in by_id.out
    assert f"    event:{served.id}  " in by_id.out
    assert f"    {desk.name}\n" in by_id.out
    by_event = tutelage("explain-row", f"event:{served.id}", "--json").json()
    (told,) = by_event["data"]["rows"]
    assert told["row"] == row
    assert told["answer"]["event"]["release"] == desk.release.digest


def test_a_row_whose_journal_is_gone_says_so(
    tutelage: Tutelage, desk: Desk, taught: tuple[Event, str, Artifact], tmp_path: Path
) -> None:
    desk.journal.close()
    (tmp_path / ".tutelage" / "events.sqlite").unlink()
    served, row, _ = taught
    said = tutelage("explain-row", row)
    assert said.code == 0
    assert f"made from    event:{served.id}, which no journal here holds" in said.out
    assert json.loads(tutelage("explain-row", row, "--json").out)["status"] == "done"


def test_a_release_that_was_copied_out_is_improved_in_the_project_that_is_named(
    tutelage: Tutelage, desk: Desk, tmp_path: Path
) -> None:
    copied = tmp_path / "shipped" / "desk"
    shutil.copytree(desk.release.folder, copied)
    beside = Journal.open(copied.parent / "events.sqlite")
    rated(beside, answered(beside, desk.release), "down", correction=RIGHT)
    beside.close()
    assert "report: report-" not in tutelage("monitor", str(copied)).out
    assert tutelage("monitor", str(copied), "--json").json()["data"]["requests"] == 1
    assert tutelage("improve", str(copied), "--project", "elsewhere").code == 1

    said = tutelage("improve", str(copied), "--project", str(tmp_path), "--json")

    assert said.json()["data"]["review"]["added"] == 0  # the project's own journal is empty
    named = ("--events", str(copied.parent / "events.sqlite"), "--project", str(tmp_path))
    said = tutelage("improve", str(copied), *named, "--json")
    assert said.json()["data"]["review"]["added"] == 1
    assert (tmp_path / "review.jsonl").exists()
