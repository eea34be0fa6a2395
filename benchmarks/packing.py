"""How fast lessons become packed rows, how full these are, and how long a training takes to begin.

    python benchmarks/packing.py [--rival PYTHON] [--lessons N] [--rounds N]

PYTHON is an interpreter that has trl and datasets. Both pack the same lengths, drawn log-normal
(median 100, at most 2,048) by a seed, into rows of 2,048: ours with `render.bins.best_fit` alone
and with all of `render.pack.pack` (half of the lessons begin with one of five prompts; with and
without folding), theirs with `trl.data_utils.pack_dataset`, strategy `bfd`. The start is all that
stands between the tokens in the store and the first step but the model: files verified, ends and
losses checked, lessons mapped, folded and packed, steps planned; the next start of the same rows
reads where each lesson stands. One core. One JSON line a figure is written to
`benchmarks/results/packing.jsonl`: the mean over rounds, least and most.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from methods import RESULTS, commit, hardware

from tutelage.core.artifact import Provenance
from tutelage.core.recipe import loads
from tutelage.render.bins import best_fit
from tutelage.render.contract import Contract
from tutelage.render.lessons import RECORD, Lessons, LessonsFile
from tutelage.render.pack import pack
from tutelage.store.base import find_base
from tutelage.store.run import Run
from tutelage.store.tables import LEDGER, LEDGER_SCHEMA
from tutelage.train.packing import FOLDER, pack_lessons
from tutelage.train.tokens import check_tokens

CAPACITY = 2048
RECIPE = "name: packing\ntrain: {base: tutelage/tiny}\n"
THEIRS = """
import json, sys, time
import numpy as np
from datasets import Dataset
from trl.data_utils import pack_dataset
lengths = np.load(sys.argv[1])
ids = [list(range(n)) for n in lengths.tolist()]
rows = Dataset.from_dict({"input_ids": ids})
began = time.perf_counter()
packed = pack_dataset(rows, seq_length=int(sys.argv[2]), strategy="bfd")
print(json.dumps({"seconds": time.perf_counter() - began, "rows": len(packed)}))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", help="an interpreter that has trl and datasets")
    parser.add_argument("--lessons", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    lessons = drawn(given.lessons)
    ways: dict[str, Callable[[], int]] = {
        "best_fit": lambda: int(best_fit(lessons.lengths, CAPACITY).max()) + 1,
        "pack": lambda: len(pack(lessons, CAPACITY, np.random.default_rng(0))),
        "pack_and_fold": lambda: len(pack(lessons, CAPACITY, np.random.default_rng(0), share=True)),
    }
    with tempfile.TemporaryDirectory() as folder:
        lengths = Path(folder) / "lengths.npy"
        np.save(lengths, lessons.lengths)
        found = {name: timed(way, given.rounds) for name, way in ways.items()}
        found |= started(Path(folder), lessons, given.rounds)
        if given.rival:
            found["trl_bfd"] = [theirs(given.rival, lengths) for _ in range(given.rounds)]
    least = -(-int(lessons.lengths.sum()) // CAPACITY)
    lines = [line(name, rounds, given.lessons, least) for name, rounds in found.items()]
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (RESULTS / "packing.jsonl").write_text(text, encoding="utf-8")
    print(text, file=sys.stderr)


def drawn(count: int) -> Lessons:
    """Lessons of drawn lengths and tokens; half of them begin with one of five prompts."""
    draw = np.random.default_rng(0)
    lengths = np.clip(draw.lognormal(np.log(100), 0.6, count), 4, CAPACITY).astype(np.int32)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    ids = draw.integers(0, 4000, int(lengths.sum()), dtype=np.int32)
    prompts = [draw.integers(0, 4000, 24 + 8 * n, dtype=np.int32) for n in range(5)]
    for one in np.flatnonzero(draw.random(count) < 0.5).tolist():
        prompt = prompts[one % 5][: lengths[one]]
        ids[starts[one] : starts[one] + len(prompt)] = prompt
    records = np.zeros(count, dtype=RECORD)
    records["start"], records["length"], records["prompt"] = starts, lengths, lengths // 2
    records["row"], records["weight"] = np.arange(count), 1.0
    return Lessons(ids=ids, records=records, rows=lambda: [f"{n:032x}" for n in range(count)])


def timed(way: Callable[[], int], rounds: int) -> list[dict[str, float]]:
    """Seconds and rows of each round."""
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        rows = way()
        found.append({"seconds": time.perf_counter() - began, "rows": rows})
    return found


def started(folder: Path, lessons: Lessons, rounds: int) -> dict[str, list[dict[str, float]]]:
    """All that comes before the first step but the model, from tokens in the store."""
    recipe = loads(RECIPE).at(folder)
    assert recipe.train is not None
    section = recipe.train
    contract = Contract.open(recipe.contract, find_base(section.base, folder), recipe)
    ends = lessons.records["start"] + lessons.records["length"] - 1
    lessons.ids[ends] = min(contract.ending_ids(section.teach.roles))
    with Run.open(recipe) as run:
        provenance = Provenance(kind="tokens", inputs={}, section={}, stage_version=1)
        with run.store.put(provenance) as draft:
            write(draft.folder, lessons)
            draft.counts["rows"] = len(lessons)

        def start() -> int:
            tokens = run.store.find(provenance.key)
            assert tokens is not None
            check_tokens(tokens, contract, section)
            return len(pack_lessons(section, tokens, run).rows)

        def first() -> int:
            shutil.rmtree(run.store.root / FOLDER, ignore_errors=True)
            return start()

        return {"start": timed(first, rounds), "start_again": timed(start, rounds)}


def write(folder: Path, lessons: Lessons) -> None:
    """The files of a tokens artifact: every row kept, none for validation."""
    for side, own in (("train", lessons), ("validation", Lessons.of([]))):
        with LessonsFile(folder, side) as file:
            file.append(own, 0)
        file.finish()
        ids = own.rows()
        alike = {"weight": 1.0, "source": "a.jsonl", "stage": pa.scalar(None, pa.string())}
        rest = {name: pa.repeat(value, len(ids)) for name, value in alike.items()}
        table = pa.table({"id": ids} | rest)
        path = str(folder / f"{side}.arrow")
        with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as arrow:
            arrow.write_table(table)
    names = lessons.rows()
    same = {"stage": "fit", "decision": "keep", "reason": "clean", "detail": "", "other_row": ""}
    columns: dict[str, Any] = {name: [value] * len(names) for name, value in same.items()}
    pq.write_table(
        pa.Table.from_pydict(columns | {"row": names}, schema=LEDGER_SCHEMA), folder / LEDGER
    )


def theirs(python: str, lengths: Path) -> dict[str, float]:
    """What TRL takes for the same lengths, its tokens already in Arrow."""
    words = [python, "-c", THEIRS, str(lengths), str(CAPACITY)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    form: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return form


def line(name: str, rounds: list[dict[str, float]], lessons: int, least: int) -> dict[str, Any]:
    """One figure of the results."""
    seconds = [one["seconds"] for one in rounds]
    return {
        "benchmark": f"packing/{name}",
        "metric": "seconds",
        "value": round(mean(seconds), 3),
        "low": round(min(seconds), 3),
        "high": round(max(seconds), 3),
        "method": "mean, least and most of the rounds",
        "unit": "s",
        "n": len(rounds),
        "lessons": lessons,
        "rows": int(rounds[-1]["rows"]),
        "rows_lower_bound": least,
        "commit": commit(),
        "hardware": hardware(),
    }


if __name__ == "__main__":
    main()
