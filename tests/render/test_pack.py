from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.render.test_tree import LESSONS, expected, taught
from tutelage.core.digest import strong_digest
from tutelage.core.errors import ContractError
from tutelage.render.lesson import Lesson
from tutelage.render.lessons import Lessons
from tutelage.render.pack import VERSION, pack, packed_apart, tokens_saved, visible


def seeded(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def of_length(length: int, first: int) -> Lesson:
    return Lesson(prompt=(first,), completion=tuple(range(100, 99 + length)))


@settings(max_examples=120, derandomize=True, deadline=None)
@given(LESSONS, st.integers(14, 40), st.booleans())
def test_every_lesson_is_taught_once_in_rows_within_capacity(
    lessons: list[Lesson], capacity: int, share: bool
) -> None:
    rows = pack(lessons, capacity, seeded(), share=share)
    assert all(0 < len(row) <= capacity for row in rows)
    assert [len(row) for row in rows] == rows.sizes.tolist()
    assert sorted(edge for row in rows for edge in taught(row)) == expected(lessons)
    assert all((row.lesson >= 0).all() and row.tokens.dtype == np.int32 for row in rows)
    saved = tokens_saved(rows)
    assert saved >= 0 if share else saved == 0


def test_rows_are_filled_best_fit_decreasing() -> None:
    lengths = [6, 5, 5, 4, 3, 3, 2, 2]
    rows = pack([of_length(n, i) for i, n in enumerate(lengths)], 10, seeded())
    assert sorted(len(row) for row in rows) == [10, 10, 10]


def test_first_tokens_of_answers_are_predicted_by_the_prompts_last() -> None:
    row = pack([Lesson(prompt=(1, 2, 3), completion=(4, 5))], 8, seeded())[0]
    assert row.source.tolist() == [2, 3]
    assert row.target.tolist() == [3, 4]


def test_the_same_seed_packs_the_same_and_another_does_not() -> None:
    lessons = [of_length(2 + i % 5, i) for i in range(60)]

    def tokens(seed: int) -> list[list[int]]:
        return [row.tokens.tolist() for row in pack(lessons, 16, seeded(seed))]

    assert tokens(1) == tokens(1)
    assert tokens(1) != tokens(2)


def test_which_lesson_stands_where_is_another_version_where_it_is_another_packing() -> None:
    """Rows that were kept are read by the version alone: raise `VERSION` where this fails."""
    system = tuple(range(900, 940))
    lessons = Lessons.of(
        [of_length(2 + i % 7, i) for i in range(60)]
        + [Lesson(prompt=(*system, i, i % 3), completion=(5, i)) for i in range(30)]
        + [Lesson(prompt=(*system[:12], i), completion=(6,)) for i in range(10)]
    )
    kinds = np.asarray([i % 2 for i in range(100)], dtype=np.int32)
    rows, kind = packed_apart(lessons, kinds, 128, seeded(3))
    held = pack(lessons, 256, seeded(4), share=True)
    places = [
        one.tolist()
        for side in (rows, held)
        for one in (side.numbers, side.trees, side.rows, side.sizes)
    ]
    assert (VERSION, strong_digest([*places, kind.tolist()])[:16]) == (1, "c92963227b1c4b01")


def test_a_lesson_longer_than_a_row_is_named() -> None:
    long = Lesson(prompt=(1, 2, 3), completion=(4, 5), row="abc", turn=3)
    with pytest.raises(ContractError) as raised:
        pack([long, of_length(2, 1)], 4, seeded())
    assert [(row.where, row.problem) for row in raised.value.rows] == [
        ("abc message 3", "5 tokens")
    ]


def test_a_shared_system_prompt_is_read_once() -> None:
    policy = tuple(range(200))
    lessons = [Lesson(prompt=(*policy, 300 + i), completion=(7, 8)) for i in range(10)]
    rows = pack(lessons, 512, seeded(), share=True)
    assert len(rows) == 1
    assert len(rows[0]) == 200 + 10 * 3
    assert tokens_saved(rows) == 9 * 200
    assert len(pack(lessons, 512, seeded())) == 5


def test_lessons_with_little_in_common_keep_trees_of_their_own() -> None:
    lessons = [
        Lesson(prompt=(1, *range(100 * i, 100 * i + 90)), completion=(2,)) for i in range(40)
    ]
    rows = pack(lessons, 8192, seeded(), share=True)
    longest = max(int((row.end - np.arange(len(row))).max()) for row in rows)
    assert longest < 3000, "one shared token must not make one tree of all"


def test_visible_is_the_dense_rule() -> None:
    end = np.array([3, 2, 3, 5, 5], dtype=np.int32)
    assert visible(end).astype(int).tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]


def test_no_lessons_make_no_rows() -> None:
    assert len(pack([], 16, seeded(), share=True)) == 0
