"""Lengths into bins: best fit decreasing, all of one length at a time."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


@dataclass(slots=True)
class _Open:
    """Bins that have room left, by how much; the one that came last is taken first."""

    rooms: list[int] = field(default_factory=list)  # the rooms that some bin has, sorted
    stacks: dict[int, list[Places]] = field(default_factory=dict)

    def push(self, room: int, bins: Places) -> None:
        if not room or not len(bins):
            return
        if room not in self.stacks:
            insort(self.rooms, room)
            self.stacks[room] = []
        self.stacks[room].append(bins)

    def pop(self, least: int, wanted: int) -> tuple[int, Places] | None:
        """Bins of the smallest room that is enough, `wanted` of them or fewer."""
        at = bisect_left(self.rooms, least)
        if at == len(self.rooms):
            return None
        room = self.rooms[at]
        stack = self.stacks[room]
        last = stack.pop()
        if len(last) > wanted:
            stack.append(last[:-wanted])
            last = last[-wanted:]
        if not stack:
            del self.stacks[room]
            self.rooms.pop(at)
        return room, last[::-1]


def best_fit(lengths: NDArray[np.int32], capacity: int) -> Places:
    """The bin of each length: longest first, each into the fullest bin that still has room.

    A bin with the smallest room that is enough keeps being that bin until it has too little,
    so bins of one room are filled together: the work grows with how many lengths and rooms
    differ, not with how many there are.

    Shapes: lengths `[N]`, none above `capacity`; returns `[N]`, bins numbered as they open.
    """
    order = np.argsort(-lengths.astype(np.int64), kind="stable")
    ranked = lengths[order]
    edges = np.flatnonzero(np.diff(ranked, prepend=-1, append=-1))
    bins = np.empty(len(lengths), dtype=np.int64)
    opened = _Open()
    count = 0
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        length, at = int(ranked[first]), first
        while at < last:
            left = last - at
            found = opened.pop(length, left)
            if found is None:
                fresh = -(-left // (capacity // length))
                found = capacity, np.arange(count, count + fresh)
                count += fresh
            at += _fill(opened, found, length, bins[at:last])
    placed = np.empty_like(bins)
    placed[order] = bins
    return placed


def _fill(opened: _Open, found: tuple[int, Places], length: int, out: Places) -> int:
    """Fills bins of one room, one after the other; how many lengths they took."""
    room, bins = found
    each = room // length
    whole, rest = divmod(min(len(out), each * len(bins)), each)
    out[: whole * each] = np.repeat(bins[:whole], each)
    opened.push(room - each * length, bins[:whole])
    if rest:
        out[whole * each : whole * each + rest] = bins[whole]
        opened.push(room - rest * length, bins[whole : whole + 1])
    opened.push(room, bins[whole + bool(rest) :][::-1])
    return whole * each + rest
