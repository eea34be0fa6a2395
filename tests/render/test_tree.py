from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.render.lesson import Lesson
from tutelage.render.lessons import Lessons
from tutelage.render.tree import PackedRow, fold, side_by_side, visible

PATHS = st.lists(st.integers(0, 2), min_size=1, max_size=7)
LESSONS = st.lists(
    st.builds(
        lambda prompt, completion, read, weight: Lesson(
            prompt=tuple(prompt),
            completion=tuple(completion),
            read=read % len(completion),
            weight=weight,
        ),
        PATHS,
        PATHS,
        st.integers(0, 6),
        st.sampled_from([0.5, 1.0]),
    ),
    min_size=1,
    max_size=8,
)


def folded(lessons: list[Lesson]) -> PackedRow:
    return fold(Lessons.of(lessons))


def taught(row: PackedRow) -> list[tuple[tuple[int, ...], int, float, int]]:
    """Of each edge: all that its source sees, what it must predict, weight, lesson."""
    seen = visible(row.end)
    return sorted(
        (
            tuple(row.tokens[seen[source]].tolist()),
            int(row.tokens[target]),
            float(weight),
            int(lesson),
        )
        for source, target, weight, lesson in zip(
            row.source, row.target, row.weight, row.lesson, strict=True
        )
    )


def expected(lessons: list[Lesson]) -> list[tuple[tuple[int, ...], int, float, int]]:
    """The same, from the lessons one at a time."""
    return sorted(
        (lesson.ids[:at], lesson.ids[at], lesson.weight, number)
        for number, lesson in enumerate(lessons)
        for at in range(len(lesson) - len(lesson.taught), len(lesson))
    )


def test_two_answers_to_one_prompt_share_it() -> None:
    row = folded([Lesson(prompt=(7, 8), completion=(1, 2)), Lesson(prompt=(7, 8), completion=(3,))])
    assert row.tokens.tolist() == [7, 8, 1, 2, 3]
    assert row.position.tolist() == [0, 1, 2, 3, 2]
    assert row.end.tolist() == [5, 5, 4, 4, 5]
    assert row.source.tolist() == [1, 2, 1]
    assert row.target.tolist() == [2, 3, 4]
    assert row.lesson.tolist() == [0, 0, 1]


def test_a_later_turn_lies_inside_the_path_of_the_conversation() -> None:
    first = Lesson(prompt=(1, 2), completion=(3,))
    second = Lesson(prompt=(1, 2, 3, 4), completion=(5,))
    row = folded([second, first])
    assert row.tokens.tolist() == [1, 2, 3, 4, 5]
    assert row.target.tolist() == [4, 2]


def test_the_same_lesson_twice_is_taught_twice() -> None:
    lesson = Lesson(prompt=(1,), completion=(2,))
    row = folded([lesson, lesson])
    assert len(row) == 2
    assert row.lesson.tolist() == [0, 1]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(LESSONS)
def test_folded_lessons_see_and_teach_what_each_does_alone(lessons: list[Lesson]) -> None:
    row = folded(lessons)
    assert taught(row) == expected(lessons)
    assert len(row) == len(
        {lesson.ids[:at] for lesson in lessons for at in range(1, len(lesson) + 1)}
    )


@settings(max_examples=80, derandomize=True, deadline=None)
@given(LESSONS)
def test_position_is_the_number_of_tokens_seen_before(lessons: list[Lesson]) -> None:
    row = folded(lessons)
    assert np.array_equal(row.position, visible(row.end).sum(1) - 1)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(LESSONS)
def test_trees_side_by_side_are_blind_to_each_other(lessons: list[Lesson]) -> None:
    every = Lessons.of(lessons)
    row = side_by_side([fold(every, [number]) for number in range(len(lessons))])
    assert len(row) == sum(len(lesson) for lesson in lessons)
    assert taught(row) == expected(lessons)


def test_no_lessons_make_an_empty_row() -> None:
    row = folded([])
    assert len(row) == 0
    assert row.weight.dtype == np.float32
    assert side_by_side([]).tokens.dtype == np.int32
