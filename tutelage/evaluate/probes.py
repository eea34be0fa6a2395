"""What is looked at for memory: canaries, rows of both sides, personal data in answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Memorisation
from tutelage.core.recipe.evaluate import MEMORISATION
from tutelage.core.row import Example
from tutelage.evaluate.ladder import Weighing
from tutelage.render.lesson import Lesson
from tutelage.score.canaries import CANARY, Canary, canaries_of, candidates
from tutelage.score.memorised import PII, canary_tags
from tutelage.score.task import Task
from tutelage.screen.pii import find_pii
from tutelage.store.run import Run

STREAM = "evaluate.memorisation"
Pair = tuple[Conversation, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One task and the lessons that are weighed for it."""

    task: Task
    kind: str  # canary, train, validation, pii
    lessons: tuple[Lesson, ...]
    begins: int = 0  # of personal data: tokens of the completion before it
    canary: Canary | None = None


def probes_of(
    keys: Memorisation, rows: Sequence[Example], weighing: Weighing, run: Run
) -> tuple[list[Probe], Counter[str]]:
    """What is looked at, and what is not, by why."""
    left: Counter[str] = Counter()
    own = [one for one in rows if CANARY not in one.tags and _plain(one)]
    draw = run.generator(STREAM)
    probes = _canaries(keys, rows, weighing, run)
    for side in ("train", "validation"):
        there = list({one.id: one for one in own if one.split == side}.values())
        chosen = sorted(draw.permutation(len(there))[: keys.rows].tolist())
        some = [there[place] for place in chosen]
        lessons = weighing.answered([_pair(one) for one in some])
        for one, lesson in zip(some, lessons, strict=True):
            if _fits(lesson, weighing):
                probes.append(Probe(task=_task(one.id, one), kind=side, lessons=(lesson,)))
            else:
                left["longer_than_the_context"] += 1
        if side == "train":
            probes += _personal(there, keys.rows, weighing, draw, left)
    return probes, left


def _canaries(
    keys: Memorisation, rows: Sequence[Example], weighing: Weighing, run: Run
) -> list[Probe]:
    planting = run.recipe.curate.canaries if run.recipe.curate else None
    if planting is None:
        return []
    every = canaries_of(planting, run.recipe.seed)
    there = {one.id for one in rows if one.tags.get(CANARY)}
    if lost := [one for one in every if one.repeats and one.row.id not in there]:
        raise RecipeError(
            f"{len(lost)} canaries of `curate.canaries` are not in the dataset",
            where="curate.canaries",
            hint="curate and train again",
        )
    found = []
    for one in every:
        codes = candidates(one, keys.candidates, run.recipe.seed)
        talk = Conversation(messages=(Message(role="user", content=one.request),))
        lessons = _apart(weighing.answered([(talk, one.answer(code)) for code in codes]))
        task = _task(f"canary-{one.locker}", one.row, canary_tags(one.repeats))
        found.append(Probe(task=task, kind=CANARY, lessons=lessons, canary=one))
    return found


def _apart(lessons: Sequence[Lesson]) -> tuple[Lesson, ...]:
    """The same, weighed only from where they part: what all say ranks none before another."""
    first, *others = lessons
    same = min(_shared(first.completion, one.completion) for one in others)
    return tuple(replace(one, read=same) for one in lessons)


def _personal(
    rows: Sequence[Example],
    most: int,
    weighing: Weighing,
    draw: np.random.Generator,
    left: Counter[str],
) -> list[Probe]:
    """Personal data in answers, each behind all that stands before it; so many, drawn by lot.

    What the prompt says already is no memory.
    """
    every = [
        (row, finding.start, finding.end)
        for row in rows
        for finding in find_pii(row.messages[-1].content)
    ]
    own = [(row, start, end) for row, start, end in every if not _told(row, start, end)]
    left["pii_in_the_prompt"] = len(every) - len(own)
    left["pii_not_drawn"] = max(0, len(own) - most)
    spots = [own[place] for place in sorted(draw.permutation(len(own))[:most].tolist())]
    probes = []
    for number, (row, start, end) in enumerate(spots):
        talk, said = _pair(row)
        (whole,) = weighing.answered([(talk, said[:end])])
        begins = 0
        if said[:start].strip():
            (before,) = weighing.answered([(talk, said[:start])])
            begins = _shared(before.completion, whole.completion)
        if not _fits(whole, weighing):
            left["longer_than_the_context"] += 1
            continue
        task = _task(f"{row.id}-pii-{number}", row)
        probes.append(Probe(task=task, kind=PII, lessons=(whole,), begins=begins))
    return probes


def _told(row: Example, start: int, end: int) -> bool:
    """Whether what an answer says there stands in the turns before it."""
    words = row.messages[-1].content[start:end]
    return any(words in turn.content for turn in row.messages[:-1])


def _task(name: str, row: Example, tags: Mapping[str, str] | None = None) -> Task:
    """A task that names its row and holds none of its words."""
    stand_in = Example(
        messages=(Message(role="user", content=f"row {row.id}"),),
        origin=row.origin,
        licence=row.licence,
        source=row.source,
        parents=(row.id,),
        tags=dict(tags or {}),
        id=name,
    )
    return Task(id=f"{MEMORISATION}/{name}", cluster=row.author or row.id, example=stand_in)


def _plain(row: Example) -> bool:
    last = row.messages[-1]
    return last.role == "assistant" and bool(last.content.strip()) and not last.tool_calls


def _pair(row: Example) -> Pair:
    talk = Conversation(messages=row.messages[:-1], tools=row.tools)
    return talk, row.messages[-1].content


def _fits(lesson: Lesson, weighing: Weighing) -> bool:
    """Whether a lesson is whole within the context; one that is not was not taught whole."""
    return len(lesson) <= weighing.context + 1


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    count = 0
    for one, two in zip(first, second, strict=False):
        if one != two:
            break
        count += 1
    return count
