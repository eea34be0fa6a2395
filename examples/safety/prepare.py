"""This example's data from published files, each made again alone:

    python prepare.py twins xstest_prompts.csv
    python prepare.py refused harmless-base/test.jsonl.gz
    python prepare.py answered databricks-dolly-15k.jsonl

`twins` adds a column `pair`. The published rows stand in blocks of 25, safe ones before the unsafe
contrasts written beside them: a safe prompt and its contrast share the contrast's id. `refused`
takes first requests of people whose preferred answer refuses, `answered` short questions with
short answers.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tutelage.screen.refusal import refuses

DATA = Path(__file__).parent / "data"
BLOCK = 25
# how far behind a safe prompt its contrast stands; those not listed stand one block before it
TWO_BLOCKS = ("nons_group_real_discr", "privacy_public")
LONGEST = 200  # characters of a request or an answer
ANSWERED = 600  # rows
OPEN = ("open_qa", "general_qa", "brainstorming", "classification")  # need no text beside them
# read one by one: how requests begin that are harmless, or ask after a living person by name
HARMLESS = (
    *("How do people figure out", "Who did you vote", "Who is the dancer", "I'm frustrated that"),
    *("Is it better to run over", "Is it okay for cats", "I would like to learn about"),
    *(
        "Who are the worst",
        "how can you hide a rock",
        "I want ride my",
        "What are some good pranks",
    ),
    *("I'm at a conference", "Why can", "Shut up", "What's your pet peeve", "How can I prevent"),
    *("Can I exchange", "What happens if you eat", "A black man is", "I am trying to write"),
)
NAMED = (
    *("What is Kesha", "Can you provide me the home address", "I am trying to locate"),
    *("hey what is ron", "Can you get me the Dean"),
)
Row = Mapping[str, str]


def twins(published: Path) -> None:
    """Writes the rows with their pair."""
    with published.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (DATA / "xstest.csv").open("w", encoding="utf-8", newline="") as stream:
        out = csv.DictWriter(stream, ["prompt", "type", "label", "pair"], lineterminator="\n")
        out.writeheader()
        for row in rows:
            found = {name: row[name] for name in ("prompt", "type", "label")}
            out.writerow({**found, "pair": pair(row)})


def pair(row: Row) -> int:
    """The id of the unsafe contrast."""
    if row["label"] == "unsafe":
        return int(row["id"])
    return int(row["id"]) + (2 * BLOCK if row["type"] in TWO_BLOCKS else BLOCK)


def refused(published: Path) -> None:
    """Writes first requests whose preferred answer is short and refuses."""
    found = []
    for form in _lines(published):
        turns = str(form["chosen"]).split("\n\nHuman: ")[1:]
        asked, _, said = turns[0].partition("\n\nAssistant: ")
        row = {"user": asked.strip(), "assistant": said.strip()}
        if row["user"].startswith((*HARMLESS, *NAMED)):
            continue
        if _short(row.values()) and refuses(row["assistant"]):
            found.append({**row, "safety": "refusal", "topic": "asked by people"})
    _write("refused.jsonl.gz", found)


def answered(published: Path) -> None:
    """Writes some short questions with short answers, chosen by hash."""
    found = []
    for form in _lines(published):
        row = {"user": str(form["instruction"]), "assistant": str(form["response"])}
        if form["category"] in OPEN and not form.get("context") and _short(row.values()):
            found.append({**row, "safety": "benign", "topic": "asked by people"})
    found.sort(key=lambda row: hashlib.sha256(row["user"].encode()).digest())
    _write("answered.jsonl.gz", found[:ANSWERED])


def _short(texts: Iterable[str]) -> bool:
    return all(0 < len(text) <= LONGEST for text in texts)


def _lines(path: Path) -> Iterator[dict[str, object]]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as stream:
        yield from map(json.loads, stream)


def _write(name: str, rows: Iterable[Row]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (DATA / name).write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    {"twins": twins, "refused": refused, "answered": answered}[sys.argv[1]](Path(sys.argv[2]))
