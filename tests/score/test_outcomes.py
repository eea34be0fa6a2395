from __future__ import annotations

import pytest

from tests.score.fakes import task
from tutelage.score.outcomes import Outcome, UnitTests, pass_at_k, pass_measures, pass_scores
from tutelage.score.task import Task


@pytest.mark.parametrize(
    ("n", "right", "k", "expected"),
    [(10, 3, 2, 0.5333), (10, 3, 5, 0.91667), (200, 10, 100, 0.99923), (5, 0, 5, 0), (5, 5, 1, 1)],
)
def test_pass_at_k_is_the_unbiased_form(n: int, right: int, k: int, expected: float) -> None:
    assert pass_at_k(n, right, k) == pytest.approx(expected, abs=5e-5)


def test_pass_at_k_of_many_answers_is_finite() -> None:
    assert 0.99 < pass_at_k(20_000, 100, 1_000) < 1.0


@pytest.mark.parametrize(("n", "right", "k"), [(3, 4, 1), (3, 1, 4), (3, -1, 1), (3, 1, 0)])
def test_counts_that_cannot_be_are_refused(n: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match="expected 0 <= right"):
        pass_at_k(n, right, k)


def test_each_task_has_pass_at_each_k() -> None:
    found = pass_scores({"a": [True, False], "b": [False, False]}, (1, 2))
    assert found == {
        "a": {"pass_at_1": 0.5, "pass_at_2": 1.0},
        "b": {"pass_at_1": 0.0, "pass_at_2": 0.0},
    }
    assert [one.metric for one in pass_measures((1, 2))] == ["pass_at_1", "pass_at_2"]


def test_a_task_with_too_few_answers_is_named() -> None:
    with pytest.raises(ValueError, match="such as b with 1"):
        pass_scores({"a": [True, False], "b": [False]}, (1, 2))


class Counted:
    """Knows the outcome of each answer."""

    def run(self, task: Task, answer: str) -> Outcome:
        return Outcome(passed=answer.count("ok"), total=0 if answer == "none" else 2)

    def problem(self, task: Task) -> str:
        return "" if task.request else "the row has no tests"


def test_an_answer_passes_where_every_test_does() -> None:
    scorer = UnitTests(Counted())
    one = task("write it", "ok")
    assert scorer.score(one, "ok ok") == {"tests_pass": 1.0, "tests_passed": 2.0, "tests_run": 2.0}
    assert scorer.score(one, "ok")["tests_pass"] == 0.0
    assert scorer.score(one, "none")["tests_pass"] == 0.0
    assert "no tests" in scorer.problem(task("", "ok"))
