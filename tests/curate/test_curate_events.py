"""Rows made from served answers go through curation with where they are from."""

from __future__ import annotations

import json
from pathlib import Path

from tutelage.core.conversation import Message
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example, Generator, Origin, Source
from tutelage.curate import run as door
from tutelage.curate.written import CARD_JSON
from tutelage.store.run import Run
from tutelage.store.tables import LEDGER, ROWS, read_ledger, read_rows


def row(event: str, origin: Origin, words: str) -> Example:
    return Example(
        messages=(
            Message(role="user", content=f"Where is {words}?"),
            Message(role="assistant", content=f"{words} is here"),
        ),
        origin=origin,
        licence="CC-BY-4.0",
        source=Source(uri=f"event:{event}", line=0, digest="ab" * 32),
        author="ann",
        generator=Generator(model="desk@0123456789ab"),
        consent_key="user-7",
        tags={"kind": "corrected"},
    )


def test_the_dataset_and_its_card_show_the_rows_own_origins(tmp_path: Path) -> None:
    made = [row("chatcmpl-1", "human_edited", "the lamp"), row("chatcmpl-2", "log", "my parcel")]
    lines = "".join(json.dumps(one.to_dict()) + "\n" for one in [*made, made[0]])
    (tmp_path / "feedback.jsonl").write_text(lines)
    (tmp_path / "own.jsonl").write_text('{"prompt": "Is it day?", "completion": "Yes"}\n')
    recipe = Recipe.model_validate(
        {
            "name": "test",
            "curate": {
                "sources": [
                    {"path": "own.jsonl", "origin": "human", "licence": "CC0-1.0"},
                    {
                        "path": "feedback.jsonl",
                        "format": "row",
                        "origin": "human_edited",
                        "licence": "CC0-1.0",
                    },
                ],
                "validation": 0.0,
            },
        }
    ).at(tmp_path)
    assert recipe.curate is not None

    with Run.open(recipe) as run:
        artifact = door.run(recipe.curate, {}, run)

    kept = {str(one.source): one for one in read_rows(artifact.file(ROWS))}
    assert set(kept) == {"own.jsonl:1", "event:chatcmpl-1", "event:chatcmpl-2"}
    assert kept["event:chatcmpl-1"].consent_key == "user-7"
    card = json.loads(artifact.file(CARD_JSON).read_text())
    assert card["origins"] == {"human": 1, "human_edited": 1, "log": 1}
    assert card["licences"] == {"CC-BY-4.0": 2, "CC0-1.0": 1}
    (_, feedback) = card["sources"]
    assert (feedback["read"], feedback["kept"]) == (3, 2)
    assert feedback["origins"] == ["human_edited", "log"]
    dropped = [one for one in read_ledger(artifact.file(LEDGER)) if one.decision == "drop"]
    assert [one.detail.split()[0] for one in dropped] == ["event:chatcmpl-1"]
