"""Blind sheets: answers of a report as people rate them, without what would tell whose they are.

A sheet shows two answers as A and B, each system as often first as the other, or one answer
at a time. Its lines are shuffled and named by digests; the key that tells which system gave
which answer stays in the project's store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from tutelage.core.digest import Json, short_digest, strong_digest
from tutelage.core.errors import UsageError
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.score.pairing import SUMMARY, TASKS
from tutelage.score.task import Task, suite_of
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.tables import SAMPLES, read_rows, read_samples

TUNED = "tuned"
DIGITS = 12  # of the digests that name sheets and lines, behind a letter: no cell is a number
PREFERS, RATER = "prefers", "rater"
PAIRED = ("sheet", "line", "request", "answer_a", "answer_b", PREFERS, RATER)
ALONE = ("sheet", "line", "request", "answer")  # marks follow, one a criterion, then the rater


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be rated, by whom."""

    suite: str
    against: str | None = None  # the baseline of a comparison
    criteria: tuple[str, ...] = ()  # of marks
    raters: tuple[str, ...] = ("rater",)
    tasks: int | None = None  # so many, drawn by the seed; all by default
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one line of a sheet hides."""

    task: str
    systems: tuple[str, ...]  # in the order they are shown in


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What opens a sheet."""

    report: str  # by digest
    suite: str
    against: str | None
    criteria: tuple[str, ...]
    rater: str
    alike: tuple[str, ...]  # tasks nobody is asked about: both answers are one
    lines: Mapping[str, Shown]
    withdrawn: str = ""  # why nobody waits for it any more

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the sheet."""
        return (*ALONE, *self.criteria, RATER) if self.criteria else PAIRED

    def to_dict(self) -> dict[str, Json]:
        """The key as plain JSON."""
        form: dict[str, Json] = msgspec.to_builtins(self)
        return form

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Key:
        """The key of `to_dict`."""
        return msgspec.convert(form, cls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one rater is handed, and its key."""

    name: str
    key: Key
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One task and what each system answered."""

    task: str
    cluster: str
    request: str
    answers: Mapping[str, str]

    def texts(self, systems: Sequence[str]) -> dict[str, str]:
        """What a line shows of it, by column."""
        if len(systems) == 1:
            return {"request": self.request, "answer": self.answers[systems[0]]}
        first, second = systems
        answers = {"answer_a": self.answers[first], "answer_b": self.answers[second]}
        return {"request": self.request, **answers}


def answered(report: Artifact, suite: str) -> dict[str, Answered]:
    """A suite's tasks with the answer of each of the report's systems, in the report's order.

    Raises: UsageError for a suite there is not, or in which nothing is answered.
    """
    summary = read_json(report.file(SUMMARY))
    suites = {one["name"]: one for one in summary["suites"]}
    if suite not in suites:
        raise UsageError(f"the report has no suite `{suite}`", hint=f"there is {', '.join(suites)}")
    samples: dict[str, list[Sample]] = {}
    for sample in read_samples(report.file(SAMPLES)):
        if suite_of(sample.task) == suite and sample.system in summary["systems"]:
            samples.setdefault(sample.task, []).append(sample)
    found = {}
    for row in read_rows(report.file(TASKS)):
        if some := samples.get(row.id):
            task = Task(id=row.id, cluster=some[0].cluster, example=row)
            answers = {one.system: one.answer for one in some}
            found[row.id] = Answered(
                task=row.id, cluster=task.cluster, request=task.request, answers=answers
            )
    if not any(answer for one in found.values() for answer in one.answers.values()):
        raise UsageError(f"in `{suite}` nothing is answered: there is nothing to rate")
    return found


def sheets(report: Artifact, wanted: Wanted) -> list[Sheet]:
    """A sheet for each rater, of the same tasks; the second sees A where the first saw B.

    Two answers that are one are on no sheet: nobody could prefer either, so they are a tie.

    Raises: UsageError for what the report does not have.
    """
    there = answered(report, wanted.suite)
    systems = (TUNED, wanted.against) if wanted.against else _systems(there)
    if missing := [one for one in systems if one not in _systems(there)]:
        raise UsageError(
            f"`{missing[0]}` did not answer `{wanted.suite}`",
            hint=f"there is {', '.join(name for name in _systems(there) if name != TUNED)}",
        )
    draw = stream(f"rate.{wanted.suite}.{wanted.against or 'marks'}", wanted.seed)
    tasks = _drawn(list(there), wanted.tasks, draw)
    if not wanted.against:
        looks = [(task, (system,)) for task in tasks for system in systems]
        return [_sheet(report, wanted, rater, there, looks, []) for rater in wanted.raters]
    alike = [task for task in tasks if len({there[task].answers[one] for one in systems}) == 1]
    asked = [task for task in tasks if task not in set(alike)]
    if not asked:
        raise UsageError(
            f"every answer of {TUNED} to `{wanted.suite}` is that of {wanted.against}, too",
            hint="compare with another baseline, or take another suite",
        )
    turned = _half(len(asked), draw)
    found = []
    for number, rater in enumerate(wanted.raters):
        turns = [one != bool(number % 2) for one in turned]
        pairs = zip(asked, turns, strict=True)
        shown = [(task, systems[::-1] if turn else systems) for task, turn in pairs]
        found.append(_sheet(report, wanted, rater, there, shown, alike))
    return found


def _systems(there: Mapping[str, Answered]) -> tuple[str, ...]:
    """The systems that answered every task, the tuned one first."""
    every = [set(one.answers) for one in there.values()]
    return tuple(sorted(set.intersection(*every), key=lambda name: (name != TUNED, name)))


def _drawn(tasks: Sequence[str], count: int | None, draw: np.random.Generator) -> list[str]:
    if count is None or count >= len(tasks):
        return list(tasks)
    return [tasks[place] for place in sorted(draw.permutation(len(tasks))[:count].tolist())]


def _half(count: int, draw: np.random.Generator) -> list[bool]:
    """True for half of so many, by lot; of an odd number the lot decides on one more."""
    turned = np.arange(count) < (count + int(draw.integers(2))) // 2
    return [bool(one) for one in draw.permutation(turned)]


def _sheet(
    report: Artifact,
    wanted: Wanted,
    rater: str,
    there: Mapping[str, Answered],
    looks: Sequence[tuple[str, tuple[str, ...]]],
    alike: Sequence[str],
) -> Sheet:
    said = [report.digest, wanted.suite, list(wanted.criteria), rater, list(alike)]
    name = "S" + strong_digest([said, [[task, *systems] for task, systems in looks]])[:DIGITS]
    lines = {
        _line(name, task, systems): Shown(task=task, systems=systems) for task, systems in looks
    }
    key = Key(
        report=report.digest,
        suite=wanted.suite,
        against=wanted.against,
        criteria=wanted.criteria,
        rater=rater,
        alike=tuple(alike),
        lines=dict(sorted(lines.items())),  # by digest: in no order that tells anything
    )
    rows = []
    for line, hidden in key.lines.items():
        texts = there[hidden.task].texts(hidden.systems)
        row = {"sheet": name, "line": line, **texts, RATER: rater}
        rows.append({column: row.get(column, "") for column in key.columns})
    return Sheet(name=name, key=key, rows=rows)


def _line(sheet: str, task: str, systems: Sequence[str]) -> str:
    return "L" + short_digest("\0".join((sheet, task, *systems)).encode())[:DIGITS]
