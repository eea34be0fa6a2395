"""What an evaluation costs besides the engine: processor milliseconds of a sample.

    python benchmarks/harness.py [--tasks 4000]

The engine of the tests answers at once, so that all that is timed is the harness: rows read and
rendered, answers kept one by one, scored, sliced, compared in pairs, bootstrapped and written. A
report of three systems is made of so many tasks, and one of an eighth of them; told are the whole
cost a sample of the larger one, and what one more sample costs. One JSON line each goes to
`benchmarks/results/harness.jsonl`, the middle of the rounds with the least and the most.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from methods import RESULTS, ROOT, commit, hardware

sys.path.insert(0, str(ROOT))

from tests.evaluate.fakes import FakeBench, never, oracle, project, report

ROUNDS = 3
SYSTEMS = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=4000)
    many = parser.parse_args().tasks
    few = many // 8
    seconds(few)  # what is imported and compiled once
    whole, more = [], []
    for _ in range(ROUNDS):
        short, long = seconds(few), seconds(many)
        whole.append(1000 * long / (SYSTEMS * many))
        more.append(1000 * (long - short) / (SYSTEMS * (many - few)))
    lines = []
    for name, found in (("whole", whole), ("one more", more)):
        low, value, high = sorted(found)
        form = {"benchmark": f"harness/{name}", "value": round(value, 4), "low": round(low, 4)}
        form |= {"high": round(high, 4), "n": ROUNDS, "method": "middle of the rounds"}
        form |= {"unit": "processor milliseconds a sample", "samples": SYSTEMS * many}
        lines.append(json.dumps({**form, "commit": commit(), "hardware": hardware()}) + "\n")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "harness.jsonl").write_text("".join(lines), encoding="utf-8")
    print("".join(lines), end="")


def seconds(tasks: int) -> float:
    """The processor's seconds of a report."""
    bench = FakeBench({"tuned": oracle(tasks), "zero_shot": never, "few_shot": never})
    with tempfile.TemporaryDirectory() as name, project(Path(name), count=tasks) as run:
        began = time.process_time()
        report(run, bench)
        return time.process_time() - began


if __name__ == "__main__":
    main()
