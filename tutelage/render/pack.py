"""Lessons into rows of bounded length: every token of every lesson once, nothing cut."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tutelage.core.errors import BadRow, ContractError
from tutelage.render.lesson import Lesson
from tutelage.render.lessons import Ints, Lessons
from tutelage.render.tree import (
    PackedRow,
    fold,
    reading_order,
    shared_length,
    side_by_side,
    visible,
)

__all__ = ["PackedRow", "PackedRows", "pack", "tokens_saved", "visible"]

# Neighbours in dictionary order look alike: a row is this many trees or more, so that a step
# sees different ones.
TREES_A_ROW = 2
WORTHWHILE = 16  # shared tokens; fewer are not worth the bookkeeping of a fork
SORTED_TOKENS = 1 << 23  # lessons of about so many tokens are sorted together: bounds memory

Tree = list[int]  # numbers of the lessons folded into it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedRows(Sequence[PackedRow]):
    """Which lessons stand in which row; a row is put together when it is asked for."""

    lessons: Lessons
    trees: Sequence[Sequence[Tree]]  # of each row
    sizes: Ints  # tokens of each row

    def __len__(self) -> int:
        return len(self.trees)

    def __getitem__(self, number: int) -> PackedRow:  # type: ignore[override]
        return side_by_side([fold(self.lessons, tree) for tree in self.trees[number]])

    def __iter__(self) -> Iterator[PackedRow]:
        return map(self.__getitem__, range(len(self)))


def pack(
    lessons: Sequence[Lesson] | Lessons,
    capacity: int,
    generator: np.random.Generator,
    *,
    share: bool = False,
) -> PackedRows:
    """Rows of at most `capacity` tokens that hold every lesson once, best fit decreasing.

    `PackedRow.lesson` counts the lessons as given. Lessons of equal length are
    placed, and the rows returned, in an order drawn from `generator`. With
    `share`, lessons with a common prefix are folded into trees of at most half a
    row; `tokens_saved` says how much that spared.

    Raises: ContractError naming every lesson longer than `capacity`.
    """
    every = lessons if isinstance(lessons, Lessons) else Lessons.of(lessons)
    _check_lengths(every, capacity)
    trees, sizes = _shared_trees(every, capacity) if share else _alone(every)
    order = generator.permutation(len(trees))
    bins = _best_fit([sizes[index] for index in order], capacity)
    rows = generator.permutation(len(bins))
    return PackedRows(
        lessons=every,
        trees=[[trees[order[place]] for place in bins[row]] for row in rows],
        sizes=np.asarray(
            [sum(sizes[order[place]] for place in bins[row]) for row in rows], dtype=np.int32
        ),
    )


def tokens_saved(rows: PackedRows) -> int:
    """How many tokens folding spares: those of the lessons less those of their rows."""
    return int(rows.lessons.lengths.sum(dtype=np.int64) - rows.sizes.sum(dtype=np.int64))


def _alone(lessons: Lessons) -> tuple[list[Tree], list[int]]:
    return [[number] for number in range(len(lessons))], lessons.lengths.tolist()


def _check_lengths(lessons: Lessons, capacity: int) -> None:
    long = np.flatnonzero(lessons.lengths > capacity).tolist()
    if long:
        raise ContractError(
            f"{len(long)} lessons are longer than a packed row",
            expected=f"at most {capacity} tokens a lesson",
            hint="let `contract.fit` reject or truncate them, or make the rows longer",
            rows=[
                BadRow(
                    where=f"{lessons.name(one)} message {lessons.records[one]['turn']}",
                    problem=f"{lessons.lengths[one]} tokens",
                )
                for one in long
            ],
        )


def _best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Bins of indices: longest first, each into the fullest bin that still has room.

    Bins are found by the room they have left, of which there are at most
    `capacity` values: O(n log n), with no window over the data.
    """
    bins: list[list[int]] = []
    with_room: defaultdict[int, list[int]] = defaultdict(list)  # room left -> bins
    rooms: list[int] = []  # the rooms that some bin has, sorted
    for index in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        length = lengths[index]
        at = bisect_left(rooms, length)
        if at == len(rooms):
            room, number = capacity, len(bins)
            bins.append([])
        else:
            room = rooms[at]
            number = with_room[room].pop()
            if not with_room[room]:
                rooms.pop(at)
        bins[number].append(index)
        left = room - length
        if left and not with_room[left]:
            insort(rooms, left)
        if left:
            with_room[left].append(number)
    return bins


def _shared_trees(lessons: Lessons, capacity: int) -> tuple[list[Tree], list[int]]:
    """Neighbours in dictionary order, grouped while they share a prefix and the tree is small.

    Attention multiplies no token with one it cannot see, so a prefix read once costs less
    than one read again, however large the tree.
    """
    trees: list[Tree] = []
    sizes: list[int] = []
    for first, last in _windows(lessons.lengths):
        before = np.zeros(0, dtype=np.int32)  # nothing is shared with it
        for number in sorted(range(first, last), key=lambda n: reading_order(lessons.path(n))):
            path = lessons.path(number)
            shared = shared_length(before, path)
            joined = (sizes[-1] if sizes else 0) + len(path) - shared
            if shared >= WORTHWHILE and joined <= capacity // TREES_A_ROW:
                trees[-1].append(number)
                sizes[-1] = joined
            else:
                trees.append([number])
                sizes.append(len(path))
            before = path
    return trees, sizes


def _windows(lengths: Ints) -> Iterator[tuple[int, int]]:
    """Bounds of stretches of about `SORTED_TOKENS` tokens."""
    window = np.cumsum(lengths, dtype=np.int64) // SORTED_TOKENS
    bounds = np.flatnonzero(np.diff(window)) + 1
    edges = [0, *bounds.tolist(), len(lengths)]
    yield from pairwise(edges)
