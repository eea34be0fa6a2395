"""What the sandbox stops, what it lets pass, and how many programs it runs a second.

    python benchmarks/sandbox.py FOLDER [--tasks N]

FOLDER holds `mbpp/mbpp.jsonl.gz`. Every reference program is held against its tests by plain
CPython and by the sandbox; every hostile program of `tests/sandbox/hostile.py` is tried. One JSON
line each: the share of the references that pass in plain CPython that pass in the sandbox, the
shares of escapes and of cheats that are stopped (Wilson's 95 % interval), how many of the escapes
get what they are after where nothing stops them (`tests/sandbox/controls.py`; `none` names those
this machine has no control of, and why), programs a second by the clock and a processor's second
(slowest and fastest of the rounds). They go to `benchmarks/results/sandbox.jsonl`; the run fails
where a reference is lost, a program gets out, or a control stays in for no named reason.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from methods import RESULTS, ROOT, commit, hardware

sys.path.insert(0, str(ROOT))

from tests.sandbox.controls import CONTROLS, Control, control_of
from tests.sandbox.hostile import CHEATS, ESCAPES
from tutelage.core.intervals import wilson
from tutelage.sandbox.box import Box, Program
from tutelage.sandbox.cases import defined, leaned_on, read_tests
from tutelage.sandbox.limits import Limits
from tutelage.sandbox.trial import Trial

ROUNDS = 5
TIMED = 100  # programs of a round
SECONDS = 120.0  # for a reference: one of them works for long
LINES: list[str] = []


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tasks", type=int, default=None)
    given = parser.parse_args()
    with gzip.open(given.folder / "mbpp" / "mbpp.jsonl.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream][: given.tasks]
    lost = references(rows)
    out = escapes() + cheats() + controls()
    speed(rows)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sandbox.jsonl").write_text("".join(LINES), encoding="utf-8")
    if lost or out:
        raise SystemExit(f"lost: {lost}; got away: {out}")


def references(rows: list[dict[str, Any]]) -> list[int]:
    """Tasks whose reference passes in plain CPython and not in the sandbox."""
    lost, kept = [], 0
    with Trial(Limits(seconds=SECONDS)) as trial:
        for row in rows:
            if not plainly(row):
                print("does not pass in plain CPython:", row["task_id"], file=sys.stderr)
                continue
            listed = row["test_list"] + row["challenge_test_list"]
            code = row["code"]
            tests = read_tests(listed, row["test_setup_code"], defined(code), leaned_on(code))
            tried = trial.of(row["code"], tests)
            kept += all(one.passed for one in tried)
            if not all(one.passed for one in tried):
                lost.append(row["task_id"])
                print(row["task_id"], [one.because for one in tried], file=sys.stderr)
    share("sandbox/mbpp", "references that pass", kept, kept + len(lost))
    return lost


def plainly(row: dict[str, Any]) -> bool:
    """Whether a reference passes its tests as a plain program."""
    listed = row["test_list"] + row["challenge_test_list"]
    text = "\n".join([row["code"], row["test_setup_code"], *listed])
    command = [sys.executable, "-S", "-c", text]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=SECONDS)
    return done.returncode == 0


def escapes() -> list[str]:
    """Programs that got out."""
    out = []
    with Box(Limits(seconds=2.0, memory_bytes=256 << 20)) as box:
        for name, source in ESCAPES.items():
            done = box.values(Program(source=source, steps=[("eval", "f()")]))
            if done.values.get(0) == "out":
                out.append(name)
    share("sandbox/escapes", "stopped", len(ESCAPES) - len(out), len(ESCAPES))
    return out


def controls() -> list[str]:
    """Escapes that get nowhere though nothing stops them, for a reason nobody named."""
    said = {name: control_of(name) for name in ESCAPES}
    short = {name: words for name, words in said.items() if words != "out"}
    needs = {name: CONTROLS.get(name, Control()).needs for name in short}
    none = {name: f"{needs[name]}: {words}" for name, words in short.items() if needs[name]}
    works = len(ESCAPES) - len(short)
    share("sandbox/controls", "escapes that get out unconfined", works, len(ESCAPES), none=none)
    return [name for name in short if not needs[name]]


def cheats() -> list[str]:
    """Programs that passed a test they do not pass."""
    tests = read_tests(["assert f(2) == 4"], asked=frozenset({"f"}))
    with Trial(Limits(seconds=2.0, memory_bytes=256 << 20)) as trial:
        out = [name for name, source in CHEATS.items() if trial.of(source, tests)[0].passed]
    share("sandbox/cheats", "stopped", len(CHEATS) - len(out), len(CHEATS))
    return out


def speed(rows: list[dict[str, Any]]) -> None:
    """Reference programs a second, by the clock and of a processor: the starter's tree and us."""
    timed = [row for row in rows if row["task_id"] != 123][:TIMED]
    read = [
        (row["code"], read_tests(row["test_list"], row["test_setup_code"], defined(row["code"])))
        for row in timed
    ]
    clock, processor = [], []
    for _ in range(ROUNDS):
        began, worked = time.perf_counter(), used()
        with Trial() as trial:
            for source, tests in read:
                trial.of(source, tests)
        clock.append(len(read) / (time.perf_counter() - began))
        processor.append(len(read) / (used() - worked))
    for name, values in (("by the clock", clock), ("of a processor", processor)):
        middle = sorted(values)[len(values) // 2]
        write("sandbox/speed", f"programs a second {name}", middle, (min(values), max(values)))


def used() -> float:
    """Seconds of processors this process and those it waited for have had."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def share(
    benchmark: str, metric: str, hits: int, n: int, none: dict[str, str] | None = None
) -> None:
    found = wilson(hits, n)
    bounds = (found.low, found.high)
    write(benchmark, metric, found.value, bounds, n=n, method="wilson", none=none)


def write(
    benchmark: str,
    metric: str,
    value: float,
    bounds: tuple[float, float],
    *,
    n: int = ROUNDS,
    method: str = "median, least and most of the rounds",
    none: dict[str, str] | None = None,
) -> None:
    form = {
        **{"benchmark": benchmark, "metric": metric, "value": round(value, 4)},
        **{"low": round(bounds[0], 4), "high": round(bounds[1], 4), "n": n, "method": method},
        **{"unit": "share" if method == "wilson" else "programs a second"},
        **({} if none is None else {"none": none}),
        **{"commit": commit(), "hardware": hardware()},
    }
    LINES.append(json.dumps(form) + "\n")
    print(LINES[-1], end="", file=sys.stderr)


if __name__ == "__main__":
    main()
