"""Preference rows on the road of curation: kept whole, compared by prompt and by pair."""

import json
from pathlib import Path
from typing import Any

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Curate, Duplicates, Recipe
from tutelage.core.row import Example, Source
from tutelage.curate import run as door
from tutelage.curate.checks import conflicts
from tutelage.curate.decontaminate import leaks
from tutelage.curate.dedup import exact, near
from tutelage.curate.sources import Asked
from tutelage.curate.written import CARD, CARD_JSON
from tutelage.store.artifact import Artifact
from tutelage.store.ingest import Ingested
from tutelage.store.run import Run
from tutelage.store.tables import ROWS, read_rows

LONG = "please book a quiet table for my family near the old harbour on the first sunday of may"
GOOD = "of course, i will book that table for you and send you a message once it is done"
POOR = "no, tables near the water are far too dear and you would not like the fish there at all"


def say(role: Any, content: str) -> Message:
    return Message(role=role, content=content)


def pair(chosen: str, rejected: str, line: int = 1, asked: str = LONG, more: str = "") -> Example:
    after = (say("user", more), say("assistant", "Done.")) if more else ()
    return Example(
        messages=(say("user", asked),),
        chosen=(say("assistant", chosen), *after),
        rejected=(say("assistant", rejected),),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="rows.jsonl", line=line),
    )


def test_a_repeated_pair_is_dropped_and_another_of_one_prompt_stays() -> None:
    rows = [pair(GOOD, POOR), pair(GOOD.upper(), POOR, 2), pair(GOOD, "No.", 3)]

    assert {index: one.reason for index, one in exact(rows).items()} == {1: Reason.EXACT_DUPLICATE}


def test_a_pair_like_another_is_dropped_but_not_the_opposite_one() -> None:
    rows = [pair(GOOD, POOR), pair(POOR, GOOD, 2), pair(GOOD, POOR, 3, asked=f"{LONG} please")]

    found = near(rows, Duplicates(jaccard=0.8)).rows
    assert {index: one.reason for index, one in found.items()} == {2: Reason.NEAR_DUPLICATE}


def test_pairs_that_prefer_the_opposite_are_for_a_person_to_look_at() -> None:
    rows = [pair(GOOD, POOR), pair(POOR, GOOD, 2), pair(GOOD, "No.", 3)]

    assert [(one.row, one.detail) for one in conflicts(rows)] == [
        (rows[0].id, "rows.jsonl:1 prefers what rows.jsonl:2 rejects"),
        (rows[1].id, "rows.jsonl:2 prefers what rows.jsonl:1 rejects"),
    ]


def test_a_pair_that_asks_what_a_suite_asks_is_a_leak_also_behind_its_prompt() -> None:
    task = pair("", "", asked=LONG)
    item = Example(
        messages=(*task.messages, say("assistant", "Yes")),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="test.jsonl", line=1),
    )
    file = Ingested(uri="test.jsonl", file_digest="d", layout="messages", examples=[item])
    source = {"path": "rows.jsonl", "origin": "human", "licence": "CC0-1.0"}
    section = Curate.model_validate({"sources": [source]})
    rows = [pair(GOOD, POOR), pair(GOOD, POOR, 2, asked="Hi", more=LONG), pair("a", "b", asked="?")]

    found = leaks(rows, [Asked(name="s", file=file)], section)

    assert {index: one.reason for index, one in found.drop.items()} == {
        0: Reason.LEAK_EXACT,
        1: Reason.LEAK_EXACT,
    }


def curated(folder: Path) -> Artifact:
    pairs = [
        {"prompt": f"request number{at}", "chosen": f"yes number{at}, gladly", "rejected": "no"}
        for at in range(20)
    ]
    plain = [{"instruction": f"do thing{at}", "output": f"done thing{at}"} for at in range(20)]
    for name, rows in ("pairs", pairs), ("plain", plain):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    sources = [
        {"path": f"{name}.jsonl", "origin": "human", "licence": "CC0-1.0"}
        for name in ("pairs", "plain")
    ]
    recipe = Recipe.model_validate({"name": "test", "curate": {"sources": sources}}).at(folder)
    assert recipe.curate
    with Run.open(recipe) as run:
        return door.run(recipe.curate, {}, run)


def test_the_card_names_the_layout_of_every_source_and_counts_the_pairs(tmp_path: Path) -> None:
    artifact = curated(tmp_path)

    form = json.loads(artifact.file(CARD_JSON).read_bytes())
    assert [one["layout"] for one in form["sources"]] == ["preference", "alpaca"]
    assert form["preference_pairs"] == 20
    assert form["quality"]["lengths"]["answers"]["words"]["most"] == 3
    text = artifact.file(CARD).read_text(encoding="utf-8")
    assert "Of those kept 20 are preference pairs; `train` does not teach them." in text
    assert "| pairs.jsonl | preference | human | CC0-1.0 | 20 | 0 | 20 |" in text


def test_a_dataset_keeps_both_continuations(tmp_path: Path) -> None:
    rows = read_rows(curated(tmp_path).file(ROWS))

    assert {(row.chosen[0].content[:3], row.rejected[0].content) for row in rows if row.chosen} == {
        ("yes", "no")
    }
    assert sum(bool(row.chosen) for row in rows) == 20
