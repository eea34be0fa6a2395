from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tutelage.engine.continuations import logprobs_of, scoring_rows
from tutelage.render.lesson import Lesson
from tutelage.render.lessons import Lessons
from tutelage.render.pack import PackedRow

SHOTS = tuple(range(100, 150))


def lesson(*completion: int, question: int = 1) -> Lesson:
    return Lesson(prompt=(*SHOTS, question), completion=completion)


QUESTIONS = [lesson(option, option + 1, question=q) for q in range(8) for option in range(10, 14)]


class Counting:
    """Scores an edge by the ids on both of its sides, and counts the tokens it reads."""

    def __init__(self) -> None:
        self.tokens = 0

    def score(self, row: PackedRow) -> NDArray[np.float32]:
        self.tokens += len(row)
        found = row.tokens[row.source] * 1000 + row.tokens[row.target]
        return -found.astype(np.float32)


def expected(one: Lesson) -> list[float]:
    ids = one.ids
    return [-(ids[at - 1] * 1000.0 + ids[at]) for at in range(len(one.prompt), len(ids))]


@pytest.mark.parametrize("row_tokens", [1, 60, 100, 10_000])
def test_every_lesson_has_its_own_numbers_in_rows_of_any_size(row_tokens: int) -> None:
    engine = Counting()
    found = logprobs_of(engine.score, QUESTIONS, row_tokens=row_tokens)
    assert [one.tolist() for one in found] == [expected(one) for one in QUESTIONS]


def test_what_is_shared_is_read_once() -> None:
    engine = Counting()
    logprobs_of(engine.score, QUESTIONS, row_tokens=10_000)
    assert engine.tokens == len(SHOTS) + 8 * (1 + 4 * 2)


def test_the_order_of_lessons_changes_no_row() -> None:
    def rows(lessons: list[Lesson]) -> list[list[int]]:
        return [row.tokens.tolist() for row in scoring_rows(Lessons.of(lessons), 90)]

    assert rows(QUESTIONS) == rows(QUESTIONS[::-1])
    assert len(rows(QUESTIONS)) > 1


def test_the_same_lesson_twice_is_computed_once_and_told_twice() -> None:
    engine, told = Counting(), []
    twice = [lesson(10, 11), lesson(12, 13), lesson(10, 11)]
    found = logprobs_of(engine.score, twice, row_tokens=1000, tell=told.append)
    assert [one.tolist() for one in found] == [expected(one) for one in twice]
    assert sum(told) == 3
    assert engine.tokens == len(SHOTS) + 1 + 4


def test_a_prompt_is_no_answer_to_what_it_extends() -> None:
    engine = Counting()
    pair = [Lesson(prompt=(1, 2), completion=(3, 4)), Lesson(prompt=(1, 2, 3), completion=(4,))]
    found = logprobs_of(engine.score, pair, row_tokens=1000)
    assert [len(one) for one in found] == [2, 1]
    assert found[1].tolist() == [-3004.0]


def test_nothing_to_weigh_asks_nothing() -> None:
    engine = Counting()
    assert logprobs_of(engine.score, [], row_tokens=10) == []
    assert engine.tokens == 0
