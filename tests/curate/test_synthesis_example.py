"""The recipe of the example and that of the docs, walked to a dataset with a loopback teacher."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.score.judges import serving
from tests.score.teachers import SEED
from tutelage.core.recipe import load
from tutelage.curate import run as curation
from tutelage.curate.synthesis.review import export, queue, take
from tutelage.curate.synthesis.run import needed, read_drafts
from tutelage.curate.synthesis.run import run as drafting
from tutelage.store.run import Run
from tutelage.store.tables import LEDGER, ROWS, read_ledger, read_rows

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "support"
KEPT = {"train": 400, "test": 100}  # rows: the road is the same with few
COUNT = 12


class Clerk:
    """Turns a request's words round, and names the intent of the row it was made from."""

    def __init__(self, rows: list[dict[str, str]]) -> None:
        self.intents = {turned(row["request"]): row["answer"] for row in rows}

    def choice(self, body: Mapping[str, Any]) -> Mapping[str, object]:
        words = body["messages"][-1]["content"]
        found = SEED.search(words)
        said = turned(found[1]) if found else self.intents[words]
        return {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}


def turned(words: str) -> str:
    return " ".join(reversed(words.split()))


def test_the_second_task_goes_from_seeds_to_a_dataset_by_recipe_alone(tmp_path: Path) -> None:
    folder = tmp_path / "support"
    (folder / "data").mkdir(parents=True)
    for name in ("synthesis.yaml", "intents.json"):
        shutil.copy(EXAMPLE / name, folder / name)
    heads = {}
    for name, count in KEPT.items():
        with gzip.open(EXAMPLE / "data" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as stream:
            heads[name] = [next(stream) for _ in range(count)]
        with gzip.open(folder / "data" / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
            stream.writelines(heads[name])
    clerk = Clerk([json.loads(line) for line in heads["train"]])
    with serving(clerk.choice) as (endpoint, _):
        recipe = load(
            folder / "synthesis.yaml",
            [
                f"curate.synthesis.teacher.endpoint={endpoint}",
                f"curate.synthesis.seeds.count={COUNT}",
            ],
        )
        section, _ = needed(recipe)
        with Run.open(recipe) as run:
            artifact, spent = drafting(section, run)
    drafts = read_drafts(artifact)
    assert spent.asked == COUNT * 4
    assert len(drafts) == COUNT

    sheets = export(queue(recipe), folder / "sheet.jsonl", ["ann", "ben"])
    for path, _, _ in sheets:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps({**row, "decision": "accept"}) + "\n" for row in rows))
    taken = take(queue(recipe), [path for path, _, _ in sheets])
    assert (taken.summary["rows"], taken.listed) == (COUNT, True)

    with Run.open(recipe) as run:
        dataset = curation.run(section, {}, run)
    rows = read_rows(dataset.file(ROWS))
    kept = [one for one in rows if one.origin == "synthetic"]
    left = [one for one in read_ledger(dataset.file(LEDGER)) if one.reason == "across_split"]
    assert len(kept) + len(left) == COUNT  # some of the seeds are held out
    held = {one.id for one in rows if one.split == "validation"}
    assert {one.other_row for one in left} <= held
    assert not held & {name for one in kept if one.split == "train" for name in one.parents}
    assert {one.licence for one in kept} == {"CC-BY-3.0 AND Apache-2.0"}


def test_the_recipe_of_the_docs_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "synthesis.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"name": "docs", **yaml.safe_load(block)}))
    recipe = load(path, [])
    assert recipe.curate is not None
    assert recipe.curate.synthesis is not None
