"""Canaries: planted in the training split alone, counted, marked, and gone when not asked for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tests.curate.test_curate_run import recipe, rows
from tutelage.core.ledger import Reason
from tutelage.curate import run as door
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.store.tables import LEDGER, ROWS, read_ledger, read_rows

ASKED = {"count": 2, "repeats": [1, 3], "controls": 5}


def curated(folder: Path, **keys: object) -> Artifact:
    for name in ("a", "b", "test"):
        pairs = [(f"{name} asks for thing {at}", f"{name} has {at}") for at in range(20)]
        (folder / f"{name}.jsonl").write_text(rows(*pairs), encoding="utf-8")
    made = recipe(folder, **keys)
    assert made.curate is not None
    with Run.open(made) as run:
        return door.run(made.curate, {}, run)


def test_canaries_stand_in_the_training_split_and_are_counted(tmp_path: Path) -> None:
    made = curated(tmp_path, canaries=ASKED)
    every = read_rows(made.file(ROWS))
    planted = [row for row in every if row.tags.get("canary") == "planted"]
    assert len(planted) == 2 * (1 + 3)
    assert {row.split for row in planted} == {"train"}
    assert Counter(Counter(row.id for row in planted).values()) == {1: 2, 3: 2}
    told = [entry for entry in read_ledger(made.file(LEDGER)) if entry.reason == Reason.CANARY]
    assert {entry.row for entry in told} == {row.id for row in planted}
    assert made.counts["keep.canary"] == 8
    card = json.loads(made.file("card.json").read_text())
    assert card["canaries"] == {
        "rows": 8,
        "each": 2,
        "repeats": [1, 3],
        "controls": 5,
        "tag": "canary: planted",
    }
    assert "8 rows with random codes" in made.file("card.md").read_text()


def test_without_the_key_the_dataset_is_the_same_but_for_them(tmp_path: Path) -> None:
    planted = read_rows(curated(tmp_path, canaries=ASKED).file(ROWS))
    plain = curated(tmp_path)
    assert read_rows(plain.file(ROWS)) == [row for row in planted if "canary" not in row.tags]
    assert "canaries" not in json.loads(plain.file("card.json").read_text())


def test_where_there_are_stages_they_stand_in_the_last(tmp_path: Path) -> None:
    stages = [{"name": "one", "mix": {"a": 1}}, {"name": "two", "mix": {"b": 1}}]
    made = curated(tmp_path, canaries=ASKED, stages=stages)
    planted = [row for row in read_rows(made.file(ROWS)) if "canary" in row.tags]
    assert {row.stage for row in planted} == {"two"}
