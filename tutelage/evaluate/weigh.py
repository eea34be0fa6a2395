"""Suites that are weighed: options behind their question, held-out text in windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tutelage.core.conversation import Conversation, Message
from tutelage.core.recipe import Choices, Suite
from tutelage.core.recipe.evaluate import QUESTION
from tutelage.core.row import Example
from tutelage.core.sample import Sample
from tutelage.evaluate.ladder import PromptedTask, Weighing
from tutelage.render.lesson import Lesson
from tutelage.score.likelihood import text_scores
from tutelage.score.options import LOGPROB, options_of
from tutelage.score.task import Task

Floats = NDArray[np.float32]


def weigh(
    weighing: Weighing, suite: Suite, tasks: Sequence[Task], shots: Sequence[Example]
) -> list[PromptedTask]:
    """Every task with what is weighed: a Lesson an option, or a Lesson a window of its text.

    All tasks stand behind the same examples, a task's own row left out; where they do not fit
    the context before the longest option, it has as many of the first as do.
    """
    if suite.choices is None:
        return [_text(weighing, task) for task in tasks]
    found: dict[str, PromptedTask] = {}
    waiting = list(tasks)
    for count in range(len(shots), -1, -1):
        asked = _options(weighing, suite, waiting, shots[:count])
        for one in asked:
            longest = max(len(lesson) for lesson in one.lessons)
            if longest <= weighing.context + 1 or count == 0:
                found[one.task.id] = one
        waiting = [task for task in waiting if task.id not in found]
        if not waiting:
            break
    return [found[task.id] for task in tasks]


def weighed_sample(
    one: PromptedTask, parts: Sequence[Floats], system: str, seconds: float
) -> Sample:
    """What a system's log-probabilities say of one task; the likeliest option is its answer."""
    sums = [float(part.sum(dtype=np.float64)) for part in parts]
    if "options" not in one.task.example.tags:
        tokens = sum(map(len, parts))
        scores, answer = dict(text_scores(sum(sums), one.task.request, tokens)), ""
    else:
        scores = {f"{LOGPROB}{place}": value for place, value in enumerate(sums)}
        answer = options_of(one.task)[int(np.argmax(sums))]
    return Sample(
        task=one.task.id,
        cluster=one.task.cluster,
        system=system,
        seed=0,
        prompt_digest=one.digest,
        answer=answer,
        scores=scores,
        seconds=seconds,
    )


def _text(weighing: Weighing, task: Task) -> PromptedTask:
    lessons = tuple(weighing.windows(task.request))
    talk = Conversation(messages=task.example.messages)
    return PromptedTask(
        task=task, conversation=talk, ids=lessons[0].prompt, shots=0, lessons=lessons
    )


def _options(
    weighing: Weighing, suite: Suite, tasks: Sequence[Task], shots: Sequence[Example]
) -> list[PromptedTask]:
    columns = suite.choices or Choices()
    pairs: list[tuple[Conversation, str]] = []
    seen: list[tuple[Task, Conversation, int, int]] = []  # task, talk, options, examples
    for task in tasks:
        own = [shot for shot in shots if shot.id != task.example.id]
        talk = _talk(columns, task, own)
        options = options_of(task)
        pairs += [(talk, option) for option in options]
        seen.append((task, talk, len(options), len(own)))
    lessons = iter(
        _bare(weighing, columns, pairs) if suite.prompt == "plain" else weighing.answered(pairs)
    )
    found = []
    for task, talk, count, before in seen:
        mine = tuple(next(lessons) for _ in range(count))
        found.append(
            PromptedTask(
                task=task, conversation=talk, ids=mine[0].prompt, shots=before, lessons=mine
            )
        )
    return found


def _bare(
    weighing: Weighing, columns: Choices, pairs: Sequence[tuple[Conversation, str]]
) -> list[Lesson]:
    texts = []
    for talk, option in pairs:
        shown = talk.messages[:-1]
        before = "".join(
            f"{asked.content}{columns.joins}{said.content}{columns.apart}"
            for asked, said in zip(shown[::2], shown[1::2], strict=True)
        )
        texts.append((before + talk.messages[-1].content, columns.joins + option))
    return weighing.continued(texts)


def _talk(columns: Choices, task: Task, shots: Sequence[Example]) -> Conversation:
    def put(turn: Message) -> Message:
        if turn.role != "user":
            return turn
        return replace(turn, content=columns.asks.replace(QUESTION, turn.content))

    shown = [put(turn) for shot in shots for turn in shot.messages]
    asked = [put(turn) for turn in task.prompt.messages]
    return Conversation(messages=(*shown, *asked), tools=task.prompt.tools)
