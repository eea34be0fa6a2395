"""Whether training repeats: twice with one seed, and once killed half way and started again.

    python benchmarks/repeat.py [EXAMPLE ...]

Trains an example's recipe on part of its rows, three times in folders of their own; the third
is ended with SIGKILL after its first checkpoint past half of the steps, and the same command is
given again. One JSON line an example goes to `benchmarks/results/repeat.jsonl`: of the trainings
after the first, how many came to its adapter; where all did, `low` is the lower end of a one-sided
95 % interval of that share.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from methods import RESULTS, ROOT, at_least, commit, hardware

ROWS = 8000  # enough for the first example to be compiled, too few for the second
TALK = "stderr.txt"  # a pipe that nobody reads fills, and the training would wait
OVERRIDES = (
    f"curate.rows={ROWS}",
    "train.epochs=1",
    "train.step_tokens=4096",
    "train.checkpoint_every_seconds=2",
)


def main() -> None:
    lines = []
    for example in sys.argv[1:] or ["intents", "support"]:
        with tempfile.TemporaryDirectory() as folder:
            lines.append(measure(example, Path(folder)))
        print(json.dumps(lines[-1]), file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (RESULTS / "repeat.jsonl").write_text(text, encoding="utf-8")


def measure(example: str, folder: Path) -> dict[str, object]:
    """The adapters' digests of an unbroken run, a second one and a killed one."""
    projects = {name: folder / name for name in ("first", "second", "killed")}
    for project in projects.values():
        shutil.copytree(
            ROOT / "examples" / example, project, ignore=shutil.ignore_patterns(".tutelage")
        )
    first = finished(start(projects["first"]), projects["first"])
    steps = json.loads(first["manifest"].read_text(encoding="utf-8"))["counts"]["steps"]
    second = finished(start(projects["second"]), projects["second"])
    killed_at = kill_after(start(projects["killed"]), projects["killed"], steps // 2)
    third = finished(start(projects["killed"]), projects["killed"])
    digests = [first["digest"], second["digest"], third["digest"]]
    n, same = len(digests) - 1, digests[1:].count(digests[0])
    return {
        "benchmark": f"repeat/{example}",
        "adapters": digests,
        "equal": same == n,
        "value": same,
        "unit": "trainings",
        "n": n,
        "low": at_least(n) if same == n else None,
        "method": "exact binomial, one-sided 95 %, of the share equal",
        "steps": steps,
        "killed_after_step": killed_at,
        "commit": commit(),
        "hardware": hardware(),
    }


def start(project: Path) -> subprocess.Popen[str]:
    """The training of a project, in a process of its own; what it says goes to a file."""
    words = [word for change in OVERRIDES for word in ("--set", change)]
    command = [sys.executable, "-m", "tutelage", "train", str(project / "recipe.yaml"), "--json"]
    with (project / TALK).open("w", encoding="utf-8") as talk:
        return subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=talk, text=True)


def finished(process: subprocess.Popen[str], project: Path) -> dict[str, Any]:
    """The adapter a training came to."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit((project / TALK).read_text(encoding="utf-8"))
    adapter = next(one for one in json.loads(out)["artifacts"] if one["kind"] == "adapter")
    return {"digest": adapter["digest"], "manifest": Path(adapter["folder"]) / "manifest.json"}


def kill_after(process: subprocess.Popen[str], project: Path, step: int) -> int:
    """Ends the process once a checkpoint of this step or later is whole; which one it was."""
    while process.poll() is None:
        saved = (project / ".tutelage" / "checkpoints").glob("*/step-*")
        newest = max((int(path.name.removeprefix("step-")) for path in saved), default=0)
        if newest >= step:
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            return newest
        time.sleep(0.2)
    raise SystemExit("the training ended before it could be killed")


if __name__ == "__main__":
    main()
