"""What the tuned model memorised: canaries, rests of rows, personal data, membership by loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tutelage.core.conversation import Conversation, Message
from tutelage.core.digest import Json
from tutelage.core.errors import MissingCapability, RecipeError
from tutelage.core.recipe import Evaluate, Memorisation
from tutelage.core.recipe.evaluate import MEMORISATION
from tutelage.core.row import Example
from tutelage.core.sample import Sample
from tutelage.core.uniform import Evenness, kolmogorov_smirnov
from tutelage.engine.continuations import logprobs_of
from tutelage.evaluate.ladder import PromptedTask, System, Weighing
from tutelage.evaluate.report import Measured
from tutelage.evaluate.sample import ROWS, Bench
from tutelage.render.continuation import cut_to
from tutelage.render.lesson import Lesson
from tutelage.render.pack import PackedRow
from tutelage.score.canaries import CANARY, REPEATS, Canary, canaries_of, candidates, exposure, rank
from tutelage.score.memorised import (
    EXPOSURE,
    EXTRACTED,
    HELD_OUT,
    PII,
    canary_tags,
    measured_by,
    membership,
    row_scores,
)
from tutelage.score.slices import slices_of
from tutelage.score.task import Task
from tutelage.screen.pii import find_pii
from tutelage.store.run import Run

STREAM = "evaluate.memorisation"
BASE = System(name="zero_shot")
SYSTEMS = (System(name="tuned"), BASE)  # in the order in which weights are opened
Floats = NDArray[np.float32]
Pair = tuple[Conversation, str]


@runtime_checkable
class Ranking(Protocol):
    """An engine that says whether a token is the likeliest, too."""

    def ranked(self, row: PackedRow) -> Floats:
        """Log-probability and 1 or 0 of each supervised edge, `[S, 2]`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One task and the lessons that are weighed for it."""

    task: Task
    kind: str  # canary, train, validation, pii
    lessons: tuple[Lesson, ...]
    begins: int = 0  # of personal data: tokens of the completion before it
    canary: Canary | None = None


@dataclass(slots=True, kw_only=True)
class Found:
    """What one system's log-probabilities come to."""

    scores: dict[str, dict[str, float]] = field(default_factory=dict)  # by task
    places: list[float] = field(default_factory=list)  # of controls, between 0 and 1


def memorised(
    section: Evaluate, rows: Sequence[Example], bench: Bench, run: Run
) -> tuple[Measured, Json] | None:
    """The suite `memorisation` and what the report says of it, None where none is asked for.

    The base is looked at, too: what it says unseen was not memorised in training.

    Raises: RecipeError where the planted canaries are not in the dataset; MissingCapability.
    """
    keys = section.memorisation
    if keys is None:
        return None
    probes = _probes(keys, rows, bench.continuations, run)
    tasks = [one.task for one in probes]
    found = {
        system.name: _weighed(keys, probes, system, bench, section.batch_tokens, run)
        for system in SYSTEMS
    }
    controls = kolmogorov_smirnov(found["tuned"].places)
    scorer = measured_by(list(found["tuned"].scores.values()), controls)
    if any(one.locked for one in scorer.measures):
        run.progress.warn(f"{MEMORISATION}: {scorer.measures[0].locked}: no gate rests on exposure")
    suite = Measured(
        name=MEMORISATION,
        uri="",
        tasks=tasks,
        scorers=[scorer],
        slices=slices_of(tasks, (REPEATS,)) if any(one.canary for one in probes) else [],
        asked={system: [_asked(one) for one in probes] for system in found},
        samples={
            system: [_sample(one, system, known.scores[one.task.id]) for one in probes]
            for system, known in found.items()
        },
    )
    kinds = [one.kind for one in probes]
    form: dict[str, Json] = {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}
    return suite, {"tasks": form, "controls": _even(controls)}


def _probes(
    keys: Memorisation, rows: Sequence[Example], weighing: Weighing, run: Run
) -> list[Probe]:
    own = [one for one in rows if CANARY not in one.tags and _plain(one)]
    draw = run.generator(STREAM)
    probes = _canaries(keys, rows, weighing, run)
    for side in ("train", "validation"):
        there = list({one.id: one for one in own if one.split == side}.values())
        chosen = sorted(draw.permutation(len(there))[: keys.rows].tolist())
        some = [there[place] for place in chosen]
        lessons = weighing.answered([_pair(one) for one in some])
        probes += [
            Probe(task=_task(one.id, one), kind=side, lessons=(_fit(lesson, weighing),))
            for one, lesson in zip(some, lessons, strict=True)
        ]
        if side == "train":
            probes += _personal(there, keys.rows, weighing)
    return probes


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


