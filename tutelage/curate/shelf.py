"""Rows outside of memory: packed in a file that goes with the process, read back by their place."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, overload

import numpy as np

from tutelage.core.row import Example
from tutelage.curate.packed import Packed, packed
from tutelage.screen.ngrams import Indices

PART_ROWS = 1 << 13  # that are worked on together


def nameless(folder: Path | None) -> IO[bytes]:
    """A file that goes with the process, or where no folder is given memory that is used alike."""
    if folder is None:
        return BytesIO()
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


class Shelf:
    """Packed rows in a file without a name, or in memory; a row that is replaced is added anew."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._file = nameless(folder)
        self._begins, self._sizes = array("q"), array("q")
        self._end = 0
        self._writing = False  # whether the file stands at its end
        self.traits: Any = None  # of all rows by place, once they are known
        self.standing: Any = None  # where they stand in a split, and by whom that was found
        self.words: Shelf | None = None  # their sides in comparable words, by the same places

    def __len__(self) -> int:
        return len(self._begins)

    def add(self, line: bytes) -> None:
        """One row more."""
        self._begins.append(self._written(line))
        self._sizes.append(len(line))

    def extend(self, lines: bytes) -> None:
        """Rows more, a line each."""
        sizes = np.fromiter(map(len, lines.splitlines(keepends=True)), dtype=np.int64)
        begin = self._written(lines)
        self._begins.frombytes((begin + np.cumsum(sizes) - sizes).tobytes())
        self._sizes.frombytes(sizes.tobytes())

    def replace(self, place: int, line: bytes) -> None:
        """Another row in the place of one."""
        self._begins[place] = self._written(line)
        self._sizes[place] = len(line)

    def lines(self, places: Indices) -> bytes:
        """The rows of these places, in their order."""
        self._writing = False
        begins = np.frombuffer(self._begins, dtype=np.int64)[places]
        ends = begins + np.frombuffer(self._sizes, dtype=np.int64)[places]
        opens = np.flatnonzero(np.concatenate([[True], begins[1:] != ends[:-1]])[: len(begins)])
        found = []
        for begin, end in zip(
            begins[opens].tolist(), ends[np.append(opens[1:], len(ends)) - 1].tolist(), strict=True
        ):
            self._file.seek(begin)
            found.append(self._file.read(end - begin))
        return b"".join(found)

    def with_words(self) -> Shelf:
        """A shelf beside this one for the rows' sides, empty as yet."""
        if self.words is not None:
            self.words.close()
        self.words = Shelf(self.folder)
        return self.words

    def close(self) -> None:
        """Lets go of the file, which is then gone."""
        self._file.close()
        if self.words is not None:
            self.words.close()

    def _written(self, line: bytes) -> int:
        if not self._writing:
            self._file.seek(0, 2)
            self._writing = True
        self._file.write(line)
        begin, self._end = self._end, self._end + len(line)
        return begin


class Rows(Sequence[Example]):
    """Some of a shelf's rows, unpacked when they are looked at."""

    def __init__(self, shelf: Shelf, places: Indices) -> None:
        self.shelf = shelf
        self.places = places

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Rows:
        """Rows that are in memory already; those of a shelf as they are."""
        if isinstance(examples, Rows):
            return examples
        shelf = Shelf()
        for one in examples:
            shelf.add(packed(one))
        return cls(shelf, np.arange(len(shelf)))

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return self.some(range(*index.indices(len(self))))
        (found,) = self.some([index])
        return found

    def __iter__(self) -> Iterator[Example]:
        for part in self.parts():
            yield from part.examples()

    def some(self, indices: Sequence[int] | Indices) -> list[Example]:
        """Those of these indices, in their order."""
        return self.packed(np.asarray(indices, dtype=np.int64)).examples()

    def packed(self, indices: Indices, more: Any = None, first: int = 0) -> Packed:
        """Those of these indices, in their order, as bytes."""
        lines = self.shelf.lines(self.places[indices])
        return Packed(lines=lines, count=len(indices), first=first, more=more)

    def take(self, chosen: Any) -> Rows:
        """Those of a mask or of indices."""
        return Rows(self.shelf, self.places[chosen])

    def parts(self, rows: int = PART_ROWS) -> Iterator[Packed]:
        """All of them, so many at a time."""
        for begin in range(0, len(self), rows):
            indices = np.arange(begin, min(begin + rows, len(self)))
            yield self.packed(indices, first=begin)


def stretches(shelf: Shelf, ends: Sequence[int], size: int) -> Iterator[Packed]:
    """All rows, so many at a time; a part is of one file, where the rows of each end at `ends`."""
    rows = Rows(shelf, np.arange(len(shelf)))
    for start, stop in pairwise([0, *ends]):
        for begin in range(start, stop, size):
            yield rows.packed(np.arange(begin, min(begin + size, stop)), first=begin)
