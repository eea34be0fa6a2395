"""The training loop: planned steps, one after the other, resumable at each."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tutelage.core.progress import Tick
from tutelage.core.recipe import Train
from tutelage.engine.logprob import LossShape
from tutelage.render.pack import PackedRow, PackedRows
from tutelage.store.checkpoint import Checkpoints
from tutelage.store.run import Run
from tutelage.train import checkpoint
from tutelage.train.batch import batch_of
from tutelage.train.checkpoint import State
from tutelage.train.schedule import peak_rate, rate_factor
from tutelage.train.step import check_finite, clip, gradient, validation_loss
from tutelage.train.weights import Learner, open_optimizers

log = logging.getLogger(__name__)

COMPILE_TOKENS = 500_000  # compiling costs what about 100,000 tokens do on two cores


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonPlan:
    """What is taught: packed rows, and the steps that take them."""

    rows: PackedRows
    steps: Sequence[tuple[int, ...]]
    validation: PackedRows


@dataclass(slots=True)
class Clock:
    """Speed since the process began; none of it enters an artifact's digest."""

    began: float = field(default_factory=time.monotonic)
    tokens: int = 0
    supervised: int = 0

    def figures(self) -> dict[str, float]:
        """Tokens and supervised tokens a second."""
        seconds = max(1e-9, time.monotonic() - self.began)
        return {
            "tokens_per_second": self.tokens / seconds,
            "supervised_per_second": self.supervised / seconds,
        }


class Loop:
    """One training under way."""

    def __init__(self, section: Train, learner: Learner, plan: LessonPlan, run: Run) -> None:
        self.section = section
        self.learner = learner
        self.plan = plan
        self.run = run
        self.peak = peak_rate(section, learner.parameters())
        self.optimizers = open_optimizers(section, learner, self.peak)
        if self._long_enough():
            learner.backbone.compile()
        self.shape = LossShape(label_smoothing=section.label_smoothing, z_loss=section.z_loss)
        self.clock = Clock()
        self.held = [batch_of(row) for row in plan.validation]
        self.journal = run.folder / "train" / "journal.jsonl"

    def _long_enough(self) -> bool:
        """Whether compiling pays: by planned tokens, so that a resumed run decides alike."""
        tokens = sum(int(self.plan.rows.sizes[list(step)].sum()) for step in self.plan.steps)
        # compiled steps would keep packed matrices written out
        packed = self.learner.form is not None
        pays = (
            tokens >= COMPILE_TOKENS and not packed and any(map(shutil.which, ("g++", "clang++")))
        )
        log.info("layers are %s", "compiled" if pays else "run as they are")
        return pays

    def train(self, checkpoints: Checkpoints) -> State:
        """Every step that is left, saving on the way; returns what was measured."""
        state = checkpoint.resume(checkpoints, self.learner, self.optimizers)
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        if not state.step:
            self.journal.unlink(missing_ok=True)
        saved = time.monotonic()
        while state.step < len(self.plan.steps):
            state.rows.append(self.step(state.step))
            state.step += 1
            self._tell(state)
            if time.monotonic() - saved >= self.section.checkpoint_every_seconds:
                checkpoint.save(checkpoints, state, self.learner, self.optimizers)
                saved = time.monotonic()
        return state

    def step(self, number: int) -> dict[str, float]:
        """One optimizer step, counted from 0; returns what was measured."""
        chosen = [self.plan.rows[index] for index in self.plan.steps[number]]
        batches = [batch_of(row) for row in chosen]
        factor = rate_factor(self.section, number, len(self.plan.steps))
        # a stream a step: dropout repeats however the run was broken up
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.run.seed(f"train.step.{number}"))
            loss = gradient(self.learner.backbone, batches, self.shape, self.section.neftune)
        norm = clip(list(self.learner.trainable().values()), self.section.clip_norm)
        check_finite(loss, norm, number, lambda: self._names(chosen))
        for optimizer, rate in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return self._measured(number, loss, norm, factor, chosen)

    def _measured(
        self, number: int, loss: float, norm: float, factor: float, rows: Sequence[PackedRow]
    ) -> dict[str, float]:
        tokens = sum(len(row) for row in rows)
        supervised = sum(len(row.source) for row in rows)
        self.clock.tokens += tokens
        self.clock.supervised += supervised
        row: dict[str, float] = {
            "step": number + 1,
            "tokens": tokens,
            "supervised": supervised,
            "loss": loss,
            "gradient_norm": norm,
            "learning_rate": self.peak * factor,
        }
        if self.held and self._validates(number + 1):
            row["validation_loss"] = validation_loss(self.learner.backbone, self.held)
        return row

    def _validates(self, done: int) -> bool:
        steps = len(self.plan.steps)
        every = self.section.validate_every_steps or max(1, steps // self.section.epochs)
        return done % every == 0 or done == steps

    def _names(self, rows: Sequence[PackedRow]) -> list[str]:
        numbers = sorted({int(lesson) for row in rows for lesson in row.lesson})
        lessons = self.plan.rows.lessons
        names = lessons.rows()
        return [names[lessons.records[number]["row"]] for number in numbers]

    def _tell(self, state: State) -> None:
        row, speed = state.rows[-1], self.clock.figures()
        shown = {"loss": row["loss"], **speed}
        total = len(self.plan.steps)
        self.run.progress.tick(
            Tick(stage="train", done=state.step, total=total, unit="steps", figures=shown)
        )
        with self.journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row | speed) + "\n")


def write_metrics(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """One JSON line a step; nothing in it depends on the clock."""
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
