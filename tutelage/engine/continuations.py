"""Log-probabilities of many lessons: folded into trees, rows filled in one fixed order.

The order is that of the token ids, whatever order the lessons come in, so that the same lessons
make the same rows and, on a CPU in fp32, the same numbers to the last bit. Rows of another size
change rounding only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tutelage.render.lesson import Lesson
from tutelage.render.lessons import Lessons
from tutelage.render.tree import PackedRow, fold, reading_order, shared_length

Floats = NDArray[np.float32]


@runtime_checkable
class Ranking(Protocol):
    """An engine that says of each token it scores whether another is likelier."""

    def ranked(self, row: PackedRow) -> Floats:
        """Log-probability, and 1 where no token is likelier, else 0: `[S, 2]`."""


def logprobs_of(
    score: Callable[[PackedRow], Floats],
    lessons: Sequence[Lesson],
    *,
    row_tokens: int,
    tell: Callable[[int], None] = lambda done: None,
) -> list[Floats]:
    """The log-probability of each lesson's completion, token by token, in the lessons' order.

    `score` is an engine's, or another function of the supervised edges of a row. Lessons that
    are the same are computed once. `tell` hears how many more are done.

    Shapes: each `[its supervised tokens]`, and what more axes `score` gives.
    """
    places: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for place, one in enumerate(lessons):
        places.setdefault((one.ids, len(one.prompt) + one.read), []).append(place)
    every = list(places.values())
    columns = Lessons.of(lessons[same[0]] for same in every)
    found: list[Floats] = [np.zeros(0, np.float32)] * len(lessons)
    for row in scoring_rows(columns, row_tokens):
        scores = score(row)
        edges = np.flatnonzero(np.diff(row.lesson)) + 1
        numbers = row.lesson[np.concatenate([[0], edges])].tolist()
        for number, own in zip(numbers, np.split(scores, edges), strict=True):
            for place in every[number]:
                found[place] = own
        tell(sum(len(every[number]) for number in numbers))
    return found


def scoring_rows(lessons: Lessons, row_tokens: int) -> Iterator[PackedRow]:
    """Rows of about `row_tokens` tokens that hold every lesson once, in the order of their ids.

    A lesson longer than that has a row of its own. A prefix that many lessons share stands
    once in each row that has some of them.
    """
    paths = {number: lessons.path(number) for number in range(len(lessons))}
    order = sorted(
        paths, key=lambda one: (reading_order(paths[one]), lessons.records[one]["prompt"])
    )
    row: list[int] = []
    size = 0
    for number in order:
        shared = shared_length(paths[row[-1]], paths[number]) if row else 0
        if row and size + len(paths[number]) - shared > row_tokens:
            yield fold(lessons, row)
            row, size, shared = [], 0, 0
        row.append(number)
        size += len(paths[number]) - shared
    if row:
        yield fold(lessons, row)
