"""Lessons in columns: their ids end to end in one array, which may lie on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import StoreError
from tutelage.render.lesson import Lesson

Ints = NDArray[np.int32]
Names = Sequence[str]

# One record a lesson; `row` counts the rows of the split.
RECORD = np.dtype(
    [
        ("start", "<i8"),
        ("prompt", "<i4"),
        ("read", "<i4"),
        ("length", "<i4"),
        ("row", "<i4"),
        ("turn", "<i4"),
        ("weight", "<f4"),
    ]
)
ID = np.dtype("<i4")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lessons:
    """Many lessons; each is a slice of `ids`.

    Shapes: ids `[sum of lengths]`; records `[L]` of `RECORD`.
    """

    ids: Ints
    records: NDArray[np.void]
    rows: Callable[[], Names]  # ids of the rows, read when something must be said of one

    @classmethod
    def of(cls, lessons: Iterable[Lesson]) -> Lessons:
        """The lessons, in order."""
        kept = list(lessons)
        rows = {name: at for at, name in enumerate(dict.fromkeys(one.row for one in kept))}
        records = np.zeros(len(kept), dtype=RECORD)
        start = 0
        for record, one in zip(records, kept, strict=True):
            record["start"], record["prompt"], record["read"] = start, len(one.prompt), one.read
            record["length"], record["row"], record["turn"] = len(one), rows[one.row], one.turn
            record["weight"] = one.weight
            start += len(one)
        parts = (part for one in kept for part in (one.prompt, one.completion))
        ids = np.fromiter(chain.from_iterable(parts), dtype=ID, count=start)
        return cls(ids=ids, records=records, rows=lambda: list(rows))

    @classmethod
    def open(cls, folder: Path, name: str, rows: Callable[[], Names]) -> Lessons:
        """Lessons written by `LessonsFile`, mapped into memory and not read.

        Raises: StoreError where the files do not belong together.
        """
        records = np.load(folder / f"{name}.npy")
        tokens = folder / f"{name}.ids"
        size = tokens.stat().st_size // ID.itemsize
        if records.dtype != RECORD or int(records["length"].sum(dtype=np.int64)) != size:
            raise StoreError(
                "token ids and lessons do not belong together",
                where=str(tokens),
                hint="remove the artifact's folder; it is made again",
            )
        ids = np.memmap(tokens, dtype=ID, mode="r") if size else np.zeros(0, dtype=ID)
        return cls(ids=ids, records=records, rows=rows)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Lesson]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, number: int) -> Lesson:
        record = self.records[number]
        path = self.path(number).tolist()
        return Lesson(
            prompt=tuple(path[: record["prompt"]]),
            completion=tuple(path[record["prompt"] :]),
            read=int(record["read"]),
            weight=float(record["weight"]),
            row=self.name(number),
            turn=int(record["turn"]),
        )

    def path(self, number: int) -> Ints:
        """Ids of one lesson, prompt and completion. Shape: `[its length]`."""
        record = self.records[number]
        return np.asarray(self.ids[record["start"] : record["start"] + record["length"]])

    def name(self, number: int) -> str:
        """Id of the row a lesson was rendered from."""
        return self.rows()[int(self.records[number]["row"])]

    @property
    def lengths(self) -> Ints:
        """Tokens of each lesson. Shape: `[L]`."""
        return self.records["length"]

    @property
    def supervised(self) -> Ints:
        """Taught tokens of each lesson. Shape: `[L]`."""
        taught: Ints = self.records["length"] - self.records["prompt"] - self.records["read"]
        return taught

    @property
    def last_ids(self) -> Ints:
        """The last id of each lesson. Shape: `[L]`."""
        ends = self.records["start"] + self.records["length"] - 1
        return np.asarray(self.ids[ends])

    def chosen(self, numbers: NDArray[np.intp]) -> Lessons:
        """Some of the lessons, in the order of `numbers`, their ids end to end again."""
        records = self.records[numbers].copy()
        parts = [self.path(int(number)) for number in numbers]
        records["start"] = np.cumsum([0, *map(len, parts)])[: len(parts)]
        ids = np.concatenate(parts) if parts else np.zeros(0, dtype=ID)
        return Lessons(ids=ids, records=records, rows=self.rows)


class LessonsFile(AbstractContextManager["LessonsFile"]):
    """Appends lessons to files for the block, holding none of their ids."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._tokens: IO[bytes] = (folder / f"{name}.ids").open("wb")
        self._records: list[NDArray[np.void]] = []
        self.tokens = 0

    def append(self, lessons: Lessons, first_row: int) -> None:
        """Writes the lessons; their rows are counted on from `first_row`."""
        records = lessons.records.copy()
        records["start"] += self.tokens
        records["row"] += first_row
        self._records.append(records)
        self._tokens.write(np.ascontiguousarray(lessons.ids, dtype=ID).tobytes())
        self.tokens += len(lessons.ids)

    def __exit__(self, *raised: object) -> None:
        self._tokens.close()

    def finish(self) -> None:
        """Writes the records, after the block; the lessons can be opened then."""
        whole = np.concatenate([np.zeros(0, dtype=RECORD), *self._records])
        np.save(self._folder / f"{self._name}.npy", whole)
