"""Tasks of a few words."""

from __future__ import annotations

from tutelage.core.conversation import Message
from tutelage.core.row import Example, Source
from tutelage.score.task import Task, tasks_of


def task(said: str, answer: str, **tags: str) -> Task:
    return tasks_of("calls", [row(said, answer, **tags)])[0]


def row(said: str, answer: str, *, author: str | None = None, **tags: str) -> Example:
    return Example(
        messages=(Message(role="user", content=said), Message(role="assistant", content=answer)),
        origin="human",
        licence="CC0-1.0",
        source=Source(uri="test.jsonl", line=1),
        author=author,
        tags=tags,
    )
