"""Near-duplicates beside others' code on the same rows: rows a second of one core.

    python benchmarks/curate_speed.py --rival NAME=PYTHON [--rival NAME=PYTHON ...]

NAME is one of those of `curate_rival.py`. The rows are those of `curate_plant.py`, a prompt and an
answer as one text, and all make 240 hashes of each in 40 bands of six; ours are put in comparable
words, freed of fixed text, sketched and every pair verified, theirs are signed and put into
buckets. The systems take turns, and the processor's own seconds count, so that other work on the
machine weighs on all alike; how busy it was is told by its load at the end of each round. One JSON
line a system to `benchmarks/results/curate_speed.jsonl`, with the slowest and the fastest round.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from curate_plant import plant
from methods import RESULTS, commit, hardware

from tutelage.screen.near import comparables, near_pairs, side

ROUNDS = 3
ROWS = 10_000  # the same for all


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", action="append", default=[], metavar="NAME=PYTHON")
    rivals = dict(one.split("=", 1) for one in parser.parse_args().rival)
    texts = ["\n".join(said.content for said in one.messages) for one in plant(ROWS, 1).rows]
    speeds: dict[str, list[float]] = {name: [] for name in ("ours", *rivals)}
    versions, loads = {"ours": ""}, []
    for _ in range(ROUNDS):
        speeds["ours"].append(len(texts) / ours(texts))
        for name, python in rivals.items():
            told = theirs(name, python, texts)
            speeds[name].append(len(texts) / float(str(told["seconds"])))
            versions[name] = str(told["version"])
        loads.append(os.getloadavg()[0])
    lines = []
    for name, found in speeds.items():
        low, value, high = sorted(found)
        about = {"n": ROUNDS, "low": low, "high": high, "method": "middle of the rounds"}
        form = {"benchmark": f"curate-speed/{name}", "value": value, "unit": "rows a second"}
        form |= {"rows": len(texts)}
        ratio = {} if name == "ours" else {"ours is so many times as fast": ratio_of(speeds, name)}
        told = {"version": versions[name]} if versions[name] else {}
        end = {**told, "load": max(loads), "commit": commit()}
        end["hardware"] = f"{hardware()}, one core used"
        lines.append(json.dumps({**form, **about, **ratio, **end}) + "\n")
        print(lines[-1], end="")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "curate_speed.jsonl").write_text("".join(lines), encoding="utf-8")


def ratio_of(speeds: dict[str, list[float]], name: str) -> float:
    """The middle of the rounds' ratios: both sides of one were measured one after the other."""
    pairs = zip(speeds["ours"], speeds[name], strict=True)
    return sorted(mine / other for mine, other in pairs)[ROUNDS // 2]


def ours(texts: Sequence[str]) -> float:
    """The processor's seconds."""
    began = time.process_time()
    near_pairs([side(comparables(texts))], 0.7)
    return time.process_time() - began


def theirs(name: str, python: str, texts: Sequence[str]) -> dict[str, object]:
    """The processor's seconds and the version, as the rival's process tells them."""
    script = Path(__file__).parent / "curate_rival.py"
    done = subprocess.run(
        [python, str(script), name], input=json.dumps(texts), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr}")
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


if __name__ == "__main__":
    main()
