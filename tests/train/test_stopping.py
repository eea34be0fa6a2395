from __future__ import annotations

import math
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.journey.project import build
from tutelage.core.digest import strong_digest
from tutelage.core.errors import Interrupted, RecipeError, TrainingError
from tutelage.core.progress import Silent, Tick
from tutelage.core.recipe import load
from tutelage.curate.run import run as curate
from tutelage.engine.adapter import apply_adapter
from tutelage.engine.backbone import Backbone, open_backbone
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Identity
from tutelage.pipeline import run as walk
from tutelage.pipeline import train
from tutelage.store.base import find_base
from tutelage.store.run import Run
from tutelage.train.checkpoint import Places, State
from tutelage.train.loop import Loop
from tutelage.train.run import gather, judging_of, pack_lessons
from tutelage.train.step import as_served
from tutelage.train.trial import Trial
from tutelage.train.weights import open_learner

HOT = ("train.learning_rate=0.02", "train.epochs=40", "train.schedule=constant")
PATIENT = "train.early_stopping={metric: validation_loss, patience: 2}"


class Hearer(Silent):
    """Sends a signal at a step; keeps what was warned of, and the weights after each step."""

    def __init__(self, number: int = 0, step: int = 0) -> None:
        self.number, self.step = number, step
        self.warnings: list[str] = []
        self.weights: dict[int, dict[str, Any]] = {}
        self.loop: Loop | None = None

    def tick(self, tick: Tick) -> None:
        """A stage went forward."""
        if tick.stage != "train" or self.loop is None:
            return
        state = self.loop.learner.state()
        self.weights[int(tick.done)] = {name: value.clone() for name, value in state.items()}
        if tick.done == self.step:
            os.kill(os.getpid(), self.number)

    def warn(self, message: str) -> None:
        """Something the user should know."""
        self.warnings.append(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """A training that may be run, and where it saves."""

    loop: Loop
    places: Places
    heard: Hearer

    def run(self) -> State:
        """All its steps."""
        return self.loop.train(self.places)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("stopping"))


@contextmanager
def training(folder: Path, *overrides: str, heard: Hearer | None = None) -> Iterator[Training]:
    heard = heard or Hearer()
    recipe = load(folder / "recipe.yaml", overrides)
    assert recipe.curate is not None
    assert recipe.train is not None
    with Run.open(recipe, progress=heard) as run:
        material = gather(recipe.train, curate(recipe.curate, {}, run), run)
        plan = pack_lessons(recipe.train, material.tokens, run)
        key = strong_digest([*overrides])[:12]
        learner = open_learner(recipe.train, material.base, run)
        judging = judging_of(recipe.train, material, plan, run)
        heard.loop = Loop(recipe.train, learner, plan, run, judging)
        yield Training(
            loop=heard.loop,
            heard=heard,
            places=Places(
                states=run.store.checkpoints(key, kept=recipe.train.checkpoints_kept),
                best=run.store.checkpoints(key, part="best", kept=None),
            ),
        )


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_an_overfitting_training_stops_and_its_weights_are_those_of_the_best_step(
    project: Path,
) -> None:
    with training(project, *HOT, PATIENT) as one:
        state = one.run()
        held = {row["step"]: row["validation_loss"] for row in state.rows if len(row) > 6}
        best = min(held, key=lambda step: held[step])
        assert state.step < len(one.loop.plan.steps)
        assert best < state.step
        assert sorted(held).index(state.step) - sorted(held).index(best) == 2
        assert one.loop.kept_step(state) == best
        assert equal(one.loop.learner.state(), one.heard.weights[int(best)])
        assert not equal(one.loop.learner.state(), one.heard.weights[state.step])


def test_without_early_stopping_the_last_step_is_kept_unless_the_recipe_says_best(
    project: Path,
) -> None:
    hot = ("train.learning_rate=0.02", "train.epochs=14", "train.schedule=constant")
    with training(project, *hot) as one:
        state = one.run()
        assert state.step == len(one.loop.plan.steps)
        assert equal(one.loop.learner.state(), one.heard.weights[state.step])
        last = one.loop.learner.state()
    with training(project, *hot, "train.keep=best") as one:
        state = one.run()
        assert one.loop.kept_step(state) < state.step == len(one.loop.plan.steps)
        assert not equal(one.loop.learner.state(), last)


def test_a_suites_metric_on_held_out_rows_may_be_gone_by(project: Path) -> None:
    metric = "train.early_stopping={metric: tickets.parse, patience: 1, tasks: 3}"
    with training(project, metric) as one:
        trial = one.loop.judging.trial
        assert trial is not None
        assert len(trial.tasks) == 3
        assert {task.example.split for task in trial.tasks} == {"validation"}
        assert all(task.prompt.messages[-1].role == "user" for task in trial.tasks)
        state = one.run()
    measured = [row["tickets.parse"] for row in state.rows if "tickets.parse" in row]
    assert measured
    assert all(0 <= value <= 1 for value in measured)


ADAPTERS = {
    "lora": ("train.method=lora",),
    "lora with dropout": ("train.method=lora", "train.lora.dropout=0.5"),
    "dora": ("train.method=lora", "train.lora.dora=true"),
    "a head": ("train.method=lora", "train.lora.targets=[lm_head, q_proj]"),
    "nf4": ("train.method=qlora",),
    "int8 and dora": ("train.method=qlora", "train.lora={quantisation: int8, dora: true}"),
}


