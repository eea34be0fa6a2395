"""The tasks whose answers changed sides between two reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tutelage.core.digest import Json
from tutelage.core.sample import Sample
from tutelage.score.pairing import SUMMARY, TASKS
from tutelage.score.task import Task, suite_of
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.tables import read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One task whose headline score is another: what was asked, expected and answered."""

    suite: str
    task: str
    metric: str
    request: str
    expected: str
    first: float
    second: float
    first_answer: str
    second_answer: str

    def to_dict(self) -> dict[str, Json]:
        """The task as plain JSON."""
        return asdict(self)


def changed(
    report: Artifact, first: Mapping[str, Sequence[Sample]], second: Mapping[str, Sequence[Sample]]
) -> Iterator[Changed]:
    """The tasks of a report whose headline score differs between two sets of samples."""
    rows = {row.id: row for row in read_rows(report.file(TASKS))}
    suites: list[Mapping[str, Any]] = read_json(report.file(SUMMARY))["suites"]
    for suite in suites:
        name, metric = suite["name"], suite["headline"]
        before = {sample.task: sample for sample in first.get(name, ())}
        for after in second.get(name, ()):
            sample = before.get(after.task)
            if sample is None or metric not in sample.scores or metric not in after.scores:
                continue
            if sample.scores[metric] == after.scores[metric]:
                continue
            row = rows[after.task]
            task = Task(id=row.id, cluster=row.id, example=row)
            yield Changed(
                suite=suite_of(row.id),
                task=row.id,
                metric=metric,
                request=task.request,
                expected=task.expected,
                first=sample.scores[metric],
                second=after.scores[metric],
                first_answer=sample.answer,
                second_answer=after.answer,
            )
