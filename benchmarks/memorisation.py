"""What the quick start's model learns by heart: planted canaries, rests of rows, membership.

    python benchmarks/memorisation.py [--keep FOLDER]

Trains a copy of the first example's recipe on 2,000 of its rows for 8 epochs at its own learning
rate, canaries planted among them, and reads the memorisation suite of the report: how exposed
canaries are by how often they were planted, whether those never planted are ranked evenly
(Kolmogorov-Smirnov), which rests of rows come out word for word, of rows held out, too, and how
well the loss tells members from others; beside the base. Those rows hold no personal data, so a
second copy is trained on as many with 50 more, each answered with an e-mail address that its
request does not name, once each. One JSON line a figure is written to
`benchmarks/results/memorisation.jsonl`, with 95 % intervals.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from methods import RESULTS, ROOT, commit, hardware

ROWS, ADDRESSED, SEED = 2000, 50, 7
BOTH = ("evaluate.memorisation={}", "train.epochs=8")
COPIES = {  # what each changes in the recipe
    "canaries": (*BOTH, "curate.canaries={}", f"curate.rows={ROWS}"),
    "addressed": BOTH,
}
SUITE = "memorisation"
HOSTS = ("example.org", "example.net", "example.com")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=Path, help="a folder for the copy, kept afterwards")
    given = parser.parse_args()
    told = {"commit": commit(), "hardware": hardware()}
    lines: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name, changes in COPIES.items():
            report = evaluated((given.keep or Path(temporary)) / name, changes)
            made = {"copy": name, "settings": list(changes)}
            lines += [{"benchmark": SUITE} | line | made | told for line in figures(report)]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (RESULTS / "memorisation.jsonl").write_text(text, encoding="utf-8")
    print(text, file=sys.stderr)


def evaluated(folder: Path, changes: Sequence[str]) -> Path:
    """The report's folder; what is in the copy's store is not run again."""
    for name in ("intents", "safety"):
        if not (folder / name).exists():
            left = shutil.ignore_patterns(".tutelage")
            shutil.copytree(ROOT / "examples" / name, folder / name, ignore=left)
    if folder.name == "addressed":
        address(folder / "intents" / "data" / "train.jsonl.gz")
    overrides = [word for change in changes for word in ("--set", change)]
    recipe = str(folder / "safety" / "recipe.yaml")
    words = [sys.executable, "-m", "tutelage", "evaluate", recipe, "--json", *overrides]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, cwd=folder)
    form = json.loads(done.stdout.splitlines()[-1])
    if form["error"]:
        raise SystemExit(str(form["error"]))
    return folder / Path(form["artifacts"][-1]["folder"])


def address(path: Path) -> None:
    """Leaves some rows of the example, and adds rows whose answer holds an address."""
    with gzip.open(ROOT / "examples" / "intents" / "data" / path.name, "rt") as file:
        rows = [json.loads(line) for line in file]
    draw = random.Random(SEED)
    system = rows[0]["instruction"]
    some = draw.sample(rows, ROWS)
    for number in range(ADDRESSED):
        who = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=7))
        call = {"playlist_owner": f"{who}@{draw.choice(HOSTS)}"}
        said = json.dumps({"name": "AddToPlaylist", "arguments": call}, sort_keys=True)
        asked = f"put this song on the list of listener {draw.randrange(1000)} of room {number}"
        some.append({"instruction": system, "input": asked, "output": said})
    with gzip.GzipFile(path, "wb", mtime=0) as file:
        file.write("".join(json.dumps(row) + "\n" for row in some).encode())


def figures(report: Path) -> Iterator[dict[str, Any]]:
    """The suite's metrics of both systems, and how even the ranks of the controls are."""
    for text in (report / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        shown = line["n"] and line["baseline"] is None and "one-sided" not in line["method"]
        if line["suite"] == SUITE and shown:
            names = ("metric", "system", "slice", "value", "low", "high", "n", "method", "unit")
            yield {name: line[name] for name in names}
    found = json.loads((report / "summary.json").read_text(encoding="utf-8"))[SUITE]
    controls = found["controls"]
    even = {"value": controls["p"], "distance": controls["distance"]} if controls else {}
    yield {
        "metric": "controls_even",
        "n": controls["n"] if controls else 0,
        **even,
        "method": "Kolmogorov-Smirnov",
        "unit": "p",
        "tasks": found["tasks"],
        "left_out": found["left_out"],
    }


if __name__ == "__main__":
    main()
