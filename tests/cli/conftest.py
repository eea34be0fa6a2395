"""A command line to speak to, and a small store to look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tutelage.cli import main
from tutelage.core.artifact import Provenance
from tutelage.core.conversation import Message
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.row import Example, Source
from tutelage.store.artifact import Artifact
from tutelage.store.store import Store
from tutelage.store.tables import LEDGER, ROWS, write_ledger, write_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command line ended and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> dict[str, Any]:
        """stdout as the one object of `--json`."""
        form: dict[str, Any] = json.loads(self.out)
        return form


Tutelage = Callable[..., Said]


@pytest.fixture
def tutelage(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Tutelage:
    """Runs a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Said:
        code = main(words)
        captured = capsys.readouterr()
        return Said(code=code, out=captured.out, err=captured.err)

    return run


def example(text: str, line: int) -> Example:
    """A row read from `data/train.jsonl`."""
    messages = (Message(role="user", content=text), Message(role="assistant", content="yes"))
    source = Source(uri="data/train.jsonl", line=line)
    return Example(
        messages=messages, origin="human", licence="CC0-1.0", source=source, split="train"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A store with a dataset of two rows and an adapter made from it."""

    store: Store
    first: Example
    second: Example
    dropped: Example
    dataset: Artifact
    adapter: Artifact


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A dataset and an adapter in the store of the current folder."""
    store = Store.beside(tmp_path)
    first, second, dropped = (
        example("Is it day?", 1),
        example("Is it night?", 2),
        example("Is it dawn?", 3),
    )
    made_from = Provenance(
        kind="dataset",
        inputs={"source:data/train.jsonl": "ab" * 32},
        section={},
        stage_version=1,
    )
    with store.put(made_from) as draft:
        write_rows(draft.folder / ROWS, [first, second])
        entry = LedgerEntry(
            row=dropped.id,
            stage="curate",
            decision=Decision.DROP,
            reason=Reason.NEAR_DUPLICATE,
            detail="data/train.jsonl:3 Jaccard 0.81",
            other_row=first.id,
        )
        write_ledger(draft.folder / LEDGER, [entry])
        draft.counts["kept"] = 2
    dataset = draft.artifact
    taught = Provenance(
        kind="adapter", inputs={"dataset": dataset.digest}, section={}, stage_version=1
    )
    with store.put(taught) as draft:
        (draft.folder / "weights").write_bytes(b"1")
    return Kept(
        store=store,
        first=first,
        second=second,
        dropped=dropped,
        dataset=dataset,
        adapter=draft.artifact,
    )
