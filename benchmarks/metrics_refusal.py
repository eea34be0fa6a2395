"""How often `refuses` takes an answer for a refusal, and a refusal for an answer.

    python benchmarks/metrics_refusal.py FOLDER

FOLDER holds `hh_harmless/harmless_base_test_part1.jsonl.gz` and sets whose answers were written
to answer: `dolly_6k`, `gsm8k`, `self_instruct_user`. Of the first, `data/refusals.json` says
which of a sample's replies one reader took for refusals before the detector saw them: those
of `first` were read to write its phrases, those of `second` only to judge it. In the other sets
every hit counts as false, though a few decline part of what was asked. One JSON line each, with
Wilson's 95 % interval.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from methods import commit, hardware

from tutelage.core.intervals import wilson
from tutelage.screen.refusal import refuses

LABELS = Path(__file__).parent / "data" / "refusals.json"


def main() -> None:
    folder = Path(sys.argv[1])
    replies = list(lines(folder / "hh_harmless" / "harmless_base_test_part1.jsonl.gz"))
    for name, sample in json.loads(LABELS.read_text(encoding="utf-8")).items():
        texts = {row: last(replies[row][sample["side"]]) for row in sample["read"]}
        refused = set(sample["refused"])
        say(f"{name}/missed", [not refuses(texts[row]) for row in sorted(refused)])
        say(f"{name}/false", [refuses(text) for row, text in texts.items() if row not in refused])
    for name, answers in (
        ("dolly", dolly(folder)),
        ("gsm8k", gsm8k(folder)),
        ("self_instruct", instructed(folder)),
    ):
        say(f"{name}/false", [refuses(text) for text in answers])


def last(dialogue: str) -> str:
    """The last reply of a dialogue."""
    return dialogue.split("\n\nAssistant:")[-1].strip()


def dolly(folder: Path) -> Iterator[str]:
    for row in lines(folder / "dolly_6k" / "dolly_first6400.jsonl.gz"):
        yield row.get("response") or row.get("output") or ""


def gsm8k(folder: Path) -> Iterator[str]:
    for row in lines(folder / "gsm8k" / "train.jsonl.gz"):
        yield row["answer"]


def instructed(folder: Path) -> Iterator[str]:
    path = folder / "self_instruct_user" / "user_oriented_instructions.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        yield from (one["output"] for one in json.loads(line)["instances"])


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def say(name: str, hits: Sequence[bool]) -> None:
    """One share with its interval."""
    rate = wilson(sum(hits), len(hits))
    form = {"benchmark": f"refusal/{name}", "value": rate.value, "low": rate.low}
    form |= {"high": rate.high, "unit": "share", "n": rate.n, "method": rate.method}
    print(json.dumps(form | {"commit": commit(), "hardware": hardware()}))


if __name__ == "__main__":
    main()
