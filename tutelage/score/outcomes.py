"""Answers that are programs: outcomes of their tests, and pass@k over several answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task

COLUMNS = ("tests_passed", "tests_run")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How many of a task's tests an answer passes."""

    passed: int
    total: int


class Runner(Protocol):
    """Runs answers where they can do no harm."""

    def run(self, task: Task, answer: str) -> Outcome:
        """The outcome of the task's tests."""

    def problem(self, task: Task) -> str:
        """Why the task has no tests to run, empty where it has."""


class UnitTests:
    """Whether an answer passes its task's tests, run by whoever is given to run them."""

    name = "tests"
    headline = "tests_pass"
    measures: tuple[Measure, ...] = (
        Measure(metric="tests_pass", says="every test of the task passes"),
        Measure(
            metric="test_rate",
            says="share of all tests that pass",
            family="ratio",
            columns=COLUMNS,
            statistic="part",
        ),
    )

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def problem(self, task: Task) -> str:
        """Why the task has no tests."""
        return self._runner.problem(task)

    def score(self, task: Task, answer: str) -> Scores:
        """Whether all pass, and how many of how many; no test passed is none to pass by."""
        found = self._runner.run(task, answer)
        every = found.total > 0 and found.passed == found.total
        counts = dict(zip(COLUMNS, (float(found.passed), float(found.total)), strict=True))
        return {"tests_pass": float(every), **counts}


def pass_at_k(n: int, right: int, k: int) -> float:
    """Chance that one of k answers drawn from n, of which so many are right, is right.

    Raises: ValueError for counts that cannot be.
    Source: Chen et al., "Evaluating large language models trained on code", 2021; the
        unbiased form, in whole numbers.
    """
    if not 0 <= right <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {right} right in {n}; expected 0 <= right <= n, 1 <= k <= n")
    drawn = math.comb(n, k)
    return (drawn - math.comb(n - right, k)) / drawn


def pass_measures(ks: Sequence[int]) -> tuple[Measure, ...]:
    """The metrics `pass_scores` gives scores for."""
    return tuple(
        Measure(
            metric=f"pass_at_{k}",
            says=f"chance that one of {k} answer{'s' if k > 1 else ''} passes every test",
            family="mean",
        )
        for k in ks
    )


def pass_scores(passed: Mapping[str, Sequence[bool]], ks: Sequence[int]) -> dict[str, Scores]:
    """By task, pass@k of its answers.

    Raises: ValueError for a task with fewer answers than the greatest k.
    """
    short = [task for task, answers in passed.items() if len(answers) < max(ks)]
    if short:
        raise ValueError(
            f"{len(short)} of {len(passed)} tasks have fewer than {max(ks)} answers, "
            f"such as {short[0]} with {len(passed[short[0]])}"
        )
    return {
        task: {f"pass_at_{k}": pass_at_k(len(answers), sum(answers), k) for k in ks}
        for task, answers in passed.items()
    }
