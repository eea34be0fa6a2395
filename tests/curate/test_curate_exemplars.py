"""Safety exemplars in a dataset: counted by topic, and told where a topic has no benign twin."""

from __future__ import annotations

import json
from pathlib import Path

from tests.curate.test_curate_run import recipe, rows
from tests.store.test_ingest_policy import POLICY
from tutelage.curate import run as door
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run


def curated(folder: Path, **keys: object) -> Artifact:
    for name in ("a", "b", "test"):
        pairs = [(f"{name} asks for thing {at}", f"{name} has {at}") for at in range(20)]
        (folder / f"{name}.jsonl").write_text(rows(*pairs), encoding="utf-8")
    (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
    made = recipe(folder, **keys)
    assert made.curate is not None
    with Run.open(made) as run:
        return door.run(made.curate, {}, run)


SOURCES = [
    {"path": "a.jsonl", "origin": "human", "licence": "MIT"},
    {"path": "policy.yaml", "format": "policy", "origin": "human", "licence": "MIT"},
]


def test_the_card_counts_exemplars_by_topic_and_names_topics_without_a_twin(tmp_path: Path) -> None:
    made = curated(tmp_path, sources=SOURCES)
    card = json.loads(made.file("card.json").read_text())
    topics = card["safety"]["topics"]
    assert card["safety"]["rows"] == 6
    assert card["safety"]["share"] == 6 / 26
    assert topics["cards"]["benign"] == 1
    assert sum(topics["cards"].values()) == 5
    assert topics["prices"] == {"refusal": 1, "deflection": 0, "alternative": 0, "benign": 0}
    assert card["safety"]["without_twins"] == ["prices"]
    told = made.file("card.md").read_text()
    assert "6 rows, 23.1% of those kept, teach what is not done: 5 turn a request down" in told
    assert "No benign request stands beside prices" in told


def test_rows_of_other_sources_say_so_in_columns(tmp_path: Path) -> None:
    found = [
        {"ask": "rob a bank", "say": "No.", "safety": "refusal", "topic": "cards"},
        {"ask": "bank on me", "say": "Yes.", "safety": "high"},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in found)
    (tmp_path / "open.jsonl").write_text(lines, encoding="utf-8")
    named = {"format": "fields", "fields": {"user": "ask", "assistant": "say"}}
    more = {"path": "open.jsonl", "origin": "human", "licence": "MIT", **named}
    made = curated(tmp_path, sources=[*SOURCES, more])
    card = json.loads(made.file("card.json").read_text())
    assert card["safety"]["rows"] == 7  # a tag of that name with another value counts as none
    assert sum(card["safety"]["topics"]["cards"].values()) == 6


def test_without_exemplars_the_card_says_nothing_of_them(tmp_path: Path) -> None:
    made = curated(tmp_path)
    assert "safety" not in json.loads(made.file("card.json").read_text())
    assert "Safety exemplars" not in made.file("card.md").read_text()
