"""Killed at any moment, in a step or while a checkpoint is written, training comes to the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.journey.project import build
from tutelage.core.recipe import load
from tutelage.pipeline import train

ROOT = Path(__file__).parents[2]
OFTEN = "train.checkpoint_every_seconds=0.000001"
BEST = "train.keep=best"
ALWAYS = "train.validate_every_steps=1"

# a child that kills itself at the nth step, or half way into writing its nth checkpoint
CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from tutelage.core.progress import Silent
from tutelage.core.recipe import load
from tutelage.pipeline import run
from tutelage.store import checkpoint

moment, times = sys.argv[1], int(sys.argv[2])

class Counter(Silent):
    heard = 0
    def hit(self):
        self.heard += 1
        if self.heard == times:
            os.kill(os.getpid(), signal.SIGKILL)
    def tick(self, tick):
        if tick.stage == "train" and moment == "step":
            self.hit()

counter, save, publish = Counter(), torch.save, checkpoint.publish

def half(whole, path):
    save(whole, path)
    os.truncate(path, path.stat().st_size // 2)
    counter.hit()
    save(whole, path)

def late(draft, target):
    counter.hit()
    publish(draft, target)

if moment == "write":
    torch.save = half
if moment == "publish":
    checkpoint.publish = late
run(load(Path("recipe.yaml"), sys.argv[3:]), until="train", progress=counter)
"""


def killed(folder: Path, moment: str, times: int) -> int:
    """Runs the training in a child that kills itself; how the child ended."""
    command = [sys.executable, "-c", CHILD, moment, str(times), OFTEN, BEST, ALWAYS]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=120)
    return done.returncode


def newest(folder: Path) -> int:
    """Step of the newest checkpoint."""
    saved = (folder / ".tutelage" / "checkpoints").glob("*/step-*")
    return max(int(path.name.removeprefix("step-")) for path in saved)


def test_a_training_killed_at_many_moments_equals_an_unbroken_one(tmp_path: Path) -> None:
    overrides = (OFTEN, BEST, ALWAYS)
    unbroken = train(load(build(tmp_path / "unbroken") / "recipe.yaml", overrides))
    folder = build(tmp_path / "killed")
    steps = [0]
    for moment, times in (("step", 3), ("write", 4), ("publish", 2), ("step", 2)):
        assert killed(folder, moment, times) == -signal.SIGKILL
        steps.append(newest(folder))
    assert steps == sorted(steps)
    assert 0 < steps[1] < steps[-1] < unbroken.counts["steps"]
    again = train(load(folder / "recipe.yaml", overrides))
    assert again.manifest.files == unbroken.manifest.files
    assert [*(folder / ".tutelage" / "temp").glob("*")] == []
    assert [*(folder / ".tutelage" / "checkpoints").glob("*")] == []
