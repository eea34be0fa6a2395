from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.engine.models import lessons, saved_model
from tutelage.core.errors import StoreError
from tutelage.core.recipe import Train, loads
from tutelage.render.pack import pack
from tutelage.store.run import Run
from tutelage.train import checkpoint
from tutelage.train.batch import Batch, batch_of
from tutelage.train.checkpoint import Optimizers, Saves, State
from tutelage.train.standing import Criterion
from tutelage.train.step import gradient
from tutelage.train.weights import Learner, open_learner, open_optimizers


def update(learner: Learner, optimizers: Optimizers, batches: list[Batch]) -> None:
    gradient(learner.backbone, batches)
    for optimizer, _ in optimizers:
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_training_goes_on_from_its_checkpoint_as_if_never_broken_off(
    method: str, optimizer: str, tmp_path: Path
) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    keys = {"base": "base", "method": method, "optimizer": optimizer, "precision": "fp32"}
    section = Train.model_validate(keys)
    with Run.open(loads("name: a").at(tmp_path)) as run:
        batches = [batch_of(row) for row in pack(lessons(), 400, run.generator("rows"))]
        first = open_learner(section, base, run)
        optimizers = open_optimizers(section, first, 0.01)
        update(first, optimizers, batches)
        checkpoints = run.store.checkpoints("key")
        rows = [{"step": 1.0, "loss": 2.5}]
        saving = checkpoint.saving(checkpoints, State(step=1, rows=rows), first, optimizers)
        update(first, optimizers, batches)
        saving()  # later than the step after it, as it stood before

        again = open_learner(section, base, run)
        resumed = open_optimizers(section, again, 0.01)
        state = checkpoint.resume(checkpoints, again, resumed)
        assert (state.step, state.rows) == (1, rows)
        update(again, resumed, batches)
    expected = first.state()
    assert expected.keys() == again.state().keys()
    assert all(torch.equal(value, expected[name]) for name, value in again.state().items())


def test_where_no_checkpoint_is_a_training_begins(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    section = Train(base="base")
    with Run.open(loads("name: a").at(tmp_path)) as run:
        learner = open_learner(section, base, run)
        state = checkpoint.resume(run.store.checkpoints("key"), learner, [])
    assert (state.step, state.rows) == (0, [])


def test_a_checkpoint_written_over_with_something_else_is_named(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    section = Train(base="base")

    def garbage(folder: Path) -> None:
        (folder / checkpoint.FILE).write_bytes(b"garbage")

    with Run.open(loads("name: a").at(tmp_path)) as run:
        learner = open_learner(section, base, run)
        checkpoints = run.store.checkpoints("key")
        checkpoints.save(1, garbage)
        with pytest.raises(StoreError, match="is not what training wrote"):
            checkpoint.resume(checkpoints, learner, [])


def test_a_checkpoint_of_other_weights_is_told(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    section = Train(base="base")
    with Run.open(loads("name: a").at(tmp_path)) as run:
        learner = open_learner(section, base, run)
        checkpoints = run.store.checkpoints("key")
        whole = {"weights": {"other": torch.ones(2)}, "optimizers": [], "rows": [{"step": 1.0}]}
        checkpoints.save(1, lambda folder: torch.save(whole, folder / checkpoint.FILE))
        with pytest.raises(StoreError, match="does not fit the training: KeyError"):
            checkpoint.resume(checkpoints, learner, [])


@pytest.mark.parametrize("kind", ["empty", "a number", "too few rows", "another shape"])
def test_a_state_that_training_did_not_write_is_told(tmp_path: Path, kind: str) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    section = Train(base="base")
    with Run.open(loads("name: a").at(tmp_path)) as run:
        learner = open_learner(section, base, run)
        rows = [{"step": 1.0}]
        shaped = {name: torch.ones(3, 5, 7) for name in learner.state()}
        whole = {
            "empty": {},
            "a number": 3,
            "too few rows": {"weights": learner.state(), "optimizers": [], "rows": []},
            "another shape": {"weights": shaped, "optimizers": [], "rows": rows},
        }[kind]
        checkpoints = run.store.checkpoints("key")
        checkpoints.save(1, lambda folder: torch.save(whole, folder / checkpoint.FILE))
        with pytest.raises(StoreError, match="does not fit the training"):
            checkpoint.resume(checkpoints, learner, [])
        if kind != "too few rows":
            with pytest.raises(StoreError, match="does not fit the training"):
                checkpoint.restore_weights(checkpoints, 1, learner)


def test_a_checkpoint_under_the_name_of_another_step_is_passed_over(tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path / "base")
    section = Train(base="base")
    with Run.open(loads("name: a").at(tmp_path)) as run:
        learner = open_learner(section, base, run)
        checkpoints = run.store.checkpoints("key")
        for step in (1, 2):
            rows = [{"step": float(one)} for one in range(1, step + 1)]
            checkpoint.saving(checkpoints, State(step=step, rows=rows), learner, [])()
        newest = checkpoints.folder / "step-000000002"
        newest.rename(checkpoints.folder / "step-999999999")
        (checkpoints.folder / "step-00000000²").mkdir()
        assert checkpoint.resume(checkpoints, learner, []).step == 1


def test_best_weights_stay_as_long_as_a_kept_state_goes_by_them(tmp_path: Path) -> None:
    with Run.open(loads("name: a").at(tmp_path)) as run:
        states, best = run.store.checkpoints("key"), run.store.checkpoints("key", part="best")
        saves = Saves(states=states, best=replace(best, kept=None))
        rows: list[dict[str, float]] = []
        there = []
        for step, loss in enumerate((5.0, 3.0, 4.0, 2.0, 1.0, 0.5), start=1):
            rows.append({"step": float(step), "validation_loss": loss})
            state = State(step=step, rows=rows)
            if loss != 4.0:
                write = partial(saves.best.save, step, lambda folder: None)
                saves.then_drop(write, state, Criterion())()
            if step in (3, 6):
                write = partial(states.save, step, lambda folder: None)
                saves.then_drop(write, state, Criterion())()
            there.append(saves.best.steps())
        # the state of step 3 goes by 2, which stays while later ones give way to each other
        assert there == [[1], [2], [2], [4, 2], [5, 2], [6, 2]]
