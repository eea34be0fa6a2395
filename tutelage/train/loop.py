"""The training loop: planned steps, one after the other, resumable at each."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from tutelage.core.errors import Interrupted
from tutelage.core.memory import give_back
from tutelage.core.progress import Tick
from tutelage.core.recipe import Train
from tutelage.engine.check import check_folding
from tutelage.engine.logprob import LossShape
from tutelage.render.pack import PackedRow
from tutelage.store.checkpoint import Checkpoints
from tutelage.store.run import Run
from tutelage.train import checkpoint, guard
from tutelage.train.activations import offloaded
from tutelage.train.asked import Asked, asked_to_stop
from tutelage.train.batch import Batch, batch_of, idle_batch
from tutelage.train.checkpoint import Saves, State
from tutelage.train.device import compiles, fixed_layers, place, repeatable
from tutelage.train.judging import Judging, validation_pace
from tutelage.train.meters import Meters, matmul_peak, work_of
from tutelage.train.packing import LessonPlan
from tutelage.train.schedule import peak_rate, rate_factor
from tutelage.train.sinks import Sink, open_sinks
from tutelage.train.standing import VALIDATION, ended, overfitting, standing
from tutelage.train.step import Taught, clip, gradient, validation_loss
from tutelage.train.weights import Learner, open_optimizers
from tutelage.train.writer import Writer

log = logging.getLogger(__name__)

TIDY = 25  # steps after which what memory fell to pieces is given back


class Loop:
    """One training under way."""

    def __init__(
        self,
        section: Train,
        learner: Learner,
        lessons: LessonPlan,
        run: Run,
        judging: Judging | None = None,
    ) -> None:
        self.section = section
        self.learner = learner
        self.lessons = lessons
        self.run = run
        self.judging = judging or Judging()
        self.peak = peak_rate(section, learner.parameters())
        self.device = place(learner, section)
        self.optimizers = open_optimizers(section, learner, self.peak)
        self._check_folding()
        tokens = int(lessons.rows.sizes.sum(dtype="int64")) * section.epochs
        if compiles(section, tokens, self.device, fixed=fixed_layers(learner)):
            learner.backbone.compile()
        self.shape = LossShape(
            label_smoothing=section.label_smoothing,
            z_loss=section.z_loss,
            cap=learner.backbone.logit_cap,
        )
        if section.gradient_checkpointing != "none":
            learner.backbone.recompute(section.gradient_checkpointing)
        kind, precision = self.device.type, learner.backbone.precision
        peak = matmul_peak(kind, precision, torch.get_num_threads())
        self.meters = Meters(
            work=work_of(learner.backbone, frozen=learner.lora is not None),
            peak=peak,
            device=kind,
        )
        self.group = learner.group
        self.width = learner.backbone.head.shape[1]
        self.now: dict[str, float] = {}  # the meters at the last step
        self.sinks: list[Sink] = []

    def _check_folding(self) -> None:
        """Raises: BaseModelError where lessons of the first row change each other."""
        if self.learner.backbone.alone is None and self.lessons.steps:
            row = self.lessons.rows[self.lessons.steps[0][0]]
            apart = check_folding(self.learner.backbone, row, device=self.device)
            log.info("lessons that share a row differ from those alone by %.1e nats", apart)

    def train(self, saves: Saves) -> State:
        """Every step that is left, saving on the way; returns what was measured.

        The weights afterwards are those of the best step, where they are to be kept.

        Raises: Interrupted where a signal asked to stop, the last step saved.
        """
        state = checkpoint.resume(
            saves.states, self.learner, self.optimizers, partial(self._usable, saves.best)
        )
        self.group.check_step(state.step)
        with ExitStack() as stack:
            if self.group.first:
                self.sinks = stack.enter_context(open_sinks(self.section, self.run, state.step))
            writer = stack.enter_context(Writer())
            asked = stack.enter_context(asked_to_stop())
            stack.enter_context(repeatable(self.learner.backbone, self.device))
            self._steps(state, saves, writer, asked)
        self.group.wait()  # rank 0 has written the best step's weights
        self._keep_best(state, saves.best)
        return state

    def _steps(self, state: State, saves: Saves, writer: Writer, asked: Asked) -> None:
        total, criterion = len(self.lessons.steps), self.judging.criterion

        def save() -> Callable[[], object]:
            write = checkpoint.saving(saves.states, state, self.learner, self.optimizers)
            return saves.then_drop(write, state, criterion) if self.group.first else write

        def save_best() -> Callable[[], object]:
            write = checkpoint.saving_weights(saves.best, state.step, self.learner)
            return saves.then_drop(write, state, criterion) if self.group.first else write

        saved = time.monotonic()
        while state.step < total and not ended(state.rows, criterion):
            state.rows.append(self.step(state.step, state.rows))
            state.step += 1
            if why := overfitting(state.rows):
                state.rows[-1]["overfitting"] = 1.0
                self.run.progress.warn(f"overfitting, after step {state.step}: {why}")
            self._tell(state)
            writer.check()
            best = standing(state.rows, criterion).step if criterion.metric in state.rows[-1] else 0
            if self.judging.keep_best and best == state.step < total:
                writer.give(save_best)
            if self.group.any(bool(asked.signals)):
                writer.give(save)
                writer.wait()
                by = asked.by or "another rank"
                raise Interrupted(
                    f"stopped by {by} after step {state.step} of {total}, which is saved",
                    hint="the same command goes on from there",
                )
            if state.step % TIDY == 0:
                give_back()
            late = time.monotonic() - saved >= self.section.checkpoint_every_seconds
            if self.group.any(late):
                writer.give(save)
                saved = time.monotonic()

    def _usable(self, best: Checkpoints, rows: Sequence[dict[str, float]]) -> bool:
        """Whether one may go on after these rows: the best step's weights are there, if kept."""
        step = standing(rows, self.judging.criterion).step
        needed = self.judging.keep_best and 0 < step < len(self.lessons.steps)
        return not needed or best.has(step)

    def _keep_best(self, state: State, best: Checkpoints) -> None:
        found = standing(state.rows, self.judging.criterion)
        if self.judging.keep_best and 0 < found.step < state.step:
            checkpoint.restore_weights(best, found.step, self.learner)

    def kept_step(self, state: State) -> int:
        """The step, counted from 1, whose weights the learner has after training."""
        best = standing(state.rows, self.judging.criterion).step
        return best if self.judging.keep_best and best else state.step

    def step(self, number: int, before: Sequence[dict[str, float]] = ()) -> dict[str, float]:
        """One optimizer step, counted from 0, after those of `before`; what was measured.

        Raises: TrainingError where a loss is not what it should be and the recipe says stop.
        """
        chosen = [self.lessons.rows[index] for index in self.lessons.steps[number]]
        mine = self.group.share(chosen, self.width)
        weight = sum(float(row.weight.sum()) for row in chosen)
        trained = list(self.learner.trainable().values())
        factor = rate_factor(self.section, number, len(self.lessons.steps))
        drawn = torch.random.fork_rng([self.device] if self.device.type == "cuda" else [])
        with drawn, offloaded(self.section, self.device):
            taught = gradient(
                self.learner.backbone,
                self._turns(number, chosen, mine),
                weight,
                self.shape,
                self.section.neftune,
            )
        loss = self.group.reduce(trained, taught.loss)
        norm = clip(trained, self.section.clip_norm)
        guard.check_moves(number, norm)
        found = guard.judge(self.section, loss, norm, before, lambda: self.names(number))
        if found.fault:
            names = self.names(number)
            self.run.progress.warn(guard.warning(found, loss, norm, number + 1, names))
        for optimizer, rate in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            if not found.skip:
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        row: dict[str, float] = {
            "step": number + 1,
            "tokens": sum(len(one) for one in chosen),
            "supervised": sum(len(one.source) for one in chosen),
            **guard.marks(found, loss, norm),
            "learning_rate": self.peak * factor,
            **self.lessons.sources.losses(chosen, self._logprobs(mine, taught)),
        }
        self.now = self.meters.count(chosen)
        if self._validates(number + 1):
            row |= self._validated(number + 1)
            self.meters.last = time.monotonic()
        return guard.finite(row, self.run.progress.warn)

    def _turns(self, number: int, rows: Sequence[PackedRow], mine: Sequence[int]) -> list[Batch]:
        """The rows of a step that this rank takes, and turns it takes without one."""
        turns = [
            replace(
                batch_of(rows[at], self.device),
                seed=self.run.seed(f"train.step.{number}.{at}"),
            )
            for at in mine
        ]
        return turns + [idle_batch(self.device)] * self.group.idle_turns(rows, self.width)

    def _logprobs(self, mine: Sequence[int], taught: Taught) -> list[Tensor]:
        """Those of every row of the step, whoever took it; idle turns come after this rank's."""
        told = taught.logprobs[: len(mine)]
        if self.group.size > 1:
            told = [one.cpu() for one in told]
        return self.group.collect(dict(zip(mine, told, strict=True)))

    def _held(self) -> Iterator[Batch]:
        """The held-out rows of this rank; as many on each, where weights are sharded."""
        rows, size = self.lessons.validation, self.group.size
        mine = range(self.group.rank, len(rows), size)
        yield from (batch_of(rows[row], self.device) for row in mine)
        idle = -(-len(rows) // size) - len(mine) if self.group.sharded else 0
        yield from [idle_batch(self.device)] * idle

    def _validated(self, number: int) -> dict[str, float]:
        found: dict[str, float] = {}
        backbone = self.learner.backbone
        self.group.check_equal(self.learner.state(), number)
        if len(self.lessons.validation):
            found[VALIDATION] = validation_loss(backbone, self._held(), self.group)
        if self.judging.trial is not None:
            value = self.judging.trial.value(backbone)
            found[self.judging.criterion.metric] = self.group.same(value)
        return found

    def _validates(self, done: int) -> bool:
        steps = len(self.lessons.steps)
        return done % validation_pace(self.section, steps) == 0 or done == steps

    def names(self, step: int) -> list[str]:
        """Ids of the rows a step teaches, sorted by lesson."""
        rows = [self.lessons.rows[index] for index in self.lessons.steps[step]]
        numbers = sorted({int(lesson) for row in rows for lesson in row.lesson})
        taught = self.lessons.rows.lessons
        names = taught.rows()
        return list(dict.fromkeys(names[taught.records[number]["row"]] for number in numbers))

    def _tell(self, state: State) -> None:
        if not self.group.first:
            return
        row = state.rows[-1]
        shown = {"loss": row["loss"]} if "loss" in row else {}
        figures: Mapping[str, float] = shown | self.meters.figures()
        total = len(self.lessons.steps)
        self.run.progress.tick(
            Tick(stage="train", done=state.step, total=total, unit="steps", figures=figures)
        )
        for sink in self.sinks:
            sink.write(row | self.now)
