"""Seeds are drawn of what curation would keep, rows of all sources looked at together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tutelage.core.recipe import Recipe
from tutelage.curate.synthesis.ground import ground
from tutelage.store.ingest import read_examples
from tutelage.store.run import Run


def row(asked: str, **more: Any) -> dict[str, Any]:
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": "yes"}]
    return {"messages": turns, "origin": "human", "licence": "MIT", **more}


def test_a_row_made_from_one_of_another_source_that_was_taken_back_is_no_seed(
    tmp_path: Path,
) -> None:
    def write(name: str, *rows: dict[str, Any]) -> None:
        (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in rows))

    write("old.jsonl", row("is it far", author="Ann"), row("is it near"))
    source = {"format": "row", "origin": "human", "licence": "MIT"}
    form: dict[str, Any] = {
        "name": "test",
        "curate": {
            "sources": [{"path": "new.jsonl", **source}, {"path": "old.jsonl", **source}],
            "opt_out": "out.jsonl",
            "synthesis": {
                "teacher": {"endpoint": "http://127.0.0.1:1", "model": "m", "licence": "MIT"},
                "seeds": {"sources": ["new", "old"]},
            },
        },
    }
    recipe = Recipe.model_validate(form).at(tmp_path)
    assert recipe.curate is not None
    assert recipe.curate.synthesis is not None
    parent = read_examples(recipe.curate.sources[1], recipe).examples[0]
    made = {"origin": "human_edited", "editor": "Ed", "parents": [parent.id]}
    write("new.jsonl", row("is it very far", **made), row("is it open"))
    write("out.jsonl", {"author": "Ann"})

    with Run.open(recipe) as run:
        found = ground(recipe.curate, recipe.curate.synthesis, run)

    left = {name: [one.messages[0].content for one in rows] for name, rows in found.rows.items()}
    assert left == {"new": ["is it open"], "old": ["is it near"]}
    assert {name: dict(count) for name, count in found.left_out.items()} == {
        "new": {"opted_out": 1},
        "old": {"opted_out": 1},
    }
