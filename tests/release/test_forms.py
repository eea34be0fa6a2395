"""The forms that commands have in Python, on a project that came to a release."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest

import tutelage as tt
from tutelage.core.errors import StoreError, UsageError
from tutelage.evaluate.sheet import Wanted
from tutelage.store.release import ReleaseFolder


@pytest.fixture
def project(release: ReleaseFolder, tmp_path: Path) -> Path:
    """A copy of it."""
    assert release.project is not None
    shutil.copytree(release.project, tmp_path / "project")
    return tmp_path / "project"


def artifact(project: Path, kind: str) -> tt.Artifact:
    found = [one for one in tt.Store.beside(project).artifacts() if one.kind == kind]
    return max(found, key=lambda one: len(one.manifest.inputs))


def test_a_release_is_compared_with_what_it_says_check_by_check(project: Path) -> None:
    release = artifact(project, "release")
    assert all(one.ok for one in tt.verify(release, base=str(project / "base")))

    path = next(release.folder.glob("*.md"))
    path.chmod(0o644)
    path.write_text("another card")
    first, *_ = tt.verify(release, base=str(project / "base"))
    assert not first.ok


def test_every_row_is_shown_as_the_model_meets_it(project: Path) -> None:
    recipe = tt.load_recipe(project / "recipe.yaml")
    contract = tt.contract(recipe)

    shown = list(tt.lessons(recipe))

    assert len(shown) == 40
    row, rendered = shown[0]
    (lesson,) = rendered.lessons
    assert contract.decode(lesson.completion).startswith(row.messages[-1].content)


def test_lineage_leads_from_a_release_to_its_rows_file_and_back(project: Path) -> None:
    dataset, release = artifact(project, "dataset"), artifact(project, "release")

    names = {node.name for node in tt.lineage(release).walk()}
    assert {"verdict", "adapter", "dataset", "source:data/train.jsonl"} <= names
    assert release.name in [one.name for one in tt.offspring(dataset)]
    with pytest.raises(StoreError, match="no project's store"):
        stray = project.parent / "stray"
        shutil.copytree(release.folder, stray)
        tt.lineage(tt.Artifact(folder=stray, manifest=release.manifest))


def test_a_report_is_rated_and_compared(project: Path) -> None:
    report = artifact(project, "report")
    wanted = Wanted(suite="tickets", criteria=("helpfulness",), raters=("ann",))

    ((path, sheet),) = tt.rating_sheets(report, wanted, project / "sheet.csv")
    text = path.read_bytes().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert len(rows) == len(sheet.rows) > 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows({**row, "helpfulness": "4"} for row in rows)
    taken = tt.take_ratings(report, [path])

    assert taken.read == len(rows)
    with pytest.raises(UsageError, match="no such sheet"):
        tt.take_ratings(report, [project / "none.csv"])
    assert all(one.interval.value == 0 for one in tt.compare(report, report).differences)
    later = Wanted(suite="tickets", criteria=("helpfulness",), raters=("ben",))
    ((_, lost),) = tt.rating_sheets(report, later, project / "lost.csv")
    tt.withdraw_sheet(report, lost.name, "lost in the post")
    with pytest.raises(UsageError, match=f"no sheet `{lost.name}` of this report is out"):
        tt.withdraw_sheet(report, lost.name, "once more")


def test_a_folder_in_which_nothing_was_made_is_no_all_clear(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text('{"author": "Ann"}\n')
    for ask in (
        lambda: tt.opted_out(str(tmp_path / "out.jsonl"), tmp_path / "mistyped"),
        lambda: tt.explain_row("rows.jsonl:1", tmp_path / "mistyped"),
    ):
        with pytest.raises(StoreError, match="nothing was made here yet") as caught:
            ask()
        assert caught.value.where == str(tmp_path / "mistyped")
