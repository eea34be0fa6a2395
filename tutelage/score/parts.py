"""The slices of a finished report, from the tasks it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.score.pairing import SUMMARY, TASKS
from tutelage.score.slices import Slice, slices_of
from tutelage.score.task import Task, suite_of
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.tables import read_rows


def slices_in(report: Artifact) -> dict[str, list[Slice]]:
    """The slices of each suite, as evaluation made them."""
    tasks: dict[str, list[Task]] = {}
    for row in read_rows(report.file(TASKS)):
        tasks.setdefault(suite_of(row.id), []).append(Task(id=row.id, cluster=row.id, example=row))
    suites: list[Mapping[str, Any]] = read_json(report.file(SUMMARY))["suites"]
    return {
        one["name"]: slices_of(
            tasks.get(one["name"], []), list(dict.fromkeys(part["key"] for part in one["slices"]))
        )
        for one in suites
    }
