"""What a plan's probe does: which steps it takes, what it holds, how few tasks it asks."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import torch

from tests.journey.project import build
from tests.train.test_stopping import training
from tutelage.core.recipe import load
from tutelage.curate.run import run as curate
from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task
from tutelage.store.run import Run
from tutelage.train import device, judging, plan, weights
from tutelage.train.loop import Loop
from tutelage.train.plan import PROBE_STEPS, measure, probed
from tutelage.train.run import run as train

STOPPING = "train.early_stopping={metric: tickets.parse, patience: 9, tasks: 4}"
CAPACITY = device.SHAPES_KEPT[0]


@dataclass(slots=True)
class Clock:
    """The time, which can be put forward."""

    ahead: float = 0.0

    def perf_counter(self) -> float:
        return perf_counter() + self.ahead


@dataclass(slots=True, kw_only=True)
class Dear:
    """A scorer whose every score costs so many seconds."""

    measure: Measure
    clock: Clock
    seconds: float
    name: str = "dear"
    headline: str = "dear"
    asked: list[str] = field(default_factory=list)

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (self.measure,)

    def problem(self, task: Task) -> str:
        return ""

    def score(self, task: Task, answer: str) -> Scores:
        self.asked.append(task.id)
        self.clock.ahead += self.seconds
        return {self.measure.metric: 1.0}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("probe"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The probe's clock."""
    found = Clock()
    monkeypatch.setattr(plan, "time", found)
    return found


@pytest.fixture
def loop(project: Path) -> Iterator[Loop]:
    """A training of more steps than a probe takes."""
    with training(project, "train.epochs=20") as one:
        assert len(one.loop.lessons.steps) >= 2 * plan.PROBE_MORE
        yield one.loop


def noted(loop: Loop, clock: Clock, *seconds: float) -> list[tuple[int, ...]]:
    """The steps the loop takes from now on; each costs so many seconds, the last cost stays."""
    taken: list[tuple[int, ...]] = []
    step = loop.step

    def acted(number: int, *more: Any) -> dict[str, float]:
        taken.append(loop.lessons.steps[number])
        clock.ahead += seconds[min(number, len(seconds) - 1)]
        return step(number, *more)

    loop.step = acted  # type: ignore[method-assign]
    return taken


def test_a_probe_takes_the_heaviest_step_and_then_steps_from_all_over(
    loop: Loop, clock: Clock
) -> None:
    lessons, taken = loop.lessons, noted(loop, clock, 100.0, 1.0)
    probe = probed(loop)
    sizes = [int(lessons.rows.sizes[list(step)].sum()) for step in lessons.steps]
    heavy, rest = taken[: PROBE_STEPS + 1], taken[PROBE_STEPS + 1 :]
    assert heavy == [lessons.steps[sizes.index(max(sizes))]] * (PROBE_STEPS + 1)
    apart = len(sizes) // plan.PROBE_MORE
    assert rest == [lessons.steps[at * apart] for at in range(plan.PROBE_MORE)]
    assert loop.lessons is lessons
    assert probe.warm > 100  # which compiles, and leaves the others their time
    assert 1 < probe.steady < 100
    tokens = sum(int(lessons.rows.sizes[list(step)].sum()) for step in taken[1:])
    assert probe.token * tokens == pytest.approx(len(taken) - 1, rel=0.9)


def test_a_probe_whose_time_is_up_begins_no_other_step(loop: Loop, clock: Clock) -> None:
    taken = noted(loop, clock, 1.0, plan.PROBE_SECONDS)
    probed(loop)
    assert len(taken) == PROBE_STEPS + 1


def test_a_checkpoints_copy_is_held_while_steps_are_measured_and_dropped_after(
    loop: Loop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Copy:
        """A copy of something."""

    held: list[weakref.ref[Copy]] = []
    alive: list[int] = []

    def copied(_: object) -> Copy:
        copy = Copy()
        held.append(weakref.ref(copy))
        return copy

    monkeypatch.setattr(plan, "copied", copied)
    step = loop.step

    def acted(number: int, *more: Any) -> dict[str, float]:
        alive.append(sum(one() is not None for one in held))
        return step(number, *more)

    loop.step = acted  # type: ignore[method-assign]
    probed(loop)
    parts = 1 + len(loop.optimizers)
    assert alive[: PROBE_STEPS + 1] == [0] * PROBE_STEPS + [parts]
    assert set(alive[PROBE_STEPS:]) == {parts}
    assert all(one() is None for one in held)


def test_a_probe_asks_a_few_tasks_once_whatever_steps_validate(
    project: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "PROBE_TASKS", 2)
    with training(project, STOPPING, "train.validate_every_steps=1") as one:
        trial = one.loop.judging.trial
        assert trial is not None
        assert len(trial.tasks) == 4
        dear = Dear(measure=trial.measure, clock=clock, seconds=1000.0)
        trial = replace(trial, scorers=(dear,))
        one.loop.judging = replace(one.loop.judging, trial=trial)
        probe = probed(one.loop)
        assert one.loop.judging.trial is trial
    assert dear.asked == [task.id for task in trial.tasks[:2]]
    assert probe.validation == pytest.approx(4000.0, abs=300.0)
    assert probe.steady < 1000.0


def test_tasks_are_in_the_plans_seconds_once_for_each_validation(
    project: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load(project / "recipe.yaml", (STOPPING, "train.epochs=3"))
    assert recipe.curate is not None
    assert recipe.train is not None
    opened = judging.open_trial
    made = []
    for seconds in (0.0, 1000.0):

        def dear(*given: Any, seconds: float = seconds) -> Any:
            trial = opened(*given)
            scorer = Dear(measure=trial.measure, clock=clock, seconds=seconds)
            return replace(trial, scorers=(scorer,))

        monkeypatch.setattr(judging, "open_trial", dear)
        with Run.open(recipe) as run:
            made.append(measure(recipe.train, curate(recipe.curate, {}, run), run))
    free, paid = made
    assert paid.seconds - free.seconds == pytest.approx(3 * 4 * 1000.0, abs=600.0)
    assert paid.step_seconds < 1000.0


@pytest.mark.parametrize("command", ["plan", "train"])
def test_threads_and_the_kernels_bound_are_set_before_the_base_is_opened(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    opened = weights.open_backbone

    def noting(*given: Any, **named: Any) -> Any:
        seen.append((os.environ.get(CAPACITY), torch.get_num_threads()))
        return opened(*given, **named)

    monkeypatch.setattr(weights, "open_backbone", noting)
    monkeypatch.setenv(CAPACITY, "")
    monkeypatch.delenv(CAPACITY)
    recipe = load(project / "recipe.yaml", ("train.threads=3", "train.epochs=1", f"name={command}"))
    assert recipe.curate is not None
    assert recipe.train is not None
    before = torch.get_num_threads()
    with Run.open(recipe) as run:
        dataset = curate(recipe.curate, {}, run)
        if command == "plan":
            measure(recipe.train, dataset, run)
        else:
            train(recipe.train, {"dataset": dataset}, run)
    assert seen == [(device.SHAPES_KEPT[1], 3)]
    assert torch.get_num_threads() == before
