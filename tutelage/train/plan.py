"""What a training will take, from real steps on its heaviest rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from tutelage.core.memory import peak_bytes
from tutelage.core.recipe import Train
from tutelage.store.artifact import Artifact
from tutelage.store.checkpoint import KEPT
from tutelage.store.run import Run
from tutelage.train.checkpoint import State
from tutelage.train.loop import Loop
from tutelage.train.run import gather, pack_lessons
from tutelage.train.weights import open_learner, using_threads

PROBE_STEPS = 2  # measured, after one that is not: it compiles and fills caches


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes of a training and what the probe measured."""

    backbone: str
    precision: str
    base_parameters: int
    trained_parameters: int
    lessons: int
    tokens: int  # of all lessons, prompts and completions, an epoch
    packed_tokens: int  # after shared prefixes are folded
    supervised_tokens: int
    steps: int
    learning_rate: float
    warm_seconds: float  # of the first step
    step_seconds: float  # of a heavy step
    seconds: float  # of the whole training
    memory_bytes: int  # peak of this process
    disk_bytes: int  # checkpoints and adapter at their largest


def plan(section: Train, dataset: Artifact, run: Run) -> Plan:
    """The plan of training on a dataset; nothing of the probe is kept.

    Raises: whatever opening the base or rendering the rows raises.
    """
    material = gather(section, dataset, run)
    taught = pack_lessons(section, material.tokens, run)
    learner = open_learner(section, material.base, run)
    weights = taught.rows.sizes.tolist()
    heavy = sorted(taught.steps, key=lambda step: -sum(weights[i] for i in step))
    loop = Loop(section, learner, taught, run)
    loop.plan = replace(taught, steps=heavy[:1] * (PROBE_STEPS + 1))
    loop.held = []
    with using_threads(section.threads):
        warm, steady = _probe(loop)
    mean = sum(weights[i] for step in taught.steps for i in step) / len(taught.steps)
    share = mean / sum(weights[i] for i in heavy[0])
    trained = sum(weight.numel() for weight in learner.trainable().values())
    return Plan(
        backbone=learner.backbone.kind,
        precision=str(learner.backbone.precision).removeprefix("torch."),
        base_parameters=learner.parameters(),
        trained_parameters=trained,
        lessons=len(taught.rows.lessons),
        tokens=int(taught.rows.lessons.lengths.sum(dtype="int64")),
        packed_tokens=sum(weights),
        supervised_tokens=int(taught.rows.lessons.supervised.sum(dtype="int64")),
        steps=len(taught.steps),
        learning_rate=loop.peak,
        warm_seconds=warm,
        step_seconds=steady,
        seconds=warm + steady * share * (len(taught.steps) - 1),
        memory_bytes=peak_bytes(),
        disk_bytes=_disk(loop, trained),
    )


def _probe(loop: Loop) -> tuple[float, float]:
    """Seconds of the first step and of each one after it."""
    state = State()
    moments = [time.perf_counter()]
    for _ in range(PROBE_STEPS + 1):
        state.rows.append(loop.step(state.step))
        state.step += 1
        moments.append(time.perf_counter())
    return moments[1] - moments[0], (moments[-1] - moments[1]) / PROBE_STEPS


def _disk(loop: Loop, trained: int) -> int:
    kept: int = sum(
        value.numel() * value.element_size()
        for optimizer, _ in loop.optimizers
        for state in optimizer.state.values()
        for value in state.values()
        if hasattr(value, "numel")
    )
    weights = sum(x.numel() * x.element_size() for x in loop.learner.state().values())
    saved = trained * (2 if loop.learner.lora is None else 4)
    return (KEPT + 1) * (kept + weights) + saved
