"""Lessons in dictionary order, and what each shares with the one before it: many at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tutelage.render.lessons import Ints, Lessons

SORTED_TOKENS = 1 << 23  # lessons of about so many tokens are sorted together: bounds memory
CHUNK, LONGEST = 4, 256  # tokens compared at once: at first, and where much is shared
GATHERED = 1 << 22  # tokens at most that a round holds

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """Lessons as words in a dictionary, a prefix before what extends it.

    Shapes: numbers `[L]` which lesson stands at each place, shared `[L]` leading tokens it has
        in common with the one before it.
    """

    numbers: Numbers
    shared: Numbers


def in_order(lessons: Lessons) -> Ordered:
    """All lessons, in stretches of about `SORTED_TOKENS` tokens that are sorted by themselves."""
    parts = [_sorted(lessons, first, last) for first, last in _windows(lessons.lengths)]
    nothing = np.zeros(0, dtype=np.int64)
    return Ordered(
        numbers=np.concatenate([nothing, *(part.numbers for part in parts)]),
        shared=np.concatenate([nothing, *(part.shared for part in parts)]),
    )


def _windows(lengths: Ints) -> Iterator[tuple[int, int]]:
    window = np.cumsum(lengths, dtype=np.int64) // SORTED_TOKENS
    bounds = np.flatnonzero(np.diff(window)) + 1
    yield from pairwise([0, *bounds.tolist(), len(lengths)])


def _sorted(lessons: Lessons, first: int, last: int) -> Ordered:
    """One stretch: sorted by its leading tokens, then what is still alike by the next ones."""
    numbers = np.arange(first, last)
    shared = np.zeros(len(numbers), dtype=np.int64)
    places = np.arange(len(numbers))  # those not told apart yet
    group = np.zeros(len(numbers), dtype=np.int64)  # of each such place
    depth, width = 0, CHUNK
    while len(places):
        width = max(CHUNK, min(width, GATHERED // len(places)))
        chunk = _chunk(lessons, numbers[places], depth, width)
        order = _order(group, chunk)
        if order is not None:
            chunk, numbers[places] = chunk[order], numbers[places][order]
        unlike = chunk[1:] != chunk[:-1]
        told, within = unlike.any(1), group[1:] == group[:-1]
        common = np.where(told, unlike.argmax(1), (chunk[1:] != 0).sum(1))
        shared[places[1:][within]] = depth + common[within]
        alike = within & ~told & (chunk[1:, -1] != 0)  # and neither has ended
        part = np.cumsum(np.concatenate([[0], ~alike]))
        open_ = np.concatenate([alike, [False]]) | np.concatenate([[False], alike])
        places, group = places[open_], part[open_]
        depth, width = depth + width, min(2 * width, LONGEST)
    return Ordered(numbers=numbers, shared=shared)


def _chunk(lessons: Lessons, numbers: Numbers, depth: int, width: int) -> NDArray[np.uint32]:
    """Tokens from `depth` on, each one more than its id; 0 past the end. Shape `[N, width]`."""
    starts = lessons.records["start"][numbers] + depth
    left = lessons.records["length"][numbers] - depth
    steps = np.arange(width)
    inside = steps[None, :] < left[:, None]
    at = np.minimum(starts[:, None] + steps[None, :], len(lessons.ids) - 1)
    return np.where(inside, np.asarray(lessons.ids)[at] + 1, 0).astype(np.uint32)


def _order(group: Numbers, chunk: NDArray[np.uint32]) -> Numbers | None:
    """What sorts the chunks within their groups, equals as they stand; None if nothing need move.

    Bytes of big-endian numbers sort as the numbers do.
    """
    unlike = (chunk[1:] != chunk[:-1]).any(1) & (group[1:] == group[:-1])
    if not unlike.any():
        return None
    key = np.concatenate([group[:, None], chunk], axis=1).astype(">u4")
    return np.argsort(key.view(f"S{4 * key.shape[1]}").ravel(), kind="stable")
