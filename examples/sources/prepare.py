"""Published files to those the recipes read: `python prepare.py NAME FILE`.

NAME is dolly, opentrivia, ubuntu_irc, sgd_calls or clinc150. What a recipe can read as it is, is
only copied; a choice given by its number is written out, a dialogue and its call become messages.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Row = dict[str, Any]


def main(name: str, published: Path, folder: Path = HERE) -> None:
    """Writes the data of one recipe below `folder`."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    if name == "ubuntu_irc":
        logs(published, folder / "data" / name)
    elif name == "clinc150":
        table(published, folder / "data" / "clinc150.csv")
    else:
        made = {"dolly": lambda row: row, "opentrivia": trivia, "sgd_calls": dialogue}[name]
        with (folder / "data" / f"{name}.jsonl").open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(made(row)) + "\n" for row in lines(published))


def lines(path: Path) -> Iterator[Row]:
    """The rows of a gzipped file of JSON Lines."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def trivia(row: Row) -> Row:
    """A question with its choices, and the right one in words."""
    choices = row["choices"]
    listed = "\n".join(f"- {choice}" for choice in choices)
    question = f"{row['question']}\n{listed}"
    return {"category": row["category"], "question": question, "answer": choices[row["answer"]]}


def dialogue(row: Row) -> Row:
    """A dialogue with the call as its last answer."""
    said = [*row["history"], {"role": "assistant", "content": row["output"]}]
    return {"messages": said, "service": row["service"], "dialogue": row["id"]}


def logs(path: Path, folder: Path) -> None:
    """The raw logs of the archive, by their own names."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member) if member.name.endswith(".raw.txt") else None
            if stream is not None:
                (folder / Path(member.name).name).write_bytes(stream.read())


def table(path: Path, out: Path) -> None:
    """Every request with its intent and the part it was published in."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        parts = json.load(stream)
    with out.open("w", encoding="utf-8", newline="") as written:
        rows: Iterable[list[str]] = (
            [request, intent, part] for part, pairs in parts.items() for request, intent in pairs
        )
        csv.writer(written).writerows([["request", "intent", "part"], *rows])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
