"""Passes over all rows, part by part, by whoever works on them; finished parts are kept.

What a task gives of a part does not hang on the other parts, on who gave it or when; what is
decided of all of them is decided in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.curate.packed import Packed
from tutelage.curate.parts import WORTH_SECONDS, Parts
from tutelage.curate.runner import Here, Runner, Task
from tutelage.curate.shelf import PART_ROWS, Rows

Array = NDArray[Any]
Told = Callable[[int], None]


def silent(rows: int) -> None:
    """Whoever listens to nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes:
    """Who works on the rows, how many at a time, and what an earlier try has finished."""

    runner: Runner = field(default_factory=Here)
    parts: Parts | None = None
    part_rows: int = PART_ROWS
    folder: Path | None = None  # for what does not stand in memory; memory if there is none
    told: Told = silent  # hears how many rows more are done
    worth_seconds: float = WORTH_SECONDS  # a part that took less is made again

    def each(self, task: Task, rows: Rows, parts: Iterable[Packed] | None = None) -> Iterator[Any]:
        """What a task gives of each part of the rows, in order; `parts` are they where they bring
        more than their lines."""
        sizes = iter(range(0, len(rows), self.part_rows))
        for answer in self.over(task, rows.parts(self.part_rows) if parts is None else parts):
            self.told(min(self.part_rows, len(rows) - next(sizes)))
            yield answer

    def over(self, task: Task, parts: Iterable[Packed]) -> Iterator[Any]:
        """What a task gives of each of these parts, in order."""
        for one in self.runner.map(task, parts):
            yield one.answer

    def arrays(self, name: str, task: Task, rows: Rows) -> Iterator[Array]:
        """The array that a task gives of each part, in order; kept where it took long enough."""
        have = {} if self.parts is None else self._finished(self.parts, name, len(rows))
        fresh = self.runner.map(
            task, (part for part in rows.parts(self.part_rows) if part.first not in have)
        )
        for first in range(0, len(rows), self.part_rows):
            if first in have:
                yield np.load(have[first])
            else:
                one = next(fresh)
                if self.parts is not None and one.seconds >= self.worth_seconds:
                    self.parts.keep_array(name, first, one.answer)
                yield one.answer
            self.told(min(self.part_rows, len(rows) - first))

    def _finished(self, parts: Parts, name: str, rows: int) -> dict[int, Path]:
        """The arrays of an earlier try, of parts as large as they are now."""
        return {
            first: path
            for first, path in parts.arrays(name).items()
            if np.load(path, mmap_mode="r").shape[-1] == min(self.part_rows, rows - first)
        }
