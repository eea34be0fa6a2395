"""The token tree: lessons that share a prefix, folded; and rows, forests of such trees.

A row is laid out depth first. A token sees itself and its ancestors only, so
lessons side by side in a row are blind to each other and a shared prefix is
computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.render.lessons import Ints, Lessons


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedRow:
    """A forest of trees in one sequence, and the edges that are taught.

    The hidden state at `source` predicts `tokens[target]`. Several edges may
    leave one source: each branch's first token is predicted by the last token
    of the shared prompt.

    Shapes: tokens, position, end `[T]`; source, target, weight, lesson `[S]`.
    """

    tokens: Ints  # token ids
    position: Ints  # depth in its tree: the rotary position
    end: Ints  # one past the last index of the token's subtree
    source: Ints  # index in the row of the state that predicts
    target: Ints  # index in the row of the token it must predict
    weight: NDArray[np.float32]  # of the edge in the loss
    lesson: Ints  # which lesson, as the caller counts them, the edge teaches

    def __len__(self) -> int:
        return len(self.tokens)


def visible(end: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which earlier tokens each token of a packed row may attend to.

    A token sees itself and its ancestors in the tree: key `k` is visible to
    query `q` iff `k <= q < end[k]`. This dense form is for tests and short
    rows; the backends never build it.

    Shapes: end `[T]`, one past the last index of each token's subtree;
        returns `[T, T]`, query first.
    Source: interval encoding of ancestry by depth-first numbering.
    """
    index = np.arange(len(end))
    seen: NDArray[np.bool_] = (index[None, :] <= index[:, None]) & (index[:, None] < end[None, :])
    return seen


def fold(lessons: Lessons, numbers: Sequence[int] | None = None) -> PackedRow:
    """The lessons as one forest in which every shared prefix stands once.

    `numbers` choose some of them; all if left out. Branches stand in the order of
    their token ids, whatever order the lessons come in. A lesson that is wholly the
    prefix of another is a path inside it; its edges are kept, also where two lessons
    are the same. Linear in the tokens, but for the sort of the lessons.
    """
    names = list(range(len(lessons)) if numbers is None else numbers)
    paths = {name: lessons.path(name) for name in names}
    tokens: list[Ints] = []
    position: list[Ints] = []
    end = np.zeros(sum(map(len, paths.values())), dtype=np.int32)
    edges: dict[int, tuple[Ints, Ints]] = {}
    size = 0
    before = np.zeros(0, dtype=np.int32)  # the path laid last, and where its tokens stand
    place = np.zeros(0, dtype=np.int32)
    for name in sorted(names, key=lambda one: reading_order(paths[one])):
        path = paths[name]
        shared = shared_length(before, path)
        end[place[shared:]] = size
        fresh = len(path) - shared
        place = np.concatenate([place[:shared], np.arange(size, size + fresh, dtype=np.int32)])
        tokens.append(path[shared:])
        position.append(np.arange(shared, len(path), dtype=np.int32))
        size += fresh
        record = lessons.records[name]
        taught = int(record["prompt"] + record["read"])
        edges[name] = (place[taught - 1 : -1], place[taught:])
        before = path
    end[place] = size
    counts = [len(edges[name][1]) for name in names]
    return PackedRow(
        tokens=join_ints(tokens),
        position=join_ints(position),
        end=end[:size],
        source=join_ints([edges[name][0] for name in names]),
        target=join_ints([edges[name][1] for name in names]),
        weight=np.repeat(lessons.records["weight"][names], counts).astype(np.float32),
        lesson=np.repeat(np.asarray(names, dtype=np.int32), counts),
    )


def side_by_side(rows: Sequence[PackedRow]) -> PackedRow:
    """One row that holds the rows' trees one after the other, blind to each other."""
    starts = np.cumsum([0, *(len(row) for row in rows)]).astype(np.int32)
    shifted = list(zip(rows, starts, strict=False))
    weights = [row.weight for row in rows]
    return PackedRow(
        tokens=join_ints([row.tokens for row in rows]),
        position=join_ints([row.position for row in rows]),
        end=join_ints([row.end + start for row, start in shifted]),
        source=join_ints([row.source + start for row, start in shifted]),
        target=join_ints([row.target + start for row, start in shifted]),
        weight=np.concatenate(weights) if weights else np.zeros(0, dtype=np.float32),
        lesson=join_ints([row.lesson for row in rows]),
    )


def reading_order(path: Ints) -> bytes:
    """A key that sorts token paths as words in a dictionary, a prefix before what extends it."""
    return path.astype(">u4").tobytes()


def shared_length(one: Ints, other: Ints) -> int:
    """How many leading tokens two paths have in common."""
    least = min(len(one), len(other))
    differing = np.flatnonzero(one[:least] != other[:least])
    return int(differing[0]) if len(differing) else least


def join_ints(parts: Sequence[Ints]) -> Ints:
    """The parts one after the other, int32 also where there are none."""
    return np.concatenate(parts, dtype=np.int32) if parts else np.zeros(0, dtype=np.int32)
