"""Rows of the file of reviewed drafts are held to their reviews by whatever path they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example
from tutelage.curate.reviewed import Admission, held
from tutelage.curate.synthesis.ground import before
from tutelage.store.ingest import Refused, Rows

ROW = {
    "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
    "origin": "human",
    "licence": "MIT",
}


DRAFTS = "data/synthetic.jsonl"


def recipe_of(folder: Path, path: str, rows: str = DRAFTS) -> Recipe:
    """A recipe that reads rows from a path, where the drafts that passed review are in `rows`."""
    teacher = {"endpoint": "http://127.0.0.1:1", "model": "m", "licence": "MIT"}
    source = {"path": path, "format": "row", "origin": "synthetic", "licence": "MIT"}
    form: dict[str, Any] = {
        "sources": [{**source, "name": "read"}, {**source, "path": "seeds.jsonl", "name": "seeds"}],
        "synthesis": {"teacher": teacher, "seeds": {"sources": ["seeds"]}, "rows": rows},
    }
    return Recipe.model_validate({"name": "test", "curate": form}).at(folder)


def rows_of(recipe: Recipe) -> list[Example | Refused]:
    """What becomes of the rows of its first source."""
    assert recipe.curate is not None
    stream = Rows.open(recipe.curate.sources[0], recipe)
    return list(held(stream, Admission.by(recipe.curate, recipe)))


def looked_at(folder: Path, path: str, rows: str = DRAFTS) -> list[type]:
    return [type(one) for one in rows_of(recipe_of(folder, path, rows))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, row in (
        ("data", ROW),
        ("made", {**ROW, "source": {"uri": "event:1", "line": 0}}),
        ("other", ROW),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "synthetic.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "data" / "more.jsonl").write_text(json.dumps(ROW) + "\n")
    (tmp_path / "linked.jsonl").symlink_to(tmp_path / "data" / "synthetic.jsonl")
    (tmp_path / "again.jsonl").hardlink_to(tmp_path / "data" / "synthetic.jsonl")
    return tmp_path


PATHS = [
    "data/synthetic.jsonl",
    "./data/synthetic.jsonl",
    "data/../data/synthetic.jsonl",
    "{folder}/data/synthetic.jsonl",
    "linked.jsonl",
    "again.jsonl",
]


@pytest.mark.parametrize("path", [*PATHS, "data/synth*.jsonl"])
def test_the_file_of_drafts_is_known_by_whatever_path(path: str, folder: Path) -> None:
    assert looked_at(folder, path.format(folder=folder)) == [Refused]


def test_a_row_of_it_that_names_an_event_is_one_of_its_rows(folder: Path) -> None:
    rows = "made/synthetic.jsonl"
    (refused,) = rows_of(recipe_of(folder, rows, rows))
    assert isinstance(refused, Refused)
    assert (refused.uri, refused.line) == (rows, 1)


def test_other_rows_in_its_folder_and_files_of_its_name_are_others(folder: Path) -> None:
    assert looked_at(folder, "data") == [Example, Refused]  # more.jsonl, synthetic.jsonl
    rows = str(folder / "data" / "synthetic.jsonl")
    assert looked_at(folder, str(folder / "other" / "synthetic.jsonl"), rows) == [Example]
    assert looked_at(folder, "other/synthetic.jsonl", "data/not_made_yet.jsonl") == [Example]


@pytest.mark.parametrize("path", PATHS)
def test_drafting_leaves_the_file_of_drafts_out_by_whatever_path(path: str, folder: Path) -> None:
    recipe = recipe_of(folder, path.format(folder=folder))
    section = recipe.curate
    assert section is not None
    assert section.synthesis is not None
    assert [one.called for one in before(section, section.synthesis, recipe).sources] == ["seeds"]


def test_the_file_of_drafts_by_another_path_is_no_seeds(folder: Path) -> None:
    recipe = recipe_of(folder, "linked.jsonl")
    section = recipe.curate
    assert section is not None
    assert section.synthesis is not None
    seeds = section.synthesis.seeds.model_copy(update={"sources": ("seeds", "read")})
    keys = section.synthesis.model_copy(update={"seeds": seeds})
    with pytest.raises(RecipeError, match="source `read` is the file of reviewed drafts"):
        before(section, keys, recipe)


@pytest.mark.parametrize("path", ["data/*.jsonl", "data"])
def test_drafts_are_not_drawn_with_others_by_a_pattern_or_a_folder(path: str, folder: Path) -> None:
    recipe = recipe_of(folder, path)
    assert recipe.curate is not None
    assert recipe.curate.synthesis is not None
    with pytest.raises(RecipeError, match="reads the file of reviewed drafts among others"):
        before(recipe.curate, recipe.curate.synthesis, recipe)
