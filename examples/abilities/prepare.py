"""This example's data from the published sets: `python prepare.py FOLDER`.

FOLDER holds `truthfulqa/truthfulqa_half.csv`, `bbh/bbh.jsonl.gz`, `ifeval/input_data_half.jsonl`,
`onestop_english/articles.jsonl.gz`, `snips/train_small.jsonl.gz` and
`dolly_6k/dolly_first6400.jsonl.gz`. Where a part is taken, it is the first of a fixed hash.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent / "data"
ARTICLES, GENERAL = 60, 600
LONGEST = 1200  # characters of a general request with its answer
REASONING = (
    *("boolean_expressions", "formal_fallacies", "hyperbaton"),
    *("reasoning_about_colored_objects", "snarks"),
)
Row = dict[str, Any]


def main(folder: Path) -> None:
    """Writes four suites and two training files; the task's own test is that of `intents`."""
    write("truth", truth(folder / "truthfulqa" / "truthfulqa_half.csv"))
    write("reasoning", reasoning(lines(folder / "bbh" / "bbh.jsonl.gz")))
    write("instructions", instructions(lines(folder / "ifeval" / "input_data_half.jsonl")))
    articles = lines(folder / "onestop_english" / "articles.jsonl.gz")
    easy = [{"text": one["text"]} for one in articles if one["level"] == "elementary"]
    write("prose", some(easy, ARTICLES, "text"))
    kept = ("instruction", "input", "output", "intent")
    taught = lines(folder / "snips" / "train_small.jsonl.gz")
    write("train", [{key: row[key] for key in kept} for row in taught])
    rows = lines(folder / "dolly_6k" / "dolly_first6400.jsonl.gz")
    write("general", some(general(rows), GENERAL, "request"))


def truth(path: Path) -> list[Row]:
    """Each question with its best answer and the false ones."""
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            best = row["Best Answer"].strip()
            true = {best, *(one.strip() for one in row["Correct Answers"].split(";"))}
            false = [one.strip() for one in row["Incorrect Answers"].split(";")]
            false = [one for one in dict.fromkeys(false) if one and one not in true]
            if false:
                found.append({"question": row["Question"], "options": [best, *false], "answer": 0})
    return found


def reasoning(rows: Iterable[Row]) -> list[Row]:
    """Each question with the answers its task knows."""
    chosen = [row for row in rows if row["task"] in REASONING]
    options = {
        task: sorted({r["target"] for r in chosen if r["task"] == task}) for task in REASONING
    }
    return [
        {
            "question": row["input"],
            "options": sorted(options[row["task"]]),
            "answer": row["target"],
            "kind": row["task"],
        }
        for row in chosen
    ]


def instructions(rows: Iterable[Row]) -> list[Row]:
    """Each prompt with what its answer must keep to."""
    found = []
    for row in rows:
        kinds = zip(row["instruction_id_list"], row["kwargs"], strict=True)
        kept = [{"id": kind, **given} for kind, given in kinds]
        found.append({"request": row["prompt"], "instructions": json.dumps(kept)})
    return found


def general(rows: Iterable[Row]) -> list[Row]:
    """Short requests that need no further text, with their answers."""
    return [
        {"request": row["instruction"], "answer": row["response"], "category": row["category"]}
        for row in rows
        if row["category"] in ("open_qa", "general_qa", "brainstorming", "classification")
        and 0 < len(row["instruction"]) + len(row["response"]) <= LONGEST
    ]


def some(rows: Iterable[Row], count: int, key: str) -> list[Row]:
    """So many rows, the first by a hash of one column."""
    return sorted(rows, key=lambda row: hashlib.sha256(row[key].encode()).digest())[:count]


def lines(path: Path) -> list[Row]:
    """The objects of a file, one a line."""
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return [json.loads(line) for line in text.split("\n") if line]


def write(name: str, rows: Sequence[Row]) -> None:
    """One object a line, without the time of writing."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (HERE / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
