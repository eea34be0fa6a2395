"""How often the gate opens on noise, and whether it opens as often as planned on what is better.

    python benchmarks/gate.py [--replicates 20000] [--only NAME ...]

Each scenario of `gate_scenarios.py` is drawn so often with a model no better than its rule
allows, and as often with one that is. One JSON line a scenario goes to
`benchmarks/results/gate.jsonl`: `value` is the share of false openings with its 95 % interval,
`power` that of right ones beside what the planner promised. A false opening may be as frequent
as 5 % and half a point; power may be three points off the plan.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from multiprocessing import Pool

from gate_scenarios import Scenario, scenarios
from methods import RESULTS, commit, hardware

from tutelage.core.seeds import stream
from tutelage.core.shares import clopper_pearson

ALPHA, SLACK, OFF = 0.05, 0.005, 0.03
PART = 500  # replicates of one piece of work


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=20_000)
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    lines = []
    with Pool(os.cpu_count()) as pool:
        for scenario in scenarios():
            if asked.only and scenario.name not in asked.only:
                continue
            began = time.perf_counter()
            parts = [
                (scenario.name, kind, number, PART)
                for kind in ("null", "true")
                for number in range(max(1, asked.replicates // PART))
            ]
            opened = pool.map(count, parts, chunksize=1)
            half = len(parts) // 2
            line = measured(scenario, sum(opened[:half]), sum(opened[half:]), half * PART)
            lines.append(line | {"seconds": round(time.perf_counter() - began, 1)})
            print(json.dumps(lines[-1]), file=sys.stderr)
            if not asked.only:
                RESULTS.mkdir(exist_ok=True)
                text = "".join(json.dumps(line) + "\n" for line in lines)
                (RESULTS / "gate.jsonl").write_text(text, encoding="utf-8")
    if not all(line["held"] for line in lines):
        raise SystemExit("a scenario misses its bar")


def count(part: tuple[str, str, int, int]) -> int:
    """How often the gate opens in one piece of a scenario."""
    name, kind, number, replicates = part
    scenario = BY_NAME[name]
    opens = scenario.null if kind == "null" else scenario.true
    draw = stream(f"bench.gate.{name}.{kind}.{number}", 0)
    return sum(opens(draw) for _ in range(replicates))


def measured(scenario: Scenario, false: int, right: int, n: int) -> dict[str, object]:
    """One line: false openings and power, beside what they may be."""
    share = clopper_pearson(false, n)
    power = clopper_pearson(right, n)
    return {
        "benchmark": f"gate/{scenario.name}",
        "says": scenario.says,
        "value": share.value,
        "unit": "false openings",
        "n": n,
        "low": share.low,
        "high": share.high,
        "method": share.method,
        "power": power.value,
        "power_low": power.low,
        "power_high": power.high,
        "planned": round(scenario.planned, 4),
        "held": share.value <= ALPHA + SLACK and abs(power.value - scenario.planned) <= OFF,
        "commit": commit(),
        "hardware": hardware(),
    }


BY_NAME = {one.name: one for one in scenarios()}

if __name__ == "__main__":
    main()
