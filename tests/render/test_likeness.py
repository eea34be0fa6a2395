from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings

from tests.render.test_tree import LESSONS
from tutelage.render import likeness
from tutelage.render.lesson import Lesson
from tutelage.render.lessons import Lessons
from tutelage.render.likeness import in_order
from tutelage.render.tree import reading_order, shared_length


def check(lessons: Lessons) -> None:
    """Whether order and shared lengths are those of one comparison after the other."""
    expected = sorted(range(len(lessons)), key=lambda n: reading_order(lessons.path(n)))
    found = in_order(lessons)
    assert found.numbers.tolist() == expected
    common = [shared_length(lessons.path(a), lessons.path(b)) for a, b in pairwise(expected)]
    assert found.shared.tolist() == [0, *common][: len(lessons)]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(LESSONS)
def test_lessons_stand_as_words_in_a_dictionary(lessons: list[Lesson]) -> None:
    check(Lessons.of(lessons))


def test_long_prefixes_and_large_ids_are_compared_to_their_end() -> None:
    policy = tuple(range(256, 1256))
    lessons = [
        Lesson(prompt=(*policy[: 90 * (n % 11)], 255 * n % 70_000), completion=(n % 3, 256))
        for n in range(200)
    ]
    check(Lessons.of([*lessons, *lessons[:5]]))


def test_what_is_sorted_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    lessons = Lessons.of([Lesson(prompt=(9 - n,), completion=(1, 2)) for n in range(10)])
    monkeypatch.setattr(likeness, "SORTED_TOKENS", 15)
    numbers = in_order(lessons).numbers
    assert np.array_equal(np.sort(numbers), np.arange(10))
    assert numbers.tolist() != list(range(9, -1, -1))
    assert numbers[0] == 3
