"""This example's data from the published CLINC150 file: `python prepare.py data_full.json.gz`.

The file `domains.json` is expected beside it.

The training file holds the published `train` with `oos_train` and `oos_val`; the test
file `test` with `oos_test`, in the order of a fixed hash, so that its first rows are a
fair part of all of it. `val` is not used: `curate` holds out its own share.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
OUT_OF_SCOPE = "out_of_scope"
SYSTEM = (
    "Name the intent of the customer's request. Reply with a single JSON object with the key "
    f'"intent" and nothing else. If no intent fits, the intent is "{OUT_OF_SCOPE}".'
)


def main(published: Path, domains: Path) -> None:
    """Writes the training file, the test file and the schema of an answer."""
    with gzip.open(published, "rt", encoding="utf-8") as stream:
        parts = json.load(stream)
    named = json.loads(domains.read_text(encoding="utf-8"))
    domain_of = {intent: domain for domain, intents in named.items() for intent in intents}
    train = rows([*parts["train"], *parts["oos_train"], *parts["oos_val"]], domain_of)
    test = rows([*parts["test"], *parts["oos_test"]], domain_of)
    write(HERE / "data" / "train.jsonl.gz", train)
    write(HERE / "data" / "test.jsonl.gz", sorted(test, key=place))
    labels = [*sorted(domain_of), OUT_OF_SCOPE]
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"intent": {"enum": labels}},
        "required": ["intent"],
        "additionalProperties": False,
    }
    (HERE / "intents.json").write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")


def rows(pairs: Iterable[tuple[str, str]], domain_of: dict[str, str]) -> list[dict[str, str]]:
    """Each request with its answer, intent and domain."""
    found = []
    for request, label in pairs:
        intent = OUT_OF_SCOPE if label == "oos" else label
        found.append(
            {
                "system": SYSTEM,
                "request": request,
                "answer": json.dumps({"intent": intent}),
                "intent": intent,
                "domain": domain_of.get(intent, OUT_OF_SCOPE),
            }
        )
    return found


def place(row: dict[str, str]) -> str:
    """Where a row stands in the test file."""
    return hashlib.sha256(row["request"].encode()).hexdigest()


def write(path: Path, forms: Iterable[dict[str, str]]) -> None:
    """Writes JSON Lines, gzipped to the same bytes every time."""
    lines = "".join(json.dumps(form, ensure_ascii=False) + "\n" for form in forms)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(lines.encode(), compresslevel=9, mtime=0))


if __name__ == "__main__":
    given = Path(sys.argv[1])
    main(given, given.parent / "domains.json")
