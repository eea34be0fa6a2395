from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
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
from tutelage.train import loop
from tutelage.train.checkpoint import Saves, State
from tutelage.train.judging import judging_of
from tutelage.train.loop import Loop
from tutelage.train.packing import pack_lessons
from tutelage.train.run import gather
from tutelage.train.step import as_served
from tutelage.train.trial import Trial
from tutelage.train.weights import open_learner

ROOT = Path(__file__).parents[2]
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
    saves: Saves
    heard: Hearer

    def run(self) -> State:
        """All its steps."""
        return self.loop.train(self.saves)


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
            saves=Saves(
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
        assert best < len(one.loop.lessons.steps), "it did not overfit: the recipe is not hot"
        assert state.step < len(one.loop.lessons.steps)
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
        assert state.step == len(one.loop.lessons.steps)
        assert equal(one.loop.learner.state(), one.heard.weights[state.step])
        last = one.loop.learner.state()
    with training(project, *hot, "train.keep=best") as one:
        state = one.run()
        best = one.loop.kept_step(state)
        assert best < state.step, "it did not overfit: the recipe is not hot"
        assert state.step == len(one.loop.lessons.steps)
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


@pytest.mark.parametrize(
    ("metric", "suite"),
    [
        ("both_right", ("scorers=[json, 'twins:label=unsafe']", "cluster=pair")),
        ("both_right_raw", ("scorers=[json, twins]", "cluster=pair")),
        ("pass_at_2", ("scorers=[json, code]", "samples=2")),
    ],
)
def test_what_several_answers_give_is_no_measure_of_a_training(
    tmp_path: Path, metric: str, suite: tuple[str, ...]
) -> None:
    recipe = build(tmp_path) / "recipe.yaml"
    stopping = f"train.early_stopping={{metric: tickets.{metric}, patience: 1, tasks: 3}}"
    warm = "contract.decoding.temperature=0.7"
    changes = (stopping, warm, *(f"evaluate.suites.0.{key}" for key in suite))
    with pytest.raises(RecipeError, match=rf"`tickets\.{metric}` is not measured while training"):
        train(load(recipe, changes))


def test_judging_needs_held_out_rows(tmp_path: Path) -> None:
    folder = build(tmp_path)
    for key, where in ((PATIENT, "early_stopping"), ("train.keep=best", "keep")):
        with pytest.raises(RecipeError, match="no validation split") as caught:
            train(load(folder / "recipe.yaml", ("curate.validation=0", key)))
        assert caught.value.where == f"train.{where}"
    pace = ("curate.validation=0", "train.validate_every_steps=2")
    with pytest.raises(RecipeError, match="no validation split to measure"):
        train(load(folder / "recipe.yaml", pace))


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
    assert best < len(rows), "it did not overfit: the recipe is not hot"
    folder = build(tmp_path)
    with (
        pytest.raises(Interrupted),
        training(folder, *keys, heard=Hearer(signal.SIGTERM, best + 1)) as one,
    ):
        one.run()
    (saved,) = (one.saves.best.folder / f"step-{best:09d}").glob("*.pt")
    saved.unlink() if harm == "missing" else saved.write_bytes(b"damaged")
    with training(folder, *keys) as again:
        assert again.run().rows == rows
    assert min(again.heard.weights) <= best
    assert equal(again.loop.learner.state(), kept)


@pytest.mark.parametrize("seconds", ["0.000001", "3600"])
def test_weights_of_best_steps_go_with_the_states_that_went_by_them(
    tmp_path: Path, seconds: str
) -> None:
    """Where every step is saved, the next state drops them; where none is, the next best step."""
    often = (f"train.checkpoint_every_seconds={seconds}", "train.checkpoints_kept=1")
    with training(build(tmp_path), *HOT[:1], "train.epochs=14", "train.keep=best", *often) as one:
        state = one.run()
        best = one.loop.kept_step(state)
        better = [
            row["step"] for row in state.rows if "validation_loss" in row and row["step"] <= best
        ]
        assert len(better) > 1
        assert best < state.step, "it did not overfit: the recipe is not hot"
        assert one.saves.best.steps() == [best]


def test_what_memory_fell_to_pieces_is_given_back_every_so_many_steps(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    with training(project, "train.epochs=4") as one:
        monkeypatch.setattr(loop, "TIDY", 3)
        monkeypatch.setattr(loop, "give_back", lambda: given.append(max(one.heard.weights)))
        state = one.run()
    assert given == list(range(3, state.step + 1, 3))
    assert len(given) > 1


JUDGED = {
    "a validation": PATIENT,
    "the best step": "train.keep=best",
}


@pytest.mark.parametrize("key", list(JUDGED))
def test_that_a_quantised_base_judges_the_steps_is_told_and_recorded(
    tmp_path: Path, key: str
) -> None:
    words = ("train.method=qlora", "train.epochs=1", "train.lora.quantisation=int8")
    heard = Hearer()
    recipe = load(build(tmp_path) / "recipe.yaml", (*words, JUDGED[key]))
    adapter = walk(recipe, until="train", progress=heard).artifacts["train"]
    assert adapter.manifest.environment["judged_on"] == "the base in int8"
    (told,) = [one for one in heard.warnings if "best on the base in int8" in one]
    assert "evaluation and release take the base as published" in told


@pytest.mark.parametrize(
    "words", [("train.method=qlora",), ("train.method=lora", "train.keep=best")]
)
def test_where_no_step_is_judged_on_a_quantised_base_nothing_is_told(
    project: Path, words: tuple[str, ...]
) -> None:
    with training(project, *words, "train.epochs=1") as one:
        assert one.loop.judging.environment() == {}
    assert not [told for told in one.heard.warnings if "the base in" in told]


def test_validations_that_are_too_few_for_what_goes_by_them_are_told(project: Path) -> None:
    few = {
        ("train.epochs=1", PATIENT): "early stopping never ends this training: 1 validations",
        ("train.epochs=3", PATIENT): "patience 2 could end it after 3",
        ("train.epochs=1", "train.keep=best"): "`keep: best` keeps the last step",
    }
    for words, says in few.items():
        with training(project, *words) as one:
            (told,) = one.heard.warnings
        assert says in told
        assert told.endswith("set `train.validate_every_steps`")
    enough = (("train.epochs=4", PATIENT), ("train.epochs=2", "train.keep=best"))
    for words in (*enough, ("train.epochs=1", PATIENT, "train.validate_every_steps=1")):
        with training(project, *words) as one:
            assert one.heard.warnings == []


def test_a_first_step_that_would_change_nothing_ends_the_training(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "clip", lambda *_: 0.0)
    with training(project) as one, pytest.raises(TrainingError, match="first step is zero"):
        one.run()


def test_layers_that_nothing_compiles_are_not_compiled_at_the_recipes_word(project: Path) -> None:
    words = ("train.method=qlora", "train.compile=always")
    says = "quantised base are not compiled"
    with pytest.raises(TrainingError, match=says), training(project, *words):
        pass


CHILD = """
import sys
from pathlib import Path
from tutelage.core.recipe import load
from tutelage.pipeline import run

run(load(Path(sys.argv[1]), ("train.epochs=1", "train.sinks=[]", *sys.argv[2:])), until="train")
print("torch" in sys.modules, "torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("optimizer", ["adamw", "adamw8bit", "muon"])
def test_a_training_does_not_import_the_compiler(tmp_path: Path, optimizer: str) -> None:
    recipe = build(tmp_path) / "recipe.yaml"
    words = [sys.executable, "-c", CHILD, str(recipe), f"train.optimizer={optimizer}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout.split() == ["True", "False"], done.stderr


def test_a_last_step_that_leaves_no_numbers_makes_no_adapter(tmp_path: Path) -> None:
    far = ("train.step_tokens=100000", "train.epochs=1", "train.learning_rate=1e38")
    recipe = load(build(tmp_path) / "recipe.yaml", (*far, "train.method=lora"))
    heard = Hearer()
    with pytest.raises(TrainingError, match="weights after step 1 are no finite numbers") as caught:
        walk(recipe, until="train", progress=heard)
    assert caught.value.rows
    assert any("not written down: validation_loss" in told for told in heard.warnings)
    assert not list((tmp_path / ".tutelage" / "store").glob("adapter-*"))
