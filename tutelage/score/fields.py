"""`fields`: the answer is a JSON object that has every field asked for."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.digest import Json
from tutelage.score.measure import Measure
from tutelage.score.parse import parse
from tutelage.score.task import Scores, Task

COLUMNS = ("fields_found", "fields_asked")


class Fields:
    """Whether fields are there, whatever their value; null and an empty text are not.

    The fields are those named (`fields:name,address.city`), or those of the expected
    answer. A dot goes into an object.
    """

    headline = "fields_present"
    measures = (
        Measure(metric="fields_present", says="every field asked for is there"),
        Measure(
            metric="field_recall",
            says="share of the fields asked for that are there",
            family="ratio",
            columns=COLUMNS,
            statistic="part",
        ),
    )

    def __init__(self, named: Sequence[str] = ()) -> None:
        self.name = "fields:" + ",".join(named) if named else "fields"
        self._named = tuple(named)

    def problem(self, task: Task) -> str:
        """Why there is no field to look for, or which the expected answer lacks."""
        expected = parse(task.expected).value
        if not isinstance(expected, dict):
            return "the expected answer is no JSON object"
        missing = [path for path in self._asked(task) if not _there(expected, path)]
        if missing:
            return f"the expected answer has no `{missing[0]}`"
        return "" if self._asked(task) else "the expected answer has no field"

    def score(self, task: Task, answer: str) -> Scores:
        """Whether all are there, and how many of how many."""
        asked, given = self._asked(task), parse(answer).value
        found = sum(_there(given, path) for path in asked)
        counts = dict(zip(COLUMNS, (float(found), float(len(asked))), strict=True))
        return {"fields_present": float(found == len(asked)), **counts}

    def _asked(self, task: Task) -> tuple[str, ...]:
        return self._named or tuple(_paths(parse(task.expected).value, ""))


def _paths(value: Json, before: str) -> list[str]:
    """Paths to what is set in an object, through objects within it."""
    if not isinstance(value, dict):
        return []
    found = []
    for name, inner in value.items():
        path = f"{before}{name}"
        deeper = _paths(inner, f"{path}.")
        found += deeper or ([path] if _set(inner) and "." not in name else [])
    return found


def _there(value: Json, path: str) -> bool:
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return _set(value)


def _set(value: Json) -> bool:
    return value is not None and value != ""
