"""`show`: what is taught is what stands in the brackets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Tutelage
from tests.micro import micro_base, write_rows

RECIPE = """
name: tickets
curate:
  sources: [{path: rows.jsonl, origin: human, licence: CC0-1.0}]
train: {base: base}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with three rows and a base."""
    micro_base(tmp_path / "base")
    rows = [("Is it day?", "yes"), ("Is it night?", "no"), ("Où?", "là")]
    write_rows(tmp_path / "rows.jsonl", rows)
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def test_the_taught_turn_stands_in_brackets(tutelage: Tutelage, project: Path) -> None:
    said = tutelage("show", "--row", "2")
    assert said.code == 0
    head, *shown = said.out.splitlines()
    assert head.startswith("rows.jsonl:2  ")
    assert shown == [
        "  message 1: 31 tokens read, 3 taught",
        "<|im_start|>user",
        "Is it night?<|im_end|>",
        "<|im_start|>assistant",
        "⟦no<|im_end|>⟧",
        "",
    ]


def test_json_holds_ids_that_are_the_text(tutelage: Tutelage, project: Path) -> None:
    form = tutelage("show", "--json").json()
    assert form["data"]["rows"] == 3
    lesson = form["data"]["shown"][2]["lessons"][0]
    assert lesson["prompt"].endswith("Où?<|im_end|>\n<|im_start|>assistant\n")
    assert lesson["completion"] == "là<|im_end|>"
    assert len(lesson["completion_ids"]) == len("là".encode()) + 1


def test_a_row_is_chosen_by_the_beginning_of_its_id(tutelage: Tutelage, project: Path) -> None:
    row = tutelage("show", "--row", "3", "--json").json()["data"]["shown"][0]["row"]
    said = tutelage("show", "--id", row[:8])
    assert "⟦là<|im_end|>⟧" in said.out


def test_count_says_how_many(tutelage: Tutelage, project: Path) -> None:
    assert tutelage("show", "--count", "2").out.count("⟦") == 2
    assert tutelage("show", "--row", "2", "--count", "9").out.count("⟦") == 2


def test_a_row_that_is_not_there_is_a_usage_error(tutelage: Tutelage, project: Path) -> None:
    said = tutelage("show", "--row", "4")
    assert said.code == 2
    assert said.err == "error: there is no row 4\n  expected at most 3 rows\n"


def test_rows_that_cannot_be_read_are_counted(tutelage: Tutelage, project: Path) -> None:
    with (project / "rows.jsonl").open("a") as file:
        file.write("{not json}\n")
    said = tutelage("show", "--count", "1")
    assert said.code == 0
    assert "warning: 1 row cannot be read: see `tutelage check`" in said.err


def test_a_recipe_without_a_base_says_what_is_missing(tutelage: Tutelage, project: Path) -> None:
    (project / "recipe.yaml").write_text(RECIPE.partition("train:")[0])
    said = tutelage("show")
    assert said.code == 1
    assert "no section `train`" in said.err
