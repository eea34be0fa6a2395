"""Kinds of bad input and the message a user sees of each.

`python -m tests.journey.bad_input > tests/golden/bad_input.md` writes the golden file.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.journey.project import build, speak

HEAD = """# Bad input, and what is said of it

Written by `python -m tests.journey.bad_input > tests/golden/bad_input.md`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind: how a good project is spoilt, and the command that meets it."""

    spoil: Callable[[Path], None]
    words: tuple[str, ...]


def replaced(path: str, old: str, new: str) -> Callable[[Path], None]:
    """Spoils a file by one replacement."""

    def spoil(folder: Path) -> None:
        text = (folder / path).read_text(encoding="utf-8")
        if old not in text:
            raise ValueError(f"{path} has no `{old}`")
        (folder / path).write_text(text.replace(old, new, 1), encoding="utf-8")

    return spoil


def appended(path: str, *lines: bytes) -> Callable[[Path], None]:
    """Spoils a file of rows by further lines."""

    def spoil(folder: Path) -> None:
        with (folder / path).open("ab") as file:
            file.writelines(line + b"\n" for line in lines)

    return spoil


def nothing(folder: Path) -> None:
    """Leaves the project as it is: the command line is at fault."""


def row(*turns: tuple[str, str]) -> bytes:
    """A row of these turns."""
    return json.dumps(
        {"messages": [{"role": role, "content": text} for role, text in turns]}
    ).encode()


TRAIN, TEST = "data/train.jsonl", "data/test.jsonl"
LONG = "word " * 200

CASES: Mapping[str, Case] = {
    "an unknown key": Case(spoil=replaced("recipe.yaml", "epochs: 2", "epoch: 2"), words=("run",)),
    "values of the wrong kind, all of them": Case(
        spoil=replaced(
            "recipe.yaml", "epochs: 2\n  rows_tokens: 256", "epochs: two\n  rows_tokens: 1"
        ),
        words=("run",),
    ),
    "a recipe that is no YAML": Case(
        spoil=replaced("recipe.yaml", "sources: [{", "sources: [{{"), words=("run",)
    ),
    "a missing recipe": Case(spoil=nothing, words=("run", "recipes.yaml")),
    "a mistyped option": Case(spoil=nothing, words=("run", "--forced")),
    "an override of no key": Case(spoil=nothing, words=("run", "--set", "train.epoch=3")),
    "a missing file": Case(
        spoil=replaced("recipe.yaml", TRAIN, "data/trian.jsonl"), words=("curate",)
    ),
    "a missing base": Case(
        spoil=replaced("recipe.yaml", "base: base", "base: ./bass"), words=("train",)
    ),
    "bad rows, all of them together": Case(
        spoil=appended(
            TRAIN,
            b"{not json}",
            row(("user", "Is it day?"), ("bot", "yes")),
            row(("user", "Is it day?"), ("assistant", "  ")),
            row(("user", "Is it day?")),
            b'{"messages": [{"role": "user", "content": "caf\xe9"}]}',
            b'{"text": "Is it day?"}',
        ),
        words=("curate",),
    ),
    "a row longer than the context, where the recipe says fail": Case(
        spoil=lambda folder: (
            appended(TRAIN, row(("user", LONG), ("assistant", "no")))(folder),
            replaced("recipe.yaml", "fit: reject", "fit: fail")(folder),
        )[-1],
        words=("check",),
    ),
    "an unknown scorer": Case(
        spoil=replaced("recipe.yaml", "[json, schema]", "[json, shema]"), words=("check",)
    ),
    "a rule over a metric that nothing gives": Case(
        spoil=replaced("recipe.yaml", "tickets.parse >= 0.00", "tickets.pars >= few_shot"),
        words=("run",),
    ),
    "a rule that is none": Case(
        spoil=replaced("recipe.yaml", "tickets.parse >= 0.00", "tickets.parse > 0.9"),
        words=("run",),
    ),
    "tasks that no scorer can judge": Case(
        spoil=appended(TEST, row(("user", "Is it day?"), ("assistant", "yes"))), words=("check",)
    ),
    "a file that is cut off": Case(
        spoil=lambda folder: (
            (folder / "data" / "train.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00cut"),
            replaced("recipe.yaml", TRAIN, "data/train.jsonl.gz")(folder),
        )[-1],
        words=("curate",),
    ),
}


def section(name: str, case: Case) -> str:
    """What a user sees of one kind, as a section of the golden file."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = build(Path(temporary) / "project")
        case.spoil(folder)
        said = speak(folder, *case.words)
        shown = said.err.replace(temporary, "").strip()
        shown = shown[shown.index("error: ") :]  # what a stage said before has times in it
    command = " ".join(("tutelage", *case.words))
    return f"## {name}\n\n```\n$ {command}\n{shown}\n$ echo $?\n{said.code}\n```\n"


def sections() -> Iterator[str]:
    """Every section."""
    for name, case in CASES.items():
        yield section(name, case)


if __name__ == "__main__":
    sys.stdout.write("\n".join([HEAD, *sections()]))
