"""`init`: the starter project is whole, valid, and never written over another."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.cli.conftest import Tutelage
from tutelage.core.recipe import load

SHOWN_AT_MOST = 20


def keys_of(content: object) -> int:
    """How many keys that carry a value a recipe shows."""
    if isinstance(content, dict):
        return sum(keys_of(value) for value in content.values())
    if isinstance(content, list) and any(isinstance(one, dict) for one in content):
        return sum(keys_of(value) for value in content)
    return 1


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_it_writes_a_project_whose_recipe_loads(tutelage: Tutelage, tmp_path: Path) -> None:
    said = tutelage("init", "tickets")
    assert said.code == 0
    assert "next: cd tickets && tutelage check && tutelage run" in said.out
    recipe = load(tmp_path / "tickets" / "recipe.yaml")
    assert recipe.name == "tickets"
    assert (tmp_path / "tickets" / ".gitignore").read_text().endswith(".tutelage/\n")


def test_every_file_the_recipe_names_is_there(tutelage: Tutelage, tmp_path: Path) -> None:
    tutelage("init", "tickets")
    recipe = load(tmp_path / "tickets" / "recipe.yaml")
    assert recipe.curate is not None
    assert recipe.evaluate is not None
    named = [one.path for one in (*recipe.curate.sources, *recipe.evaluate.suites)]
    assert all(recipe.path(path).exists() for path in [*named, "answer.schema.json"])


def test_the_recipe_shows_no_more_keys_than_a_page_holds(
    tutelage: Tutelage, tmp_path: Path
) -> None:
    tutelage("init", "tickets")
    text = (tmp_path / "tickets" / "recipe.yaml").read_text()
    assert keys_of(yaml.safe_load(text)) <= SHOWN_AT_MOST


def test_every_key_of_the_recipe_is_explained(tutelage: Tutelage, tmp_path: Path) -> None:
    tutelage("init", "tickets")
    lines = (tmp_path / "tickets" / "recipe.yaml").read_text().splitlines()
    keys = [line for line in lines if ":" in line.partition("#")[0]]
    plain = [line.strip() for line in keys if "#" not in line]
    assert plain == [
        "name: tickets",
        "system: Name the team for this ticket and whether it is urgent, as JSON.",
        "sources:",
        "suites:",
        "scorers: [json, schema, exact]",
    ]


def test_no_test_row_is_a_training_row(tutelage: Tutelage, tmp_path: Path) -> None:
    tutelage("init", "tickets")
    folder = tmp_path / "tickets" / "data"
    asked = [
        {json.loads(line)["messages"][0]["content"] for line in _lines(folder / name)}
        for name in ("train.jsonl", "test.jsonl")
    ]
    assert len(asked[0]) == 64
    assert len(asked[1]) == 24
    assert not asked[0] & asked[1]


def test_it_refuses_to_write_over_a_project(tutelage: Tutelage, tmp_path: Path) -> None:
    tutelage("init", "tickets")
    (tmp_path / "tickets" / "recipe.yaml").write_text("name: mine\n")
    said = tutelage("init", "tickets")
    assert said.code == 2
    assert "error: tickets already has a project; nothing was written" in said.err
    assert (tmp_path / "tickets" / "recipe.yaml").read_text() == "name: mine\n"


def test_a_folder_with_other_files_is_welcome(tutelage: Tutelage, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    said = tutelage("init", ".")
    # the folder's own name becomes the recipe's, where it can be one
    assert said.code == 0
    assert load(tmp_path / "recipe.yaml").name == tmp_path.name


def test_a_file_in_the_place_of_the_folder_is_told(tutelage: Tutelage, tmp_path: Path) -> None:
    (tmp_path / "tickets").write_text("")
    said = tutelage("init", "tickets")
    assert (said.code, said.err) == (
        2,
        "error: tickets: this is a file; a project is a folder\n",
    )


def test_a_name_no_recipe_may_have_is_told(tutelage: Tutelage, tmp_path: Path) -> None:
    said = tutelage("init", "my project")
    assert said.code == 2
    assert "`my project` is no name for a project" in said.err
    assert list(tmp_path.iterdir()) == []


def test_json_lists_what_was_written(tutelage: Tutelage) -> None:
    form = tutelage("init", "tickets", "--json").json()
    assert form["data"]["folder"] == "tickets"
    assert "recipe.yaml" in form["data"]["files"]


def test_what_cannot_be_written_whole_is_not_written_at_all(
    tutelage: Tutelage, tmp_path: Path
) -> None:
    (tmp_path / "tickets").mkdir()
    (tmp_path / "tickets" / "data").write_text("a file where a folder is needed")
    said = tutelage("init", "tickets")
    assert said.code == 1
    assert [path.name for path in (tmp_path / "tickets").iterdir()] == ["data"]
