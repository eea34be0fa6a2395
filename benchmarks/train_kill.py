"""Whether a training that is killed again and again comes to the weights of one that is not.

    python benchmarks/train_kill.py [EXAMPLE] [--kills N] [--rows N] [--seed N] [--nproc N]

Trains an example's recipe on part of its rows once unbroken; then again, its process ended with
SIGKILL at N moments drawn by chance, while a checkpoint is written after every step, and the same
command given after each. A tenth of the moments fall into the start, four tenths into a step and
the rest into the writing of a checkpoint. Of several processes one is drawn by chance: the one
that watches, or a rank; the others must end by themselves within a minute. When all kills are
done the training is let end. One JSON line is appended to `benchmarks/results/train_kill.jsonl`:
whether adapter and metrics have the digests of the unbroken ones. It ends with an error where
they have not.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from methods import RESULTS, ROOT, at_least, commit, hardware

TALK = "stderr.txt"
AT_START, AFTER = 0.1, 0.4  # shares of the kills; the rest fall into the writing of a checkpoint
ENDED = 60  # seconds the others have to end
PAST_START, WRITING = 1.5, 0.1  # seconds a life may last beyond its moment, at most


@dataclass(slots=True)
class Kills:
    """Where the kills fell."""

    steps: list[int] = field(default_factory=list)  # newest whole checkpoint
    writing: int = 0  # while a checkpoint was being written
    whom: list[str] = field(default_factory=list)  # the process that was killed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("example", nargs="?", default="intents")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--nproc", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        line = measure(given, Path(folder))
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "train_kill.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), file=sys.stderr)
    if not line["equal"]:
        raise SystemExit("a killed training came to other weights")


def measure(given: Any, folder: Path) -> dict[str, Any]:
    """The unbroken training beside the killed one."""
    unbroken, broken = (project(given.example, folder / name) for name in ("unbroken", "broken"))
    first = ended(start(unbroken, given), unbroken)
    draw, kills = random.Random(given.seed), Kills()
    while len(kills.steps) < given.kills:
        process = start(broken, given)
        if not kill(process, broken, draw, kills):
            break  # it came to its end between two kills
        print(f"kill {len(kills.steps)} after step {kills.steps[-1]}", file=sys.stderr)
    last = ended(start(broken, given), broken)
    n = len(kills.steps)
    equal = first["digest"] == last["digest"]
    return {
        "benchmark": f"train_kill/{given.example}",
        "processes": given.nproc,
        "metric": "equal_to_unbroken",
        "value": float(equal),
        "unit": "share",
        "n": n,
        "low": at_least(n) if equal else None,
        "method": "exact binomial, one-sided 95 %, of the kills that change nothing",
        "equal": equal,
        "adapters": [first["digest"], last["digest"]],
        "killed_after_steps": kills.steps,
        "killed_while_writing": kills.writing,
        "killed": {whom: kills.whom.count(whom) for whom in sorted(set(kills.whom))},
        "commit": commit(),
        "hardware": hardware(),
    }


def project(example: str, folder: Path) -> Path:
    """A copy of an example, without its store."""
    source = ROOT / "examples" / example
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".tutelage"))
    return folder


def start(folder: Path, given: Any) -> subprocess.Popen[str]:
    """The training in a process of its own; it saves as often as it can."""
    changes = (
        f"curate.rows={given.rows}",
        "train.epochs=2",
        "train.compile=never",
        "train.step_tokens=4096",
        "train.keep=best",
        "train.validate_every_steps=10",
        "train.checkpoint_every_seconds=0.05",
    )
    words = [word for change in changes for word in ("--set", change)]
    words += ["--nproc", str(given.nproc)] if given.nproc > 1 else []
    command = [sys.executable, "-m", "tutelage", "train", str(folder / "recipe.yaml"), "--json"]
    with (folder / TALK).open("w", encoding="utf-8") as talk:
        return subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=talk, text=True)


def ended(process: subprocess.Popen[str], folder: Path) -> dict[str, Any]:
    """The adapter a training came to."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit((folder / TALK).read_text(encoding="utf-8"))
    return next(one for one in json.loads(out)["artifacts"] if one["kind"] == "adapter")


def kill(process: subprocess.Popen[str], folder: Path, draw: random.Random, kills: Kills) -> bool:
    """Ends the process at its start, some time after its next checkpoint, or while it writes the
    one after; False if it ended first.
    """
    before, moment = newest(folder), draw.random()
    if moment > AT_START:
        while process.poll() is None and newest(folder) <= before:
            time.sleep(0.02)
    if moment > AT_START + AFTER:
        while process.poll() is None and not writes([process.pid, *ranks(process)], folder):
            time.sleep(0.005)
        time.sleep(draw.uniform(0, WRITING))
    else:
        time.sleep(draw.uniform(0, PAST_START))
    if process.poll() is not None:
        ended(process, folder)
        return False
    everyone = [process.pid, *ranks(process)]
    number = draw.randrange(len(everyone))
    os.kill(everyone[number], signal.SIGKILL)
    process.communicate()
    gone(everyone)
    kills.steps.append(newest(folder))
    kills.writing += writes(everyone, folder)
    kills.whom.append(f"rank {number - 1}" if number else "command")
    return True


def ranks(process: subprocess.Popen[str]) -> list[int]:
    """The processes it started that are of the training, rank 0 first."""
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found if b"tutelage" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def gone(pids: Sequence[int]) -> None:
    """Waits until none of them runs."""
    late = time.monotonic() + ENDED
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        if time.monotonic() > late:
            raise SystemExit(f"a process of the training outlived it by {ENDED} seconds")
        time.sleep(0.05)


def writes(pids: Sequence[int], folder: Path) -> bool:
    """Whether a checkpoint is half way to the disk."""
    temp = folder / ".tutelage" / "temp"
    return any(path for pid in pids for path in temp.glob(f"{pid}-*/state.pt"))


def newest(folder: Path) -> int:
    """Step of the newest whole checkpoint, 0 before the first."""
    saved = (folder / ".tutelage" / "checkpoints").glob("*/step-*")
    return max((int(path.name.removeprefix("step-")) for path in saved), default=0)


if __name__ == "__main__":
    main()
