"""`show`: what is taught is what stands in the brackets."""

from __future__ import annotations

import html
import json
import re
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


POLICY = """
contract:
  system: {name: desk-v3, text: Name it.}
  without_system: 0.5
"""


def test_the_system_prompt_a_row_was_drawn_is_told(tutelage: Tutelage, project: Path) -> None:
    with (project / "recipe.yaml").open("a") as file:
        file.write(POLICY)
    rows = [(f"Is it {at}?", "yes") for at in range(20)]
    write_rows(project / "rows.jsonl", rows)
    said = tutelage("show", "--count", "20")
    without_system = said.out.count("  system prompt: left out, as for 50% of the rows\n")
    served = said.out.count("  system prompt: desk-v3, the one that is served\n")
    assert without_system + served == 20
    assert said.out.count("<|im_start|>system\nName it.") == served
    assert 0 < without_system < 20


def test_lessons_of_a_row_say_what_folding_shares(tutelage: Tutelage, project: Path) -> None:
    turns = [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")]
    messages = [{"role": role, "content": text} for role, text in turns]
    (project / "rows.jsonl").write_text(json.dumps({"messages": messages}) + "\n")
    said = tutelage("show")
    first, second = tutelage("show", "--json").json()["data"]["shown"][0]["lessons"]
    whole = len(first["prompt_ids"]) + len(first["completion_ids"])
    assert (first["shared"], second["shared"]) == (0, whole)
    assert f", the first {whole} shared with message 1\n" in said.out
    assert "b<|im_end|>┊\n<|im_start|>user\nc" in said.out
    total = whole + len(second["prompt_ids"]) + len(second["completion_ids"])
    assert f"  2 lessons of {total} tokens, {total - whole} once they are folded\n" in said.out


def test_a_page_is_one_file_that_runs_nothing(tutelage: Tutelage, project: Path) -> None:
    write_rows(project / "rows.jsonl", [("<script>alert(1)</script>\nso", "yes & no")])
    said = tutelage("show", "--html", "rows.html")
    assert said.out == "1 row written to rows.html\n"
    page = (project / "rows.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"<script|<link|<img|\bsrc=|https?://", page)
    text = html.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<sub.*?</sub>", "", page)))
    assert "⟦yes & no<|im_end|>⟧" in text
    assert "<script>alert(1)</script>↵\nso" in text
