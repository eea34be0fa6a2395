"""What the tuned model memorised: canaries, rests of rows, personal data, membership by loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tutelage.core.conversation import Conversation
from tutelage.core.digest import Json
from tutelage.core.errors import MissingCapability
from tutelage.core.metric import CURE
from tutelage.core.recipe import Evaluate, Memorisation
from tutelage.core.recipe.evaluate import MEMORISATION
from tutelage.core.row import Example
from tutelage.core.sample import Sample
from tutelage.core.uniform import Evenness, kolmogorov_smirnov
from tutelage.engine.continuations import Ranking, logprobs_of
from tutelage.evaluate.ladder import PromptedTask, System
from tutelage.evaluate.probes import STREAM, Probe, probes_of
from tutelage.evaluate.report import Measured
from tutelage.evaluate.sample import ROWS, Bench
from tutelage.score.canaries import REPEATS, exposure, rank
from tutelage.score.memorised import (
    CONTROL,
    EXPOSURE,
    EXTRACTED,
    HELD_OUT,
    PII,
    measured_by,
    membership,
    row_scores,
)
from tutelage.score.slices import slices_of
from tutelage.store.run import Run

BASE = System(name="zero_shot")
SYSTEMS = (System(name="tuned"), BASE)  # in the order in which weights are opened
Floats = NDArray[np.float32]


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
    probes, left = probes_of(keys, rows, bench.continuations, run)
    if not probes:
        run.progress.warn(f"{MEMORISATION}: nothing to measure: no row has an answer that fits")
        return None
    tasks = [one.task for one in probes]
    found = {
        system.name: _weighed(keys, probes, system, bench, section.batch_tokens, run)
        for system in SYSTEMS
    }
    controls = kolmogorov_smirnov(found["tuned"].places)
    scorer = measured_by(list(found["tuned"].scores.values()), controls)
    if not scorer.measures:
        told = f"no row held out, and no rest of {keys.least_tokens} tokens"
        run.progress.warn(f"{MEMORISATION}: nothing to measure: {told}")
        return None
    if any(one.locked for one in scorer.measures):
        reason = scorer.measures[0].locked.partition(CURE)[0]
        run.progress.warn(f"{MEMORISATION}: {reason}: no gate rests on exposure")
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
    return suite, {"tasks": form, "left_out": dict(left), "controls": _even(controls)}


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
        name = EXPOSURE if probe.canary.repeats else CONTROL
        return {name: exposure(place, len(parts))}
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


def _even(one: Evenness) -> dict[str, Json]:
    return {"n": one.n, "distance": one.distance, "p": one.p}
