from __future__ import annotations

import pytest

from tests.score.fakes import task
from tutelage.score.number import Number, marked_number

GOLD = "She sold 48/2 = <<48/2=24>>24 clips.\n#### 1,072"


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("#### 1072", True),
        ("so\n#### 1,072", True),
        ("#### 1072.0", False),  # compared as text, as the official script does
        ("####1072", False),
        ("1072", False),
        ("#### 72", False),
        ("#### 1072\n#### 3", True),
    ],
)
def test_numbers_are_read_as_gsm8k_reads_them(answer: str, right: bool) -> None:
    found = Number().score(task("?", GOLD), answer)
    assert found["numeric_match"] == float(right)
    assert found["no_number"] == float("#### " not in answer)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("The answer is $1,072.00.", True),
        ("1072 of 5", False),
        ("none", False),
        ("#### 1072", True),
    ],
)
def test_the_last_number_is_taken_where_the_recipe_says_so(answer: str, right: bool) -> None:
    assert Number(last=True).score(task("?", GOLD), answer)["numeric_match"] == float(right)


def test_a_task_without_a_number_is_a_problem() -> None:
    assert Number().problem(task("?", GOLD)) == ""
    assert "after `####`" in Number().problem(task("?", "42"))
    assert Number(last=True).problem(task("?", "42")) == ""
    assert "no number" in Number(last=True).problem(task("?", "many"))


def test_a_minus_and_a_point_belong_to_the_number() -> None:
    assert marked_number("#### -3.5 apples") == "-3.5"
