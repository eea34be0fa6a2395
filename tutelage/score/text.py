"""What a task holds to compare texts with: references, a source, listed things."""

from __future__ import annotations

from tutelage.core.digest import Json
from tutelage.score.parse import parse
from tutelage.score.task import Task

REFERENCES = "references"  # key of a row: a JSON list of further right answers


def references(task: Task) -> list[str]:
    """The expected answer and the further right ones of the row, each once."""
    if REFERENCES not in task.example.tags:
        return [task.expected]
    return list(dict.fromkeys([task.expected, *(_listed(task) or [])]))


def references_problem(task: Task) -> str:
    """Why the further right answers cannot be read, empty where they can or there are none."""
    if REFERENCES in task.example.tags and _listed(task) is None:
        return f"`{REFERENCES}` is no JSON list of texts"
    return ""


def field_problem(task: Task, field: str) -> str:
    """Why the row has nothing to read under a key."""
    return "" if task.example.tags.get(field, "").strip() else f"the row has no `{field}`"


def listed_objects(text: str) -> list[dict[str, Json]] | None:
    """The objects of a JSON list, None where the text is no such list or an empty one."""
    value = parse(text).value
    if not isinstance(value, list) or not value:
        return None
    objects = [one for one in value if isinstance(one, dict)]
    return objects if len(objects) == len(value) else None


def _listed(task: Task) -> list[str] | None:
    value = parse(task.example.tags.get(REFERENCES, "")).value
    if not isinstance(value, list):
        return None
    texts = [one for one in value if isinstance(one, str)]
    return texts if len(texts) == len(value) else None
