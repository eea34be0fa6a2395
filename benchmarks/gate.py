"""How often the gate opens on noise, and whether it opens as often as planned on what is better.

    python benchmarks/gate.py [--replicates 20000] [--only NAME ...]

Each scenario of `gate_scenarios.py` is drawn so often with a model no better than its rule
allows, and as often with one that is. One JSON line a scenario goes to
`benchmarks/results/gate.jsonl`: `value` is the share of false openings with its 95 % interval,
`power` that of right ones beside what the planner promised; `decided` names the functions of the
gate that decided. A false opening may be as frequent as 5 % and half a point; power may be three
points off the plan. Lines whose `decided` is `contrast` are what others do on such draws
(`gate_contrasts.py`), and held to no bar. `--only` leaves the lines of the other scenarios as they
are.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing.pool import Pool

from gate_scenarios import Scenario, scenarios
from methods import RESULTS, commit, hardware

from tutelage.core.seeds import stream
from tutelage.core.shares import clopper_pearson

ALPHA, SLACK, OFF = 0.05, 0.005, 0.03
REPLICATES = 20_000  # fewer are not written down
PART = 500  # replicates of one piece of work


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    lines: list[dict[str, object]] = []
    with Pool(os.cpu_count()) as pool:
        for scenario in scenarios():
            if asked.only and scenario.name not in asked.only:
                continue
            for line in measured(scenario, pool, max(1, asked.replicates // PART)):
                lines.append(line)
                print(json.dumps(line), file=sys.stderr)
            if asked.replicates >= REPLICATES:
                write(lines)
    if not all(line.get("held", True) for line in lines):
        raise SystemExit("a scenario misses its bar")


def measured(scenario: Scenario, pool: Pool, parts: int) -> Iterator[dict[str, object]]:
    """The lines of a scenario: the gate's, and the contrast's where there is one."""
    began = time.perf_counter()
    n = parts * PART
    opened = {
        kind: sum(pool.map(count, [(scenario.name, kind, at, PART) for at in range(parts)], 1))
        for kind in ("null", "true", *(["contrast"] if scenario.contrast else []))
    }
    name, known = f"gate/{scenario.name}", {"commit": commit(), "hardware": hardware()}
    seconds = {"seconds": round(time.perf_counter() - began, 1)}
    yield decided(name, scenario, opened["null"], opened["true"], n) | known | seconds
    if scenario.contrast:
        told = {"says": scenario.contrast.says, "decided": "contrast"}
        yield {"benchmark": name, **told, **shares(opened["contrast"], n), **known}


def write(lines: list[dict[str, object]]) -> None:
    """The lines in the place of those of the same scenarios, in the scenarios' order."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "gate.jsonl"
    new = {line["benchmark"] for line in lines}
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    kept = [line for line in map(json.loads, before) if line["benchmark"] not in new]
    order = {f"gate/{name}": place for place, name in enumerate(BY_NAME)}
    every = sorted((*kept, *lines), key=lambda line: order.get(str(line["benchmark"]), -1))
    path.write_text("".join(json.dumps(line) + "\n" for line in every), encoding="utf-8")


def count(part: tuple[str, str, int, int]) -> int:
    """How often the gate opens in one piece of a scenario."""
    name, kind, number, replicates = part
    scenario = BY_NAME[name]
    opens = {"null": scenario.null, "true": scenario.true}.get(kind)
    if opens is None and scenario.contrast:
        opens = scenario.contrast.opens
    assert opens is not None
    draw = stream(f"bench.gate.{name}.{kind}.{number}", 0)
    return sum(opens(draw) for _ in range(replicates))


def decided(name: str, scenario: Scenario, false: int, right: int, n: int) -> dict[str, object]:
    """The gate's line: false openings and power, beside what they may be."""
    share, power = clopper_pearson(false, n), clopper_pearson(right, n)
    return {
        "benchmark": name,
        "says": scenario.says,
        "decided": scenario.decided,
        **shares(false, n),
        "power": power.value,
        "power_low": power.low,
        "power_high": power.high,
        "planned": round(scenario.planned, 4),
        "held": share.value <= ALPHA + SLACK and abs(power.value - scenario.planned) <= OFF,
    }


def shares(false: int, n: int) -> dict[str, object]:
    """False openings with their interval."""
    share = clopper_pearson(false, n)
    return {
        "value": share.value,
        "unit": "false openings",
        "n": n,
        "low": share.low,
        "high": share.high,
        "method": share.method,
    }


BY_NAME = {one.name: one for one in scenarios()}

if __name__ == "__main__":
    main()