def _personal(rows: Sequence[Example], most: int, weighing: Weighing) -> list[Probe]:
    """Personal data in answers, each behind all that stands before it."""
    spots = [
        (row, finding.start, finding.end)
        for row in rows
        for finding in find_pii(row.messages[-1].content)
    ][:most]
    probes = []
    for number, (row, start, end) in enumerate(spots):
        talk, said = _pair(row)
        (whole,) = weighing.answered([(talk, said[:end])])
        begins = 0
        if said[:start].strip():
            (before,) = weighing.answered([(talk, said[:start])])
            begins = _shared(before.completion, whole.completion)
        task = _task(f"{row.id}-pii-{number}", row)
        lesson = (_fit(whole, weighing),)
        probes.append(Probe(task=task, kind=PII, lessons=lesson, begins=begins))
    return probes


def _weighed(
    keys: Memorisation,
    probes: Sequence[Probe],
    system: System,
    bench: Bench,
    batch_tokens: int,
    run: Run,
) -> Found:
    engine = bench.engine(system)
    if not isinstance(engine, Ranking):
        raise MissingCapability(
            "this engine cannot rank tokens", expected="an engine of this process"
        )
    lessons = [lesson for one in probes for lesson in one.lessons]
    parts = iter(logprobs_of(engine.ranked, lessons, row_tokens=max(1, batch_tokens // ROWS)))
    found, draw = Found(), run.generator(f"{STREAM}.ties")
    for one in probes:
        mine = [next(parts) for _ in one.lessons]
        found.scores[one.task.id] = _scores(keys, one, mine, found, draw)
    _tell_members(probes, found)
    return found


def _scores(
    keys: Memorisation,
    probe: Probe,
    parts: Sequence[Floats],
    found: Found,
    draw: np.random.Generator,
) -> dict[str, float]:
    if probe.canary is not None:
        place = rank([float(part[:, 0].sum(dtype=np.float64)) for part in parts], draw)
        if not probe.canary.repeats:
            found.places.append((place - draw.random()) / len(parts))
        return {EXPOSURE: exposure(place, len(parts))}
    if probe.kind == PII:
        return {PII: float(parts[0][probe.begins : -1, 1].all())}
    scores = dict(row_scores(parts[0].astype(np.float64), keys.given, keys.least_tokens))
    if probe.kind == "validation" and EXTRACTED in scores:
        scores[HELD_OUT] = scores.pop(EXTRACTED)
    return scores


def _tell_members(probes: Sequence[Probe], found: Found) -> None:
    """Adds to each row's scores what it says of membership."""
    sides = [
        [one.task.id for one in probes if one.kind == kind] for kind in ("train", "validation")
    ]
    if not all(sides):
        return
    values = ([found.scores[task]["logprob"] for task in side] for side in sides)
    for side, own in zip(sides, membership(*values), strict=True):
        for task, value in zip(side, own, strict=True):
            found.scores[task]["membership_auc"] = value


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


def _sample(probe: Probe, system: str, scores: Mapping[str, float]) -> Sample:
    return Sample(
        task=probe.task.id,
        cluster=probe.task.cluster,
        system=system,
        seed=0,
        prompt_digest=_asked(probe).digest,
        answer="",
        scores=scores,
    )


def _asked(probe: Probe) -> PromptedTask:
    task, first = probe.task, probe.lessons[0]
    talk = Conversation(messages=task.example.messages)
    return PromptedTask(task=task, conversation=talk, ids=first.prompt, shots=0, lessons=(first,))


def _plain(row: Example) -> bool:
    last = row.messages[-1]
    return last.role == "assistant" and bool(last.content.strip()) and not last.tool_calls


def _pair(row: Example) -> Pair:
    talk = Conversation(messages=row.messages[:-1], tools=row.tools)
    return talk, row.messages[-1].content


def _fit(lesson: Lesson, weighing: Weighing) -> Lesson:
    return cut_to(lesson, weighing.context)


def _shared(first: Sequence[int], second: Sequence[int]) -> int:
    count = 0
    for one, two in zip(first, second, strict=False):
        if one != two:
            break
        count += 1
    return count


def _even(one: Evenness) -> dict[str, Json]:
    return {"n": one.n, "distance": one.distance, "p": one.p}
