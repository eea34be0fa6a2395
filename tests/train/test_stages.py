"""Stages in training: their rows apart and in order, counted exactly, resumable inside one."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.journey.project import build
from tests.micro import tickets, write_rows
from tests.train.test_stopping import Hearer, equal, training
from tutelage.core.errors import Interrupted
from tutelage.core.recipe import load
from tutelage.pipeline import train
from tutelage.train.batch import plan_steps

STAGES = (
    "curate.stages=[{name: general, mix: {general: 1}, rows: 12},"
    " {name: domain, mix: {train: 4, general: 1}, rows: 20},"
    " {name: format, mix: {format: 4, general: 1}, rows: 10}]"
)
SOURCES = "".join(
    f", {{path: data/{name}.jsonl, origin: human, licence: CC0-1.0}}"
    for name in ("general", "format")
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project with two files more, each of other requests."""
    folder = build(tmp_path_factory.mktemp("stages"))
    write_rows(folder / "data" / "general.jsonl", tickets(40, first=2000))
    write_rows(folder / "data" / "format.jsonl", tickets(40, first=3000))
    recipe = folder / "recipe.yaml"
    text = recipe.read_text(encoding="utf-8").replace("CC0-1.0}]", "CC0-1.0}" + SOURCES + "]", 1)
    recipe.write_text(text, encoding="utf-8")
    return folder


def test_each_stage_teaches_exactly_its_shares(project: Path) -> None:
    made = train(load(project / "recipe.yaml", [STAGES, "train.epochs=1"]))
    counts = {name: n for name, n in made.counts.items() if name.startswith("stage.")}
    assert counts == {
        "stage.general.data/general.jsonl": 12,
        "stage.domain.data/train.jsonl": 16,
        "stage.domain.data/general.jsonl": 4,
        "stage.format.data/format.jsonl": 8,
        "stage.format.data/general.jsonl": 2,
    }


def test_a_stage_has_all_its_epochs_before_the_next_begins(project: Path) -> None:
    with training(project, STAGES, "train.step_tokens=256") as one:
        plan = one.loop.lessons
        lessons = plan.rows.lessons
        of_row = [
            Counter(int(lessons.records[lesson]["row"]) for lesson in set(row.lesson.tolist()))
            for row in plan.rows
        ]
        first = [min(of_row[row]) for step in plan.steps for row in step]
    bounds = [0, 12, 32, 42]  # rows stand in the order of their stages
    stages = [int(np.searchsorted(bounds, row, side="right")) for row in first]
    assert stages == sorted(stages)
    assert set(stages) == {1, 2, 3}
    assert all(
        len({int(np.searchsorted(bounds, row, side="right")) for row in rows}) == 1
        for rows in of_row
    )


def test_a_training_stopped_inside_a_stage_goes_on_to_the_same_weights(project: Path) -> None:
    words = (STAGES, "train.step_tokens=256")
    with training(project, *words) as one:
        steps = len(one.loop.lessons.steps)
        one.run()
        whole = {name: value.clone() for name, value in one.loop.learner.state().items()}
    middle = steps // 2
    asked = Hearer(signal.SIGTERM, middle)
    with (
        training(project, *words, "train.sinks=[]", heard=asked) as one,
        pytest.raises(Interrupted),
    ):
        one.run()
    with training(project, *words, "train.sinks=[]") as one:
        state = one.run()
        assert state.step == steps
        assert equal(one.loop.learner.state(), whole)


def test_without_stages_steps_are_those_of_the_epochs() -> None:
    def generator(name: str) -> np.random.Generator:
        return np.random.default_rng(abs(hash(name)) % 1000)

    plain = plan_steps([10] * 12, 30, 2, generator)
    assert plan_steps([10] * 12, 30, 2, generator, [0] * 12) == plain
    apart = plan_steps([10] * 12, 30, 2, generator, [0] * 6 + [1] * 6)
    assert [max(step) < 6 for step in apart] == [True] * 4 + [False] * 4
    assert Counter(row for step in apart for row in step) == dict.fromkeys(range(12), 2)
