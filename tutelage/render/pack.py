"""Lessons into rows of bounded length: every token of every lesson once, nothing cut."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tutelage.core.errors import BadRow, ContractError
from tutelage.render.lesson import Lesson
from tutelage.render.tree import (
    Ints,
    PackedRow,
    fold,
    reading_order,
    shared_length,
    side_by_side,
    visible,
)

__all__ = ["PackedRow", "pack", "tokens_saved", "visible"]

# Neighbours in dictionary order look alike: a row is this many trees or more, so that a step
# sees different ones.
TREES_A_ROW = 2
WORTHWHILE = 16  # shared tokens; fewer are not worth the bookkeeping of a fork


def pack(
    lessons: Sequence[Lesson],
    capacity: int,
    generator: np.random.Generator,
    *,
    share: bool = False,
) -> list[PackedRow]:
    """Rows of at most `capacity` tokens that hold every lesson once, best fit decreasing.

    `PackedRow.lesson` counts the lessons as given. Lessons of equal length are
    placed, and the rows returned, in an order drawn from `generator`. With
    `share`, lessons with a common prefix are folded into trees of at most half a
    row; `tokens_saved` says how much that spared.

    Raises: ContractError naming every lesson longer than `capacity`.
    """
    _check_lengths(lessons, capacity)
    groups = _shared_groups(lessons, capacity) if share else [[i] for i in range(len(lessons))]
    trees = [fold([lessons[index] for index in group], group) for group in groups]
    order = generator.permutation(len(trees))
    bins = _best_fit([len(trees[index]) for index in order], capacity)
    rows = [side_by_side([trees[order[place]] for place in bin_]) for bin_ in bins]
    return [rows[index] for index in generator.permutation(len(rows))]


def tokens_saved(lessons: Sequence[Lesson], rows: Sequence[PackedRow]) -> int:
    """How many tokens folding spares: those of the lessons less those of their rows."""
    return sum(len(lesson) for lesson in lessons) - sum(len(row) for row in rows)


def _check_lengths(lessons: Sequence[Lesson], capacity: int) -> None:
    long = [lesson for lesson in lessons if len(lesson) > capacity]
    if long:
        raise ContractError(
            f"{len(long)} lessons are longer than a packed row",
            expected=f"at most {capacity} tokens a lesson",
            hint="let `contract.fit` reject or truncate them, or make the rows longer",
            rows=[
                BadRow(where=f"{lesson.row} message {lesson.turn}", problem=f"{len(lesson)} tokens")
                for lesson in long
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


def _shared_groups(lessons: Sequence[Lesson], capacity: int) -> list[list[int]]:
    """Neighbours in dictionary order, grouped while they share a prefix and the tree is small.

    Attention multiplies no token with one it cannot see, so a prefix read once costs less
    than one read again, however large the tree.
    """
    paths: list[Ints] = [np.asarray(lesson.ids, dtype=np.int32) for lesson in lessons]
    groups: list[list[int]] = []
    size = 0
    for index in sorted(range(len(paths)), key=lambda one: reading_order(paths[one])):
        length = len(paths[index])
        shared = shared_length(paths[groups[-1][-1]], paths[index]) if groups else 0
        joined = size + length - shared
        if shared >= WORTHWHILE and joined <= capacity // TREES_A_ROW:
            groups[-1].append(index)
            size = joined
        else:
            groups.append([index])
            size = length
    return groups
