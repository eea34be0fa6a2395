"""The systems that are compared, from the bare base to the tuned model, and their prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tutelage.core.conversation import Conversation, Message
from tutelage.core.digest import Json, ids_digest, strong_digest
from tutelage.core.recipe import Decoding
from tutelage.core.recipe.ladder import ROWS_OWN
from tutelage.core.row import Example
from tutelage.core.systems import CONSTRAINED, TUNED, TUNED_CONSTRAINED, SystemName
from tutelage.render.lesson import Lesson
from tutelage.score.parse import as_text, parse
from tutelage.score.task import Task, answer_text

LABEL_CHARACTERS = 40  # a plain answer no longer than this is taken for a label


class Prompting(Protocol):
    """What evaluation needs of the prompt contract; `render.contract.Contract` is one."""

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides a prompt."""

    @property
    def context(self) -> int:
        """Tokens of prompt and answer together."""

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Tokens that end an answer."""

    @property
    def decoding(self) -> Decoding:
        """How answers are drawn."""

    @property
    def output_schema(self) -> Json:
        """What answers must satisfy, None where nothing is asked."""

    def prompts(self, conversations: Sequence[Conversation]) -> list[tuple[int, ...]]:
        """The ids sent to the model for each conversation."""


class Weighing(Protocol):
    """Texts as lessons to be weighed; `render.continuation.Continuations` is one."""

    @property
    def context(self) -> int:
        """Tokens that are read at once."""

    def answered(self, pairs: Sequence[tuple[Conversation, str]]) -> list[Lesson]:
        """Answers behind the prompts of their conversations."""

    def continued(self, pairs: Sequence[tuple[str, str]]) -> list[Lesson]:
        """Bare texts and what continues them."""

    def windows(self, text: str) -> list[Lesson]:
        """A text in windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The base or the tuned model, what stands in its prompt, and whether a schema holds it."""

    name: SystemName
    shots: tuple[Example | Conversation, ...] = ()  # worked turns before the request
    instruction: str | None = None  # in place of the rows' own system prompt
    prompt: SystemName = "zero_shot"  # the system whose prompt it has

    @property
    def tuned(self) -> bool:
        """Whether it has the adapter."""
        return self.name in (TUNED, TUNED_CONSTRAINED)

    @property
    def constrained(self) -> bool:
        """Whether its answers are held to the contract's output schema."""
        return self.name in CONSTRAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptedTask:
    """One task as a system is asked it."""

    task: Task
    conversation: Conversation
    ids: tuple[int, ...]
    shots: int
    lessons: tuple[Lesson, ...] = ()  # what is weighed behind it, where nothing is answered

    @property
    def digest(self) -> str:
        """Names the prompt's token ids, and those of what is weighed."""
        if not self.lessons:
            return ids_digest(self.ids)
        parts = [[ids_digest(one.ids), len(one.prompt)] for one in self.lessons]
        return strong_digest(parts)


def choose_shots(
    examples: Sequence[Example], count: int, generator: np.random.Generator
) -> tuple[Example, ...]:
    """Examples of the training split for a few-shot prompt, of as many kinds as there is room.

    Kinds come in a shuffled order, one example each before any has a second.
    """
    taught = [one for one in examples if one.split == "train" and not one.chosen]
    queues: dict[str, list[Example]] = {}
    for index in generator.permutation(len(taught)).tolist():
        queues.setdefault(_kind(taught[index]), []).append(taught[index])
    chosen: list[Example] = []
    while len(chosen) < count and any(queues.values()):
        chosen += [queue.pop(0) for queue in queues.values() if queue]
    return tuple(chosen[:count])


def ask(contract: Prompting, tasks: Sequence[Task], system: System) -> list[PromptedTask]:
    """Every task's prompt, rendered by the contract the model was trained with.

    All tasks have the same examples, so that the prefix is shared; where they do not
    fit the context beside the longest answer, a task has as many as do.
    """
    room = contract.context - contract.decoding.max_new_tokens
    asked: dict[str, PromptedTask] = {}
    waiting = list(tasks)
    for shots in range(len(system.shots), -1, -1):
        conversations = [
            conversation(task, system.shots[:shots], system.instruction) for task in waiting
        ]
        prompts = contract.prompts(conversations)
        for task, spoken, ids in zip(waiting, conversations, prompts, strict=True):
            if len(ids) <= room or shots == 0:
                asked[task.id] = PromptedTask(task=task, conversation=spoken, ids=ids, shots=shots)
        waiting = [task for task in waiting if task.id not in asked]
        if not waiting:
            break
    return [asked[task.id] for task in tasks]


def conversation(
    task: Task, shots: Sequence[Example | Conversation], instruction: str | None = None
) -> Conversation:
    """The task's conversation behind the examples' turns, under the task's own system prompt.

    An instruction stands in its place, the row's own where the instruction has `{system}`.
    """
    own = task.prompt
    opening = [turn for turn in own.messages[:1] if turn.role == "system"]
    shown = [turn for shot in shots for turn in shot.messages if turn.role != "system"]
    rest = own.messages[len(opening) :]
    if instruction is not None:
        said = instruction.replace(ROWS_OWN, opening[0].content if opening else "").strip()
        opening = [Message(role="system", content=said)] if said else []
    return Conversation(messages=(*opening, *map(_untaught, shown), *rest), tools=own.tools)


def _untaught(turn: Message) -> Message:
    return turn if turn.train is None else Message.from_dict({**turn.to_dict(), "train": None})


def _kind(example: Example) -> str:
    """What sort of answer it shows: the first word a JSON answer holds, or a short answer."""
    answer = answer_text(example.messages[-1])
    value = parse(answer).value
    if isinstance(value, Mapping):
        words = [held for held in value.values() if isinstance(held, str)]
        return words[0] if words else ",".join(value)
    return as_text(answer) if len(answer) <= LABEL_CHARACTERS else ""
