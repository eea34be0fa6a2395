"""Where measured steps are told while training runs: the journal, and trackers the recipe names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from tutelage.core.recipe import Train
from tutelage.store.run import Run
from tutelage.train.trackers import open_tracker


class Sink(Protocol):
    """Takes a row a step, in order."""

    def write(self, row: Mapping[str, float]) -> None:
        """One step's row: what was measured, and the meters."""


class Journal(AbstractContextManager["Journal"]):
    """`journal.jsonl` of the run: a line a step, there as soon as the step is done."""

    def __init__(self, path: Path, done: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = _lines(path) if done and path.exists() else []
        # steps after the checkpoint come again
        kept = [line for line in lines if _step(line) <= done]
        path.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, float]) -> None:
        """Appends the row."""
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def __exit__(self, *raised: object) -> None:
        self._file.close()


@contextmanager
def open_sinks(section: Train, run: Run, done: int) -> Iterator[list[Sink]]:
    """The journal and the recipe's trackers for the block, going on after `done` steps."""
    folder = run.folder / run.named("train")
    with ExitStack() as stack:
        sinks: list[Sink] = [stack.enter_context(Journal(folder / "journal.jsonl", done))]
        for name in section.sinks:
            if (tracker := open_tracker(name, folder / name, run, done)) is not None:
                sinks.append(stack.enter_context(tracker))
        yield sinks


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")  # cut short by the end of the process


def write_metrics(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """One JSON line a step; nothing in it depends on the clock."""
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