@pytest.mark.parametrize("name", list(ADAPTERS))
def test_a_suites_metric_is_that_of_the_adapted_model_as_it_is_served(
    project: Path, name: str, tmp_path: Path
) -> None:
    metric = "train.early_stopping={metric: tickets.finished, patience: 9, tasks: 3}"
    hot = ("train.learning_rate=0.05", "train.validate_every_steps=2")
    with training(project, *ADAPTERS[name], *hot, metric) as one:
        trial, learner = one.loop.judging.trial, one.loop.learner
        assert trial is not None
        state = one.run()
        assert any("tickets.finished" in row for row in state.rows)
        assert all(adapter.training for adapter in learner.adapters.values())
        before = torch.get_rng_state()
        first, second = (answers(trial, learner.backbone) for _ in range(2))
        assert first == second  # nothing is dropped out
        assert torch.equal(torch.get_rng_state(), before)
        if learner.form is None:
            learner.save(tmp_path)
            base = find_base("base", project)
            served = open_backbone(base, precision=torch.float32, frozen=True)
            assert answers(trial, served) != first
            apply_adapter(served, tmp_path)
            assert answers(trial, served) == first


def answers(trial: Trial, backbone: Backbone) -> list[tuple[int, ...]]:
    """What the trial's engine answers, token by token."""
    engine = LocalEngine(backbone, Identity(base="", adapter="", tokenizer=""), str)
    decoding = Decoding(max_new_tokens=8, stop=trial.contract.stop_ids)
    with as_served(backbone.module):
        return [one.ids for one in engine.generate(trial.prompts, decoding)]


def test_a_metric_that_is_not_there_is_told_before_anything_is_made(tmp_path: Path) -> None:
    recipe = build(tmp_path, base=False) / "recipe.yaml"
    with pytest.raises(RecipeError, match="suite `tickets` has no metric `pars`") as caught:
        train(load(recipe, ("train.early_stopping.metric=tickets.pars",)))
    assert "parse" in str(caught.value)
    with pytest.raises(RecipeError, match=r"`nosuch` is not in evaluate\.suites"):
        load(recipe, ("train.early_stopping.metric=nosuch.parse",))


def test_what_answers_cost_is_no_measure_of_a_training(tmp_path: Path) -> None:
    recipe = build(tmp_path) / "recipe.yaml"
    changes = (
        "evaluate.suites.0.scorers=[json, cost]",
        "train.early_stopping={metric: tickets.seconds, patience: 1, tasks: 3}",
    )
    with pytest.raises(RecipeError, match=r"`tickets\.seconds` is not measured while training"):
        train(load(recipe, changes))


def test_judging_needs_held_out_rows(tmp_path: Path) -> None:
    folder = build(tmp_path)
    for key, where in ((PATIENT, "early_stopping"), ("train.keep=best", "keep")):
        with pytest.raises(RecipeError, match="no validation split") as caught:
            train(load(folder / "recipe.yaml", ("curate.validation=0", key)))
        assert caught.value.where == f"train.{where}"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_asked_to_stop_saves_the_last_step(
    project: Path, tmp_path: Path, number: int
) -> None:
    folder = build(tmp_path)
    heard = Hearer(number, 3)
    with pytest.raises(Interrupted, match="after step 3 of"), training(folder, heard=heard) as a:
        a.run()
    with training(folder) as again, training(project) as unbroken:
        state = again.run()
        assert unbroken.run().rows == state.rows
        assert equal(again.loop.learner.state(), unbroken.loop.learner.state())
    assert list(heard.weights) == [1, 2, 3]


def test_a_step_that_is_not_finite_is_skipped_and_changes_nothing(project: Path) -> None:
    heard = Hearer()
    with training(project, "train.on_nan=skip", heard=heard) as one:
        before = {name: value.clone() for name, value in one.loop.learner.state().items()}
        weight = one.loop.learner.backbone.embeddings[0]
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.fill_(math.nan)
        row = one.loop.step(0)
        with torch.no_grad():
            weight.copy_(kept)
        assert row["skipped"] == 1.0
        assert "loss" not in row
        assert equal(one.loop.learner.state(), before)
    assert "step 1 has loss nan" in heard.warnings[0]
    assert "is skipped; rows " in heard.warnings[0]


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_training_whose_best_weights_are_gone_goes_on_from_before_them(
    project: Path, tmp_path: Path, harm: str
) -> None:
    often = ("train.checkpoint_every_seconds=0.000001", "train.checkpoints_kept=100")
    keys = (*HOT[:1], "train.epochs=14", HOT[2], "train.keep=best", *often)
    with training(project, *keys) as unbroken:
        rows, kept = unbroken.run().rows, unbroken.loop.learner.state()
    best = unbroken.loop.kept_step(State(step=len(rows), rows=rows))
    folder = build(tmp_path)
    with (
        pytest.raises(Interrupted),
        training(folder, *keys, heard=Hearer(signal.SIGTERM, best + 1)) as one,
    ):
        one.run()
    (saved,) = (one.places.best.folder / f"step-{best:09d}").glob("*.pt")
    saved.unlink() if harm == "missing" else saved.write_bytes(b"damaged")
    with training(folder, *keys) as again:
        assert again.run().rows == rows
    assert min(again.heard.weights) <= best
    assert equal(again.loop.learner.state(), kept)


def test_a_last_step_that_leaves_no_numbers_makes_no_adapter(tmp_path: Path) -> None:
    far = ("train.step_tokens=100000", "train.epochs=1", "train.learning_rate=1e38")
    recipe = load(build(tmp_path) / "recipe.yaml", (*far, "train.method=lora"))
    heard = Hearer()
    with pytest.raises(TrainingError, match="weights after step 1 are no finite numbers") as caught:
        walk(recipe, until="train", progress=heard)
    assert caught.value.rows
    assert any("not written down: validation_loss" in told for told in heard.warnings)
    assert not list((tmp_path / ".tutelage" / "store").glob("adapter-*"))
