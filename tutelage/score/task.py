"""A Task, an input with the answer expected of it, and what a Scorer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import RecipeError
from tutelage.core.row import Example
from tutelage.score.measure import Measure

Scores = Mapping[str, float]  # a score that does not apply to a task is not there


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One item of a suite.

    `id` is `SUITE/ROW`, the row's id, numbered where a row stands in the suite more
    than once. Tasks that are not independent share a cluster: those of one author,
    and repeats of one row.
    """

    id: str
    cluster: str
    example: Example

    @property
    def prompt(self) -> Conversation:
        """All but the expected answer."""
        return Conversation(messages=self._asked, tools=self.example.tools)

    @property
    def request(self) -> str:
        """What the user says, all turns."""
        return "\n".join(turn.content for turn in self._asked if turn.role == "user")

    @property
    def expected(self) -> str:
        """The answer of the row; tool calls as JSON; empty where it has none."""
        return answer_text(self.example.messages[-1]) if self.referenced else ""

    @property
    def referenced(self) -> bool:
        """Whether the row says what answer is expected."""
        return self.example.messages[-1].role == "assistant"

    @property
    def _asked(self) -> tuple[Message, ...]:
        turns = self.example.messages
        return turns[:-1] if self.referenced else turns


class Scorer(Protocol):
    """Gives scores to an answer, and says how they become metrics."""

    @property
    def name(self) -> str:
        """Its name in recipes."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """The metrics its scores become."""

    @property
    def headline(self) -> str:
        """The metric that says whether an answer is right as a whole."""

    def problem(self, task: Task) -> str:
        """Why the task cannot be scored, empty where it can."""

    def score(self, task: Task, answer: str) -> Scores:
        """The scores of one answer."""


def answer_text(message: Message) -> str:
    """An assistant's turn as the text a scorer compares."""
    if not message.tool_calls:
        return message.content
    calls = [{"name": call.name, "arguments": call.arguments} for call in message.tool_calls]
    return msgspec.json.encode(calls[0] if len(calls) == 1 else calls).decode()


def tasks_of(
    suite: str,
    examples: Sequence[Example],
    clustered_by: str | None = None,
    else_by: str | None = None,
) -> list[Task]:
    """The tasks of a suite's rows, in order; rows of one value of a tag share a cluster.

    Raises: RecipeError where a row has neither that tag nor the one to go `else_by`.
    """
    keys = [key for key in (clustered_by, else_by) if key]
    bare = [one for one in examples if keys and not any(one.tags.get(key) for key in keys)]
    if bare:
        known = sorted({tag for one in examples for tag in one.tags})
        raise RecipeError(
            f"{len(bare)} of {len(examples)} rows of `{suite}` have no `{clustered_by}`",
            where="evaluate.suites.cluster",
            expected=f"a key of every row: {', '.join(known) or 'they have none'}",
            hint="correct the key, or give every row a value",
        )
    seen: dict[str, int] = {}
    tasks = []
    for example in examples:
        times = seen[example.id] = seen.get(example.id, 0) + 1
        number = "" if times == 1 else f"-{times}"
        shared = next((example.tags[key] for key in keys if example.tags.get(key)), None)
        cluster = shared or example.author or example.id
        tasks.append(Task(id=f"{suite}/{example.id}{number}", cluster=cluster, example=example))
    return tasks


def suite_of(task: str) -> str:
    """The suite a task's id names."""
    return task.partition("/")[0]
