from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.render.bins import best_fit


def one_at_a_time(lengths: list[int], capacity: int) -> list[int]:
    """Best fit decreasing, as its definition says it."""
    rooms: list[int] = []
    bins = [0] * len(lengths)
    for index in sorted(range(len(lengths)), key=lambda one: -lengths[one]):
        fitting = [number for number, room in enumerate(rooms) if room >= lengths[index]]
        if not fitting:
            rooms.append(capacity)
            fitting = [len(rooms) - 1]
        bins[index] = min(fitting, key=lambda number: rooms[number])
        rooms[bins[index]] -= lengths[index]
    return bins


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 24), max_size=80), st.integers(24, 60))
def test_filling_bins_together_takes_as_many_as_filling_them_one_at_a_time(
    lengths: list[int], capacity: int
) -> None:
    bins = best_fit(np.asarray(lengths, dtype=np.int32), capacity)
    filled = np.bincount(bins, lengths) if lengths else np.zeros(0)
    expected = one_at_a_time(lengths, capacity)
    assert (filled > 0).all()
    assert (filled <= capacity).all()
    assert sorted(filled) == sorted(np.bincount(expected, lengths) if lengths else [])


def test_a_length_goes_where_the_least_room_is_enough() -> None:
    lengths = np.asarray([7, 6, 3, 4], dtype=np.int32)
    assert best_fit(lengths, 10).tolist() == [0, 1, 0, 1]


def test_bins_of_one_room_are_taken_the_last_one_first() -> None:
    lengths = np.asarray([6, 6, 6, 4, 4], dtype=np.int32)
    assert best_fit(lengths, 10).tolist() == [0, 1, 2, 2, 1]
