"""What a training will take: counted from its shapes, and real steps on its heaviest rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from tutelage.core.recipe import Train
from tutelage.engine.backbone import Backbone
from tutelage.render.pack import pack
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.train.batch import batch_of
from tutelage.train.budget import (
    Memory,
    check_fits,
    counted_memory,
    remedies,
    validations,
)
from tutelage.train.checkpoint import copied
from tutelage.train.defaults import Choice, choices
from tutelage.train.device import choose_device, prepared
from tutelage.train.judging import judging_of, validation_pace
from tutelage.train.loop import Loop
from tutelage.train.packing import LessonPlan, pack_lessons
from tutelage.train.room import Room
from tutelage.train.run import Material, gather
from tutelage.train.step import validation_loss
from tutelage.train.trial import Trial
from tutelage.train.weights import open_learner

PROBE_STEPS = 2  # measured, after one that is not: it compiles and fills caches
PROBE_MORE = 12  # steps from all over the training, for other shapes and for what falls to pieces
PROBE_SECONDS = 15.0  # of measured steps, after which none of those is begun
PROBE_TASKS = 16  # of a suite's metric that stops the training, if one does


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
    start_seconds: float  # before the first step
    seconds: float  # of every training of the recipe, starts and validations among it
    trainings: int  # that differ in their seeds
    memory: Memory
    memory_bytes: int  # all of it
    available_bytes: int | None
    remedies: tuple[str, ...]  # keys to change; empty where it fits
    choices: tuple[Choice, ...]
    disk_bytes: int  # checkpoints and adapter at their largest


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Seconds of the first step, of each heavy one after it, of a token, and of a validation."""

    warm: float
    steady: float
    token: float
    validation: float  # and the tasks a suite's metric is measured on


def measure(section: Train, dataset: Artifact, run: Run, *, loading: float = 0.0) -> Plan:
    """The plan of training on a dataset; nothing of the probe is kept.

    `loading`: seconds that loading the libraries took, which belong to the start.

    Raises: whatever opening the base or rendering the rows raises; TrainingError where it
        cannot fit into memory.
    """
    material = gather(section, dataset, run)
    with prepared(section.threads):
        return _measured(section, material, run, loading)


def _measured(section: Train, material: Material, run: Run, loading: float) -> Plan:
    began = time.perf_counter()
    room = Room(device=choose_device(section))
    before = room.held()
    learner = open_learner(section, material.base, run)
    before -= room.held()  # what the plan itself holds is counted, the weights are not
    alone = learner.backbone.alone is not None
    taught = pack_lessons(section, material.tokens, run, alone=alone)
    before += room.held()
    lessons, weights = taught.rows.lessons, taught.rows.sizes.tolist()
    memory = counted_memory(section, learner, apart=room.apart)
    longest, available, own = int(lessons.lengths.max()), room.free(), room.held()
    check_fits(section, memory, available, longest, apart=room.apart)
    loop = Loop(section, learner, taught, run, judging_of(section, material, taught, run))
    start = loading + time.perf_counter() - began
    probe = probed(loop)
    activations = max(0, room.peak() - before - memory.counted)
    trained = sum(weight.numel() for weight in learner.trainable().values())
    steps = len(taught.steps)
    later = sum(weights[i] for step in taught.steps[1:] for i in step)
    held_out = validations(steps, validation_pace(section, steps)) * probe.validation
    lasts = probe.warm + probe.token * later + held_out
    memory = replace(memory, activations=activations, process=before)
    if lasts < section.checkpoint_every_seconds:
        memory = replace(memory, checkpoint=0)  # none is written beside a step
    free = available is None or memory.total - own <= available
    precision = str(learner.backbone.precision).removeprefix("torch.")
    row_tokens = max(section.rows_tokens, longest)
    return Plan(
        backbone=learner.backbone.kind,
        precision=precision,
        base_parameters=learner.parameters(),
        trained_parameters=trained,
        lessons=len(lessons),
        tokens=int(lessons.lengths.sum(dtype="int64")),
        packed_tokens=sum(weights),
        supervised_tokens=int(lessons.supervised.sum(dtype="int64")),
        steps=steps,
        learning_rate=loop.peak,
        warm_seconds=probe.warm,
        step_seconds=probe.steady,
        start_seconds=start,
        seconds=(start + lasts) * section.seeds,
        trainings=section.seeds,
        memory=memory,
        memory_bytes=memory.total,
        available_bytes=available,
        remedies=() if free else tuple(remedies(section, memory, longest)),
        choices=tuple(choices(section, rate=loop.peak, precision=precision, row_tokens=row_tokens)),
        disk_bytes=_disk(loop, trained),
    )


