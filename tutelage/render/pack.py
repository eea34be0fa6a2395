"""Lessons into rows of bounded length: every token of every lesson once, nothing cut."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadRow, ContractError
from tutelage.render.bins import best_fit
from tutelage.render.lesson import Lesson
from tutelage.render.lessons import Ints, Lessons
from tutelage.render.likeness import Ordered, in_order
from tutelage.render.tree import PackedRow, fold, side_by_side, visible

__all__ = [
    "VERSION",
    "PackedRow",
    "PackedRows",
    "one_a_row",
    "pack",
    "packed_apart",
    "tokens_saved",
    "visible",
]

VERSION = 1  # of which lesson stands where; kept packings of another are not read
# Neighbours in dictionary order look alike: a row is this many trees or more, so that a step
# sees different ones.
TREES_A_ROW = 2
WORTHWHILE = 16  # shared tokens; fewer are not worth the bookkeeping of a fork

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedRows(Sequence[PackedRow]):
    """Which lessons stand in which row; a row is put together when it is asked for.

    Shapes: numbers `[L]` lessons, tree after tree and row after row; trees `[trees + 1]` where
        in `numbers` each begins; rows `[rows + 1]` which tree each begins with; sizes `[rows]`.
    """

    lessons: Lessons
    numbers: Places
    trees: Places
    rows: Places
    sizes: Ints  # tokens of each row

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, number: int) -> PackedRow:  # type: ignore[override]
        if number >= len(self):
            raise IndexError(number)
        edges = self.trees[self.rows[number] : self.rows[number + 1] + 1].tolist()
        trees = [self.numbers[a:b].tolist() for a, b in pairwise(edges)]
        return side_by_side([fold(self.lessons, tree) for tree in trees])

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
    ordered = in_order(every) if share else _as_given(every)
    numbers, starts, sizes = _shared_trees(ordered, every, capacity)
    order = generator.permutation(len(sizes))
    bins = best_fit(sizes[order], capacity)
    count = int(bins.max(initial=-1)) + 1
    rank = np.empty(count, dtype=np.int64)
    rank[generator.permutation(count)] = np.arange(count)
    by_row = np.lexsort((-sizes[order], rank[bins]))
    trees, row = order[by_row], rank[bins][by_row]
    spans = np.diff(starts)[trees]
    within = np.arange(len(every)) - np.repeat(np.cumsum(spans) - spans, spans)
    return PackedRows(
        lessons=every,
        numbers=numbers[np.repeat(starts[trees], spans) + within],
        trees=np.concatenate([[0], np.cumsum(spans)]),
        rows=np.searchsorted(row, np.arange(count + 1)),
        sizes=np.bincount(row, sizes[trees], count).astype(np.int32),
    )


def one_a_row(lessons: Lessons) -> PackedRows:
    """Every lesson in a row of its own, for a base whose layers would mix them."""
    numbers = np.arange(len(lessons) + 1)
    return PackedRows(
        lessons=lessons, numbers=numbers[:-1], trees=numbers, rows=numbers, sizes=lessons.lengths
    )


def packed_apart(
    lessons: Lessons, kinds: NDArray[np.int32], capacity: int, generator: np.random.Generator
) -> tuple[PackedRows, NDArray[np.int32]]:
    """As `pack` with shared prefixes, but lessons of one kind in rows of their own.

    Shapes: kinds `[L]`, from 0; returns the rows, kind after kind, and each row's kind `[rows]`.
    """
    numbers = [np.flatnonzero(kinds == kind) for kind in range(int(kinds.max(initial=0)) + 1)]
    parts = [
        pack(replace(lessons, records=lessons.records[own]), capacity, generator, share=True)
        for own in numbers
    ]
    if len(parts) == 1:
        return parts[0], np.zeros(len(parts[0]), dtype=np.int32)
    whole = PackedRows(
        lessons=lessons,
        numbers=np.concatenate([n[part.numbers] for n, part in zip(numbers, parts, strict=True)]),
        trees=_end_to_end([part.trees for part in parts]),
        rows=_end_to_end([part.rows for part in parts]),
        sizes=np.concatenate([part.sizes for part in parts]),
    )
    return whole, np.repeat(np.arange(len(parts), dtype=np.int32), [len(one) for one in parts])


def _end_to_end(edges: Sequence[Places]) -> Places:
    """Edges of stretches that follow one another, as edges of one."""
    steps = np.concatenate([np.diff(one) for one in edges])
    return np.concatenate([[0], np.cumsum(steps)])


def tokens_saved(rows: PackedRows) -> int:
    """How many tokens folding spares: those of the lessons less those of their rows."""
    return int(rows.lessons.lengths.sum(dtype=np.int64) - rows.sizes.sum(dtype=np.int64))


def _as_given(lessons: Lessons) -> Ordered:
    return Ordered(numbers=np.arange(len(lessons)), shared=np.zeros(len(lessons), dtype=np.int64))


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


def _shared_trees(ordered: Ordered, lessons: Lessons, capacity: int) -> tuple[Places, Places, Ints]:
    """Neighbours in dictionary order, grouped while they share a prefix and the tree is small.

    Attention multiplies no token with one it cannot see, so a prefix read once costs less
    than one read again, however large the tree.

    Shapes: returns lessons `[L]`, where in them each tree begins `[trees + 1]`, and the
        trees' sizes `[trees]`.
    """
    lengths = lessons.lengths[ordered.numbers].astype(np.int64)
    shared = np.where(ordered.shared >= WORTHWHILE, ordered.shared, 0)
    added = np.cumsum(lengths - shared)  # tokens up to and with each, a shared prefix once
    most = capacity // TREES_A_ROW
    apart = np.flatnonzero(shared == 0)  # these begin a tree whatever stands before them
    runs = np.append(apart, len(lengths))
    starts: list[int] = []
    for run in np.flatnonzero(np.diff(runs) > 1).tolist():
        first, last = runs[run], runs[run + 1]
        till, own = added[first:last].tolist(), lengths[first:last].tolist()
        at = 0
        while (at := bisect_right(till, most - own[at] + till[at], at + 1)) < len(till):
            starts.append(first + at)
    begins = np.sort(np.concatenate([apart, np.asarray(starts, dtype=np.int64)]))
    edges = np.append(begins, len(lengths))
    sizes = lengths[begins] + added[edges[1:] - 1] - added[begins]
    return ordered.numbers, edges, sizes.astype(np.int32)
