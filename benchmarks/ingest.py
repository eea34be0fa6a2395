"""Strict reading beside readers that are not: rows a second of one core, on the same file.

    python benchmarks/ingest.py [--rows N] [--polars PYTHON]

The rows are two messages of some sixty words. `strict` is every line parsed and checked (keys once,
no NaN, UTF-8), `rows` an Example with its id, source and provenance checked; `json.loads` and
`msgspec` only parse, Arrow's reader stops and Polars' drops a field where types or fields change
in late rows.
Systems take turns, and the processor's own seconds count. One JSON line a system to
`benchmarks/results/ingest.jsonl`, with the slowest and the fastest round.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow.json
from methods import RESULTS, commit, hardware

from tutelage.core.recipe import Recipe, SourceFile
from tutelage.store.ingest import Rows
from tutelage.store.ingest.records import records

ROUNDS = 5
POLARS = """
import sys, time, polars
began = time.process_time()
polars.read_ndjson(sys.argv[1])
print(time.process_time() - began)
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--polars", metavar="PYTHON", help="an environment that has Polars")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        path = folder / "rows.jsonl"
        write(path, asked.rows)
        systems = {
            "strict": lambda: timed(lambda: sum(1 for _ in records(path, path.name))),
            "rows": lambda: timed(lambda: examples(folder, path.name)),
            "json.loads": lambda: timed(lambda: each(path, json.loads)),
            "msgspec": lambda: timed(lambda: each(path, msgspec.json.decode)),
            "arrow": lambda: timed(lambda: pyarrow.json.read_json(path).num_rows),
        }
        if asked.polars:
            systems["polars"] = lambda: polars(asked.polars, path)
        speeds: dict[str, list[float]] = {name: [] for name in systems}
        for _ in range(ROUNDS):
            for name, run in systems.items():
                speeds[name].append(asked.rows / run())
    report(speeds, asked.rows)


def write(path: Path, rows: int) -> None:
    draw = random.Random(1)
    words = [f"{draw.randrange(1 << 24):x}" for _ in range(5_000)]
    with path.open("w", encoding="utf-8") as out:
        for _ in range(rows):
            asked, said = " ".join(draw.choices(words, k=25)), " ".join(draw.choices(words, k=35))
            turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": said}]
            out.write(json.dumps({"messages": turns}) + "\n")


def examples(folder: Path, name: str) -> int:
    source = SourceFile(path=name, origin="human", licence="CC0-1.0")
    return sum(1 for _ in Rows.open(source, Recipe(name="ingest").at(folder)))


def each(path: Path, read: Callable[[bytes], object]) -> int:
    with path.open("rb") as stream:
        return sum(1 for line in stream if read(line))


def timed(run: Callable[[], int]) -> float:
    """The processor's seconds, of all threads."""
    began = time.process_time()
    run()
    return time.process_time() - began


def polars(python: str, path: Path) -> float:
    done = subprocess.run([python, "-c", POLARS, str(path)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout)


def report(speeds: dict[str, list[float]], rows: int) -> None:
    lines = []
    for name, found in speeds.items():
        ordered = sorted(found)
        form = {
            "benchmark": f"ingest/{name}",
            "value": round(ordered[ROUNDS // 2]),
            "unit": "rows a second of one core",
            "rows": rows,
            "n": ROUNDS,
            "low": round(ordered[0]),
            "high": round(ordered[-1]),
            "method": "middle of the rounds",
            "commit": commit(),
            "hardware": hardware(),
        }
        lines.append(json.dumps(form) + "\n")
        print(lines[-1], end="")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ingest.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
