"""Whether a curation that is killed again and again comes to the dataset of one that is not.

    python benchmarks/curate_kill.py [--rows 1000000] [--kills 10] [--seed 1] [--known]

The rows are those of `curate_plant.py` as JSON Lines, with their items as a suite. They are curated
once unbroken; then again, the process ended with SIGKILL at moments drawn by chance over the time
the unbroken one took, and the same command given after each. A life that comes to its end before
its moment is held to the unbroken digest, too, and its store thrown away. One JSON line to
`benchmarks/results/curate_kill.jsonl`: whether every dataset has the unbroken one's digest, after
which finished parts the kills fell, and what the last life, which is let end, took beside the
unbroken one. It ends with an error where a digest differs. With `--known` the unbroken one is that
of `curate_million.jsonl`, of as many rows, the same seed and the same commit, and is not run again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curate_plant import plant
from methods import RESULTS, at_least, commit, hardware

RECIPE = """\
name: rows
seed: 1
curate:
  sources: [{path: rows.jsonl, origin: human, licence: CC-BY-SA-3.0}]
  screen: {actions: {pii: redact, secrets: drop}}
evaluate: {suites: [{name: items, path: items.jsonl, scorers: [rouge]}]}
"""
TALK = "stderr.txt"
PARTS = ("screen", "sketches", "near", "leaks", "requests", "held_out")


@dataclass(slots=True)
class Kills:
    """When they fell, and which parts stood then."""

    seconds: list[float] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)  # such as `screen 3, near 1`
    digests: list[str] = field(default_factory=list)  # of lives that came to their end


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--known", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        line = measure(given, Path(folder))
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(line) + "\n"
    (RESULTS / "curate_kill.jsonl").write_text(text, encoding="utf-8")
    print(text, file=sys.stderr)
    if not line["equal"]:
        raise SystemExit("a killed curation came to another dataset")


def measure(given: Any, folder: Path) -> dict[str, Any]:
    """The unbroken curation beside the killed one."""
    write(given.rows, given.seed, folder)
    if given.known:
        unbroken, whole = known(given)
    else:
        began = time.monotonic()
        unbroken = ended(start(folder), folder)
        whole = time.monotonic() - began
        shutil.rmtree(folder / ".tutelage")
    draw, kills = random.Random(given.seed), Kills()
    while len(kills.seconds) < given.kills:
        moment = draw.uniform(0, whole)
        if kill(start(folder), folder, moment, kills):
            print(
                f"kill {len(kills.seconds)} at {moment:.1f} s: {kills.parts[-1]}", file=sys.stderr
            )
    stood, began = parts(folder), time.monotonic()
    kills.digests.append(ended(start(folder), folder))
    equal = set(kills.digests) == {unbroken}
    return {
        "benchmark": "curate_kill",
        "rows": given.rows,
        "metric": "equal_to_unbroken",
        "value": float(equal),
        "unit": "share",
        "n": given.kills,
        "low": at_least(given.kills) if equal else None,
        "method": "exact binomial, one-sided 95 %, of the kills that change nothing",
        "equal": equal,
        "digest": unbroken,
        "lives_that_ended": len(kills.digests),
        "unbroken_seconds": round(whole, 1),
        "last_life_seconds": round(time.monotonic() - began, 1),
        "last_life_began_with": stood,
        "killed_at_seconds": [round(one, 1) for one in kills.seconds],
        "killed_with_parts": kills.parts,
        "commit": commit(),
        "hardware": hardware(),
    }


def known(given: Any) -> tuple[str, float]:
    """Digest and seconds of the same rows, curated unbroken by `curate_million.py`."""
    line = json.loads((RESULTS / "curate_million.jsonl").read_text(encoding="utf-8"))
    if (line["rows"], line["seed"], line["commit"]) != (given.rows, given.seed, commit()):
        raise SystemExit("curate_million.jsonl is of other rows, another seed or another commit")
    return str(line["digest"]), float(line["value"])


def write(rows: int, seed: int, folder: Path) -> None:
    """The files of a project."""
    made = plant(rows, seed)
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for one in made.rows:
            said = [message.to_dict() for message in one.messages]
            file.write(json.dumps({"messages": said}) + "\n")
    with (folder / "items.jsonl").open("w", encoding="utf-8") as file:
        for one in made.items:
            said = [{"role": "user", "content": one.messages[0].content}]
            said += [{"role": "assistant", "content": "An answer."}]
            file.write(json.dumps({"messages": said}) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")


def start(folder: Path) -> subprocess.Popen[str]:
    """The curation in a process of its own."""
    command = [sys.executable, "-m", "tutelage", "curate", str(folder / "recipe.yaml"), "--json"]
    with (folder / TALK).open("w", encoding="utf-8") as talk:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=talk, text=True)


def ended(process: subprocess.Popen[str], folder: Path) -> str:
    """The digest of the dataset it came to."""
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit((folder / TALK).read_text(encoding="utf-8"))
    made = json.loads(out)["artifacts"]
    return str(next(one["digest"] for one in made if one["kind"] == "dataset"))


def kill(process: subprocess.Popen[str], folder: Path, moment: float, kills: Kills) -> bool:
    """Ends the process after so many seconds; False if it ended first."""
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < moment:
        time.sleep(0.02)
    if process.poll() is not None:
        kills.digests.append(ended(process, folder))
        shutil.rmtree(folder / ".tutelage")
        return False
    process.send_signal(signal.SIGKILL)
    process.communicate()
    kills.seconds.append(moment)
    kills.parts.append(parts(folder))
    return True


def parts(folder: Path) -> str:
    """How many finished parts of each kind there are."""
    root = folder / ".tutelage" / "checkpoints"
    counts = {name: len(list(root.glob(f"*/{name}/step-*"))) for name in PARTS}
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"


if __name__ == "__main__":
    main()
