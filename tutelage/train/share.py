"""A step's rows shared out to the processes that train together."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.render.pack import PackedRow

TOKEN = 6  # a token costs about as much outside attention as 6 * width pairs cost inside


def cost(row: PackedRow, width: int) -> int:
    """What a row costs, counted in pairs of tokens of which one sees the other.

    A token sees itself and those before it in its tree, `position + 1` in all; outside
    attention it takes 24 width^2 operations a layer, where a pair takes 4 width.
    """
    return TOKEN * width * len(row) + int(row.position.sum(dtype="int64")) + len(row)


def shares(costs: Sequence[int], ranks: int) -> list[tuple[int, ...]]:
    """The places of the rows each rank takes: the dearest first, to whoever has least so far.

    Depends on nothing but its arguments, so every rank works out the same. A rank may be left
    without rows. Source: longest processing time first, Graham 1969.
    """
    taken: list[list[int]] = [[] for _ in range(ranks)]
    load = [0] * ranks
    for place in sorted(range(len(costs)), key=lambda one: (-costs[one], one)):
        rank = load.index(min(load))
        taken[rank].append(place)
        load[rank] += costs[place]
    return [tuple(sorted(places)) for places in taken]
