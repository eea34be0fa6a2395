"""Killed half way, the same command goes on and comes to what an unbroken run comes to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.journey.project import Spoken, build, speak
from tutelage.core.progress import Silent, Tick
from tutelage.pipeline import run

# a child that kills itself at the nth word of a stage: no waiting, no chance
CHILD = """
import os, signal, sys
from pathlib import Path
from tutelage.core.progress import Silent
from tutelage.pipeline import run

stage, words = sys.argv[1], int(sys.argv[2])

class Killer(Silent):
    heard = 0
    def tick(self, tick):
        if tick.stage == stage:
            self.heard += 1
            if self.heard == words:
                os.kill(os.getpid(), signal.SIGKILL)

run(Path("recipe.yaml"), progress=Killer())
"""
ROOT = Path(__file__).parents[2]
OFTEN = "checkpoint_every_seconds: 0.000001"


class Hearer(Silent):
    """Keeps the steps of training it hears of; raises what Ctrl-C raises at one of them."""

    def __init__(self, interrupt_at: float | None = None) -> None:
        self.interrupt_at = interrupt_at
        self.steps: list[float] = []

    def tick(self, tick: Tick) -> None:
        """A stage went forward."""
        if tick.stage == "train":
            self.steps.append(tick.done)
            if tick.done == self.interrupt_at:
                raise KeyboardInterrupt


def with_checkpoints(folder: Path) -> Path:
    """The micro project, saving a checkpoint after each step."""
    recipe = build(folder) / "recipe.yaml"
    text = recipe.read_text()
    recipe.write_text(text.replace("  epochs: 2\n", f"  epochs: 2\n  {OFTEN}\n"))
    return folder


def results(said: Spoken, folder: Path) -> list[str]:
    """What a run came to: the digests of dataset and adapter, every metric and each rule.

    A report notes how long each answer took, so its own digest is another every time.
    """
    assert said.code == 0, said.err
    form = json.loads(said.out)
    names = {one["kind"]: one["name"] for one in form["artifacts"]}
    metrics = folder / ".tutelage" / "store" / names["report"] / "metrics.jsonl"
    rules = json.dumps(form["data"]["verdict"]["rules"])
    return [names["dataset"], names["adapter"], metrics.read_text(), rules]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a run that nobody kills comes to."""
    folder = with_checkpoints(tmp_path_factory.mktemp("unbroken"))
    return results(speak(folder, "run", "--json"), folder)


def killed(folder: Path, stage: str, words: int) -> int:
    """Runs the project in a child that kills itself; how the child ended."""
    command = [sys.executable, "-c", CHILD, stage, str(words)]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=120)
    return done.returncode


@pytest.mark.parametrize(("stage", "words"), [("curate", 3), ("evaluate", 2)])
def test_a_killed_run_goes_on_and_equals_an_unbroken_one(
    stage: str, words: int, tmp_path: Path, unbroken: list[str]
) -> None:
    folder = with_checkpoints(tmp_path)
    assert killed(folder, stage, words) == -signal.SIGKILL
    assert results(speak(folder, "run", "--json"), folder) == unbroken
    assert [*(folder / ".tutelage" / "temp").glob("*")] == []


def test_killed_training_goes_on_from_its_checkpoint_to_the_same_weights(
    tmp_path: Path, unbroken: list[str]
) -> None:
    folder = with_checkpoints(tmp_path)
    assert killed(folder, "train", 5) == -signal.SIGKILL
    assert [*(folder / ".tutelage" / "checkpoints").glob("*/step-*")]
    heard = Hearer()
    run(folder / "recipe.yaml", progress=heard)
    assert heard.steps[0] > 1
    assert results(speak(folder, "run", "--json"), folder) == unbroken


def test_ctrl_c_leaves_nothing_half_written(tmp_path: Path, unbroken: list[str]) -> None:
    folder = with_checkpoints(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(folder / "recipe.yaml", progress=Hearer(interrupt_at=3))
    assert [*(folder / ".tutelage" / "temp").glob("*")] == []
    assert results(speak(folder, "run", "--json"), folder) == unbroken
