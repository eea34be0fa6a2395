"""Length-controlled win rates of scored samples, alone and in pairs.

A sample has two scores for each comparison it stood in: how it ended, and how many
characters longer its answer was than the other's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tutelage.core.bound import Bound
from tutelage.core.intervals import Interval
from tutelage.core.winning import Compared, controlled_difference, length_controlled

Rows = Sequence[Mapping[str, float]]
Columns = Sequence[str]  # how it ended, and how much longer the answer was


def controlled(
    columns: Columns,
    rows: Rows,
    clusters: Sequence[str],
    generator: np.random.Generator,
    bound: Bound,
) -> Interval:
    """The win rate at equal length of the rows that stood in a comparison."""
    kept = [index for index, row in enumerate(rows) if columns[0] in row]
    return length_controlled(
        _compared(columns, [rows[index] for index in kept]),
        [clusters[index] for index in kept],
        generator,
        sides=bound.sides,
        confidence=bound.confidence,
    )


def controlled_apart(
    columns: Columns,
    both: Sequence[tuple[Mapping[str, float], Mapping[str, float]]],
    clusters: Sequence[str],
    generator: np.random.Generator,
    bound: Bound,
) -> Interval:
    """The difference of two systems' win rates at equal length, of tasks both were compared on."""
    name = columns[0]
    kept = [index for index, (one, two) in enumerate(both) if name in one and name in two]
    return controlled_difference(
        _compared(columns, [both[index][0] for index in kept]),
        _compared(columns, [both[index][1] for index in kept]),
        [clusters[index] for index in kept],
        generator,
        sides=bound.sides,
        confidence=bound.confidence,
    )


def _compared(columns: Columns, rows: Rows) -> Compared:
    ended, longer = columns
    return Compared(scores=[row[ended] for row in rows], longer=[row[longer] for row in rows])
