"""`draft` and `review`: said for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Tutelage
from tests.score.judges import serving
from tests.score.teachers import PLANTED, Teacher, project


@pytest.fixture
def drafted(tutelage: Tutelage, tmp_path: Path) -> list[str]:
    """What `tutelage draft` prints for a project in the current folder."""
    with serving(Teacher(planted=PLANTED).choice) as (endpoint, _):
        project(tmp_path, PLANTED, endpoint)
        said = tutelage("draft")
    assert said.code == 0, said.err
    return said.out.splitlines()


def decide(path: Path, decision: str) -> None:
    """Fills a sheet in with one word."""
    rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "decision": decision} for row in rows)


def test_a_draft_says_what_was_made_dropped_and_spent(drafted: list[str]) -> None:
    assert drafted[:4] == [
        "14 drafts from 14 seeds",
        "dropped: exact_duplicate 2, inconsistent 1, invalid_output 1, leak_exact 1, leak_ngram 1, "
        "near_duplicate 1, no_answer 2, secret 1",
        "to look at closely: conflicting_label 1, personal_data 1",
        "4 drafts for people to review",
    ]
    assert drafted[4].startswith("53 replies of the teacher: ")
    assert ", cost " in drafted[4]
    assert drafted[5:] == [
        "asked now 53, kept from before 0",
        "then: tutelage review export recipe.yaml -o sheet.csv --reviewer NAME",
    ]


@pytest.mark.usefixtures("drafted")
def test_sheets_go_out_and_come_back(tutelage: Tutelage, tmp_path: Path) -> None:
    out = tutelage("review", "export", "-o", "s.csv", "--reviewer", "ann", "--reviewer", "ben")
    assert (out.code, out.err) == (0, "")
    assert out.out.splitlines() == [
        "s-ann.csv: 4 drafts for ann",
        "s-ben.csv: 4 drafts for ben",
        "then: tutelage review import recipe.yaml s-ann.csv s-ben.csv",
    ]
    decide(tmp_path / "s-ann.csv", "accept")
    decide(tmp_path / "s-ben.csv", "reject")
    said = tutelage("review", "import", "recipe.yaml", "s-ann.csv", "s-ben.csv")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[:3] == [
        "8 decisions taken in",
        "of 4 drafts: 0 accepted, 0 edited, 0 rejected, 0 waiting for 2 reviewers",
        "reviewers differ on 4 drafts: `tutelage review export recipe.yaml` asks again",
    ]
    assert lines[3].startswith("agreement (alpha): -0.7")
    assert lines[4:] == ["data/synthetic.jsonl: 0 rows"]


@pytest.mark.usefixtures("drafted")
def test_programs_read_the_same(tutelage: Tutelage, tmp_path: Path) -> None:
    form = tutelage("review", "export", "-o", "s.csv", "--reviewer", "ann", "--json").json()
    assert form["data"]["sheets"] == [{"file": "s.csv", "reviewer": "ann", "lines": 4}]
    decide(tmp_path / "s.csv", "accept")
    one = ("--set", "curate.review.reviewers=1")
    form = tutelage("review", "import", "recipe.yaml", "s.csv", "--json", *one).json()
    assert form["data"]["rows"] == {"path": "data/synthetic.jsonl", "count": 4, "listed": True}
    assert form["data"]["reviews"]["agreement"]["value"] is None
    assert form["artifacts"][0]["kind"] == "reviews"
    lineage = tutelage("lineage", form["artifacts"][0]["name"])
    assert "drafts-" in lineage.out
    rows = (tmp_path / "data/synthetic.jsonl").read_text().splitlines()
    told = tutelage("curate", *one)
    assert told.code == 0, told.err
    row = tutelage("explain-row", json.loads(rows[0])["id"])
    assert "reviewed by  ann accept" in row.out
    assert "draft" in row.out


@pytest.mark.usefixtures("drafted")
def test_rows_that_fewer_people_reviewed_than_the_recipe_demands_do_not_enter(
    tutelage: Tutelage, tmp_path: Path
) -> None:
    tutelage("review", "export", "-o", "s.csv", "--reviewer", "ann")
    decide(tmp_path / "s.csv", "accept")
    tutelage("review", "import", "recipe.yaml", "s.csv", "--set", "curate.review.reviewers=1")
    said = tutelage("curate")
    assert said.code == 1
    assert "line 1  it is synthetic and only ann reviewed it; expected reviews by 2" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["draft"], "no section `curate.synthesis`"),
        (["review", "export", "-o", "s.csv", "--reviewer", "a/b"], "cannot name a reviewer"),
        (["review", "export", "-o", "s.csv", "--reviewer", "a", "--reviewer", "A"], "twice"),
        (["review", "import", "recipe.yaml", "none.csv"], "there is no such sheet"),
        (["review", "exprot"], "did you mean `tutelage review export`?"),
    ],
)
def test_what_cannot_be_done_is_told(
    tutelage: Tutelage, tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "recipe.yaml").write_text("name: x\n")
    said = tutelage(*words)
    assert said.code in (1, 2)
    assert told in said.err