def probed(loop: Loop) -> Probe:
    """Steps on the heaviest rows, some of all others, and a part of what is held out.

    The loop has its lessons and its judging afterwards, and other weights.
    """
    taught, judging = loop.lessons, loop.judging
    sizes = taught.rows.sizes
    heavy = max(taught.steps, key=lambda step: int(sizes[list(step)].sum()))
    nothing = pack([], loop.section.rows_tokens, loop.run.generator("train.pack"))
    apart = max(1, len(taught.steps) // PROBE_MORE)
    steps = (*(heavy,) * (PROBE_STEPS + 1), *taught.steps[::apart][:PROBE_MORE])
    loop.lessons = replace(taught, steps=steps, validation=nothing)
    loop.judging = replace(judging, trial=None)
    try:
        seconds = _stepped(loop)
    finally:
        loop.lessons, loop.judging = taught, judging
    validation = _held_out(loop, taught) + _tried(judging.trial, loop.learner.backbone)
    tokens = sum(int(sizes[list(step)].sum()) for step in steps[1 : len(seconds)])
    return Probe(
        warm=seconds[0],
        steady=sum(seconds[1 : PROBE_STEPS + 1]) / PROBE_STEPS,
        token=sum(seconds[1:]) / tokens,
        validation=validation,
    )


def _stepped(loop: Loop) -> list[float]:
    """Seconds of each step: of all that must be, and of the others while there is time."""
    seconds: list[float] = []
    copies: list[object] = []
    for number in range(len(loop.lessons.steps)):
        if number > PROBE_STEPS and sum(seconds[1:]) > PROBE_SECONDS:
            break
        if number == PROBE_STEPS:  # as while a checkpoint is written beside the steps
            copies = [copied(loop.learner.state())]
            copies += [copied(optimizer.state_dict()) for optimizer, _ in loop.optimizers]
        began = time.perf_counter()
        loop.step(number)
        seconds.append(time.perf_counter() - began)
    copies.clear()
    return seconds


def _held_out(loop: Loop, taught: LessonPlan) -> float:
    """Seconds of a validation, from a few of its rows."""
    rows = [taught.validation[n] for n in range(min(4, len(taught.validation)))]
    if not rows:
        return 0.0
    backbone = loop.learner.backbone
    began = time.perf_counter()
    validation_loss(backbone, [batch_of(row, loop.device) for row in rows])
    seconds = time.perf_counter() - began
    return seconds * float(taught.validation.sizes.sum()) / sum(map(len, rows))


def _tried(trial: Trial | None, backbone: Backbone) -> float:
    """Seconds of a suite's metric, from a few of its tasks; a trained model ends sooner."""
    if trial is None:
        return 0.0
    some = slice(PROBE_TASKS)
    began = time.perf_counter()
    replace(trial, tasks=trial.tasks[some], prompts=trial.prompts[some]).value(backbone)
    return (time.perf_counter() - began) * len(trial.tasks) / len(trial.tasks[some])


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
    states = loop.section.checkpoints_kept + 1  # the one being written among them
    # every kept state may go by a best step of its own
    best = (states + 1) * weights if loop.judging.keep_best else 0
    return states * (kept + weights) + best + saved
