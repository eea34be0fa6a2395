"""A million rows end to end: how long `tutelage curate` takes, and the memory of all its processes.

    python benchmarks/curate_million.py [--rows 1000000] [--seed 1] [--set curate.scale.workers=2]

The rows are those of `curate_plant.py` as JSON Lines, with their items as a suite; planting them is
not timed. Seconds are the clock's, of the whole command, from the start of its process to its end.
Memory is looked at ten times a second: the resident memory of the process and of all it started,
added up, so that what they share counts more than once. One JSON line to
`benchmarks/results/curate_million.jsonl`; it ends with an error where a million rows take more than
the goals say.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from methods import RESULTS, commit, hardware

SECONDS, BYTES = 300, 4 << 30  # the goals, for a million rows on two cores
PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        line = measure(given, Path(place))
    text = json.dumps(line) + "\n"
    print(text, end="")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "curate_million.jsonl").write_text(text, encoding="utf-8")
    if given.rows == 1_000_000 and (line["value"] > SECONDS or line["peak_bytes"] > BYTES):
        raise SystemExit("a goal is missed")


def measure(given: Any, folder: Path) -> dict[str, Any]:
    """One curation, in processes of its own."""
    code = "import sys; from pathlib import Path; from curate_kill import write; "
    code += "write(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))"
    own = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    told = [str(given.rows), str(given.seed), str(folder)]
    subprocess.run([sys.executable, "-c", code, *told], check=True, env=own)
    command = [sys.executable, "-m", "tutelage", "curate", str(folder / "recipe.yaml"), "--json"]
    command += [word for one in given.overrides for word in ("--set", one)]
    began = time.monotonic()
    with (folder / "out").open("wb") as out, (folder / "talk").open("wb") as talk:
        process = subprocess.Popen(command, stdout=out, stderr=talk)
        peak, most = watched(process)
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit((folder / "talk").read_text(encoding="utf-8"))
    made = json.loads((folder / "out").read_bytes())
    (artifact,) = (one for one in made["artifacts"] if one["kind"] == "dataset")
    return {
        "benchmark": "curate_million",
        "metric": "seconds",
        "value": round(seconds, 1),
        "unit": "seconds",
        "n": 1,
        "rows": given.rows,
        "seed": given.seed,
        "rows_a_second": round(given.rows / seconds),
        "peak_bytes": peak,
        "peak_gib": round(peak / 2**30, 2),
        "processes": most,
        "goal": f"<= {SECONDS} seconds and <= {BYTES >> 30} GiB for a million rows",
        "digest": artifact["digest"],
        "input_bytes": (folder / "rows.jsonl").stat().st_size,
        "overrides": given.overrides,
        "commit": commit(),
        "hardware": hardware(),
    }


def watched(process: subprocess.Popen[bytes]) -> tuple[int, int]:
    """The most memory its family held at once, and the most processes it had."""
    peak = most = 0
    while process.poll() is None:
        held = family(process.pid)
        peak, most = max(peak, sum(held)), max(most, len(held))
        time.sleep(0.1)
    return peak, most


def family(root: int) -> list[int]:
    """The resident bytes of a process and of all it started."""
    children: dict[int, list[int]] = defaultdict(list)
    held: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            held[int(entry.name)] = int((entry / "statm").read_text().split()[1]) * PAGE
        except OSError:  # it ended meanwhile
            continue
        children[int(stat[1])].append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        one = waiting.pop()
        found += [held[one]] if one in held else []
        waiting += children[one]
    return found


if __name__ == "__main__":
    main()
