"""A row taken back after a release is found in everything it went into, and nowhere else."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

import tutelage as tt
from tests.journey.project import speak
from tutelage import pipeline
from tutelage.core.artifact import Provenance
from tutelage.core.recipe import load
from tutelage.core.row import Example
from tutelage.store.artifact import Artifact
from tutelage.store.lineage import opted_out
from tutelage.store.opt_outs import OptOuts, text_digest
from tutelage.store.release import ReleaseFolder
from tutelage.store.store import Store
from tutelage.store.tables import DROPPED, ROWS, read_rows, write_rows


@pytest.fixture
def project(release: ReleaseFolder, tmp_path: Path) -> Path:
    """A copy of a project that came to a release."""
    assert release.project is not None
    shutil.copytree(release.project, tmp_path / "project")
    return tmp_path / "project"


def made_with(project: Path) -> set[str]:
    """The dataset, and every artifact that came of it."""
    made = Store.beside(project).artifacts()
    (dataset,) = [one.digest for one in made if one.kind == "dataset"]
    return {one.name for one in made if dataset in {node.digest for node in tt.lineage(one).walk()}}


def rows_of(project: Path) -> list[Example]:
    (dataset,) = [one for one in Store.beside(project).artifacts() if one.kind == "dataset"]
    return read_rows(dataset.file(ROWS))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_later_opt_out_is_found_in_dataset_adapter_report_verdict_and_release(
    split: str, project: Path
) -> None:
    row = next(one for one in rows_of(project) if one.split == split)
    made = made_with(project)
    out = project / "out.jsonl"
    out.write_text(json.dumps({"digest": text_digest(row.messages[0].content)}) + "\n")

    back = tt.opted_out(str(out), project)

    assert [(one.example.id, one.because, one.example.split) for one in back.rows] == [
        (row.id, "its text", split)
    ]
    assert {one.name for one in back.artifacts} == made
    kinds = Counter(one.kind for one in back.artifacts)
    assert kinds.keys() >= {"dataset", "adapter", "report", "verdict", "release"}
    said = speak(project, "lineage", "--opt-out", str(out))
    assert (said.code, said.err) == (0, "")
    assert all(name in said.out for name in made)
    (story,) = tt.explain_row(row.id, project)
    assert {one.name for one in (*story.datasets, *story.offspring)} == made


def test_what_is_made_without_the_row_later_is_not_among_them(project: Path) -> None:
    row = rows_of(project)[0]
    before = made_with(project)
    (project / "out.jsonl").write_text(json.dumps({"digest": row.id}) + "\n")
    clean = pipeline.curate(load(project / "recipe.yaml", ["curate.opt_out=out.jsonl"]))

    back = tt.opted_out(str(project / "out.jsonl"), project)

    assert row.id not in {one.id for one in read_rows(clean.file(ROWS))}
    assert clean.name not in before
    assert {one.name for one in back.artifacts} == before


def kept(store: Store, name: str, taught: list[Example], dropped: list[Example]) -> Artifact:
    provenance = Provenance(kind="dataset", inputs={"source": name}, section={}, stage_version=1)
    with store.put(provenance) as draft:
        write_rows(draft.folder / ROWS, taught)
        write_rows(draft.folder / DROPPED, dropped)
    return draft.artifact


def tuned(store: Store, dataset: Artifact) -> Artifact:
    inputs = {"dataset": dataset.digest}
    with store.put(Provenance(kind="adapter", inputs=inputs, section={}, stage_version=1)) as draft:
        (draft.folder / "weights").write_text(dataset.name)
    return draft.artifact


@pytest.mark.parametrize("first", ["taught", "dropped"])
def test_a_row_that_one_dataset_taught_and_another_dropped_is_told_as_taught(
    first: str, project: Path, tmp_path: Path
) -> None:
    row, other = rows_of(project)[:2]
    dropped = Example.from_dict({**row.to_dict(), "split": None})
    store = Store.beside(tmp_path / "two")
    made = {}
    for name in ("taught", "dropped") if first == "taught" else ("dropped", "taught"):
        sides = ([row], []) if name == "taught" else ([other], [dropped])
        dataset = kept(store, name, *sides)
        made[name] = (dataset, tuned(store, dataset))

    (told,) = opted_out(store, OptOuts(digests=frozenset([row.id])))

    assert told.example.split == row.split
    assert [one.name for one in told.datasets] == [made["taught"][0].name]
    assert [one.name for one in told.left_out] == [made["dropped"][0].name]
    assert [one.name for one in told.offspring] == [made["taught"][1].name]
