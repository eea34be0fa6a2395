"""How often marks of injection are found where somebody attacks, and where nobody does.

    python benchmarks/injection.py FOLDER [--attacks FOLDER]

FOLDER holds public sets in which people ask and answer: `dolly_6k`, `hh_harmless`,
`self_instruct_user`, `mt_bench`, `stackexchange_pairs_tiny`. A mark found in one of their texts
counts as false, though a few may quote one. Attacks written by others are looked at where
`--attacks` names the folder `datasets` of PyRIT's package (MIT): its jailbreak templates, which
persuade in words of their own and hold no mark unless they countermand an instruction, and its
requests for the system prompt. The families are those of this project's red team, on made-up
requests: what it writes itself is no test of a detector, and tells which families leave no mark.

One JSON line a set goes to `benchmarks/results/injection.jsonl`: the share of texts with a mark,
with Wilson's 95 % interval, and how many have each kind.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from methods import RESULTS, commit, hardware

from tutelage.core.conversation import Message
from tutelage.core.finding import Finding
from tutelage.core.intervals import wilson
from tutelage.core.recipe.evaluate import Suite
from tutelage.core.row import Example, Source
from tutelage.score.attacks import asked_of
from tutelage.screen.injection import find_injections

REQUESTS = ("how to bake bread", "how to pick a lock", "a poem on rain", "the tallest tower")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--attacks", type=Path, help="`datasets` of PyRIT's package")
    given = parser.parse_args()
    sets: list[tuple[str, Iterable[str]]] = [
        ("false/dolly", dolly(given.folder)),
        ("false/hh_harmless", dialogues(given.folder)),
        ("false/self_instruct", instructed(given.folder)),
        ("false/mt_bench", turns(given.folder)),
        ("false/stackexchange", pages(given.folder)),
    ]
    if given.attacks:
        sets += [
            ("found/jailbreak_templates", templates(given.attacks)),
            ("found/system_prompt_requests", extractions(given.attacks)),
        ]
    by_family: dict[str, list[str]] = {}
    for family, text in red_team():
        by_family.setdefault(family, []).append(text)
    sets += [(f"family/{name}", texts) for name, texts in sorted(by_family.items())]
    lines = [line(f"injection/{name}", list(texts), find_injections) for name, texts in sets]
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (RESULTS / "injection.jsonl").write_text(text, encoding="utf-8")
    print(text, end="")


def line(name: str, texts: list[str], find: Callable[[str], list[Finding]]) -> dict[str, Any]:
    """The share of texts with a mark."""
    kinds = [{one.kind for one in find(text)} for text in texts]
    share = wilson(sum(map(bool, kinds)), len(texts))
    counted = Counter(kind for found in kinds for kind in found)
    return {
        "benchmark": name,
        "metric": "texts with a mark",
        "value": round(share.value, 5),
        "low": round(share.low, 5),
        "high": round(share.high, 5),
        "n": share.n,
        "method": share.method,
        "unit": "share",
        "kinds": dict(sorted(counted.items())),
        "commit": commit(),
        "hardware": hardware(),
    }


def dolly(folder: Path) -> Iterator[str]:
    for row in packed(folder / "dolly_6k" / "dolly_first6400.jsonl.gz"):
        yield "\n".join(str(value) for value in row.values())


def dialogues(folder: Path) -> Iterator[str]:
    for row in packed(folder / "hh_harmless" / "harmless_base_test_part1.jsonl.gz"):
        yield row["chosen"]


def instructed(folder: Path) -> Iterator[str]:
    for row in plain(folder / "self_instruct_user" / "user_oriented_instructions.jsonl"):
        for one in row["instances"]:
            yield "\n".join((row["instruction"], one["input"], one["output"]))


def turns(folder: Path) -> Iterator[str]:
    for row in plain(folder / "mt_bench" / "question.jsonl"):
        yield from row["turns"]


def pages(folder: Path) -> Iterator[str]:
    path = folder / "stackexchange_pairs_tiny" / "stack_exchange_paired_tiny.json"
    for row in json.loads(path.read_text(encoding="utf-8")):
        yield "\n".join(str(value) for value in row.values())


def templates(folder: Path) -> Iterator[str]:
    for path in sorted((folder / "jailbreak" / "templates").rglob("*.yaml")):
        yield str(yaml.safe_load(path.read_text(encoding="utf-8"))["value"])


def extractions(folder: Path) -> Iterator[str]:
    path = folder / "seed_datasets" / "local" / "garak" / "system_prompt_extraction.prompt"
    for one in yaml.safe_load(path.read_text(encoding="utf-8"))["seeds"]:
        yield str(one["value"])


def red_team() -> Iterator[tuple[str, str]]:
    """Every family and mutation on each request."""
    suite = Suite.model_validate(
        {
            "name": "attacks",
            "path": "none.jsonl",
            "scorers": ["refusal"],
            "red_team": {"per_seed": 35},
        }
    )
    rows = [
        Example(
            messages=(Message(role="user", content=asked),),
            origin="human",
            licence="CC0-1.0",
            source=Source(uri="requests", line=number, digest="0" * 64),
            id=f"{number:032x}",
        )
        for number, asked in enumerate(REQUESTS)
    ]
    for row in asked_of(suite, rows, 7):
        yield row.tags["family"], "\n".join(turn.content for turn in row.messages)


def packed(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def plain(path: Path) -> Iterator[dict[str, Any]]:
    yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


if __name__ == "__main__":
    main()
