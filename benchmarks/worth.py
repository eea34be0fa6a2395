"""What curation is worth: trained on raw rows, and on the same rows curated, by what a test says.

    python benchmarks/worth.py [--rows N] [--seed N] [--keep FOLDER]

The first example's rows, with noise at known rates in them: near-repeats, answers that are broken
off or are prose, second annotations that contradict the first two, wrong answers that nothing
contradicts, items of a benchmark, e-mail addresses. `raw` takes all as it is; `curated` drops what
curation finds and is trained for about as many steps; `curated, fewer steps` for as many epochs,
and `curated half` on half as many of those rows. The test's items are those of the example that
were not leaked, the same for all.

One JSON line a metric goes to `benchmarks/results/worth.jsonl`: both values, and the paired
difference with its 95 % interval; of `curated` over trainings of other seeds, too.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from methods import RESULTS, ROOT, commit, hardware

from tutelage.core.components import crossed
from tutelage.core.intervals import Interval
from tutelage.core.seeds import stream
from tutelage.evaluate.trainings import system_of
from tutelage.score.measure import Measure, Pairs, difference
from tutelage.score.pairing import measures_in, pair, samples_in
from tutelage.score.repeated import pseudovalues
from tutelage.store.artifact import MANIFEST, Artifact, read_manifest

DATA = ROOT / "examples" / "intents"
COLUMNS = "{system: instruction, user: input, assistant: output}"
# shares of the rows that are drawn; each row has one fault at most
REPEATED, BROKEN, CONTRADICTED, WRONG, LEAKED = 0.15, 0.15, 0.20, 0.05, 0.05
ADDRESSED = 0.02
TIMES = 4  # near-repeats of a repeated row
POLITE = ("please ", "hey, ", "now ", "could you ", "ok ", "well, ", "quickly ", "for me: ")
PROSE = "Sure! I can help with that: {}"
METRICS = ("parse", "valid", "intent", "slot_f1", "exact_match")
TRAININGS = 3  # of `raw` and `curated`, each of other seeds
EPOCHS = 2
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """What is curated how, and trained how long and how often."""

    name: str
    curate: str
    epochs: int = EPOCHS
    seeds: int = 1


RECIPE = """\
name: worth
seed: {seed}
contract: {{template: base, output_schema: tools.json, decoding: {{max_new_tokens: 96}}}}
curate:
  sources:
    - {{path: rows.jsonl, format: fields, origin: human, licence: CC0-1.0, fields: {columns}}}
{curate}
train: {{base: tutelage/tiny, method: full, optimizer: muon, step_tokens: 6144,
        epochs: {epochs}, seeds: {seeds}}}
evaluate:
  suites:
    - {{name: calls, path: test.jsonl, format: fields, fields: {columns},
       scorers: [json, schema, call]}}
"""
RAW = "  duplicates: {near: false}\n"
CURATED = """\
  duplicates: {near: true}
  conflicting: drop
  invalid_output: drop
  screen: {actions: {pii: redact}}
  leakage:
    benchmarks: [{path: leaked.jsonl, format: fields, fields: %s}]
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=3000, help="before repeats and annotations")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="folder that is kept")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        made = write(folder, given.rows, given.seed)
        reports = measured(folder, given.seed)
        lines = [
            {"benchmark": f"worth/{arm}", **line}
            for arm, report in reports.items()
            if arm != "raw"
            for line in compared(reports["raw"], report)
        ]
    RESULTS.mkdir(exist_ok=True)
    about = {"rows": made, "seed": given.seed, "commit": commit(), "hardware": hardware()}
    text = "".join(json.dumps(line | about) + "\n" for line in lines)
    (RESULTS / "worth.jsonl").write_text(text, encoding="utf-8")
    print(text)


def write(folder: Path, count: int, seed: int) -> dict[str, int]:
    """Rows with their noise, the leaked items and the others; how many of each."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    taken = draw.sample(read("train"), count)
    items = read("test")
    draw.shuffle(items)
    leaked = items[: round(count * LEAKED)][: len(items) // 3]
    rows, made = noised(taken, draw)
    for item in leaked:
        for lead in draw.sample(POLITE, 2):
            rows.append({**item, "input": lead + item["input"]})
    made |= {"leaked": 2 * len(leaked), "all": len(rows)}
    draw.shuffle(rows)
    for name, some in (("rows", rows), ("leaked", leaked), ("test", items[len(leaked) :])):
        lines = (json.dumps(columns(row), ensure_ascii=False) + "\n" for row in some)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "tools.json").write_bytes((DATA / "tools.json").read_bytes())
    return made | {"test": len(items) - len(leaked)}


def noised(rows: list[Row], draw: random.Random) -> tuple[list[Row], dict[str, int]]:
    """The rows, some of them with one fault each."""
    faults = ("repeated", "broken", "contradicted", "wrong")
    shares = (REPEATED, BROKEN, CONTRADICTED, WRONG)
    found: list[Row] = []
    made = dict.fromkeys(faults, 0)
    for row in rows:
        (fault,) = draw.choices(("", *faults), (1 - sum(shares), *shares))
        if fault:
            made[fault] += 1
        other = draw.choice(rows)["output"]
        if fault == "broken":
            row = {**row, "output": broken(row, draw)}
        elif fault == "wrong":
            row = {**row, "output": other}
        if draw.random() < ADDRESSED:
            row = {**row, "input": f"{row['input']} (ask ann.lee{draw.randrange(99)}@example.org)"}
        found.append(row)
        if fault == "repeated":
            found += [{**row, "input": lead + row["input"]} for lead in draw.sample(POLITE, TIMES)]
        elif fault == "contradicted":  # two annotators agree, the third does not
            found += [row, {**row, "output": other}]
    return found, made


def broken(row: Row, draw: random.Random) -> str:
    """An answer that is cut off, or talks."""
    answer: str = row["output"]
    if draw.random() < 0.5:
        return PROSE.format(row["input"])
    return answer[: draw.randrange(len(answer) // 3, len(answer) - 1)]


def read(name: str) -> list[Row]:
    with gzip.open(DATA / "data" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def columns(row: Row) -> Row:
    return {name: row[name] for name in ("instruction", "input", "output")}


def measured(folder: Path, seed: int) -> dict[str, Path]:
    """The report of every arm."""
    raw = Arm(name="raw", curate=RAW, seeds=TRAININGS)
    curated = Arm(name="curated", curate=CURATED % COLUMNS, seeds=TRAININGS)
    reports = {raw.name: folders(folder, raw, seed, "evaluate")}
    kept = counts(folders(folder, curated, seed, "curate")["dataset"])
    epochs = round(EPOCHS * counts(reports["raw"]["dataset"])["train"] / kept["train"])
    half = f"{curated.curate}  rows: {kept['kept'] // 2}\n"
    for arm in (
        replace(curated, epochs=epochs),
        replace(curated, name="curated, fewer steps", seeds=1),
        replace(curated, name="curated half", curate=half, seeds=1),
    ):
        reports[arm.name] = folders(folder, arm, seed, "evaluate")
    return {name: made["report"] for name, made in reports.items()}


def folders(folder: Path, arm: Arm, seed: int, command: str) -> dict[str, Path]:
    """Where the artifacts of an arm lie."""
    recipe = folder / f"{arm.name.replace(', ', '-').replace(' ', '-')}.yaml"
    recipe.write_text(
        RECIPE.format(
            seed=seed, columns=COLUMNS, curate=arm.curate, epochs=arm.epochs, seeds=arm.seeds
        ),
        encoding="utf-8",
    )
    words = [sys.executable, "-m", "tutelage", command, str(recipe), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    form = json.loads(done.stdout.splitlines()[-1])
    if form["error"]:
        raise SystemExit(f"{arm.name}: {form['error']}")
    found = {one["kind"]: Path(one["folder"]) for one in form["artifacts"]}
    print(arm.name, arm.epochs, counts(found["dataset"]), file=sys.stderr)
    return found


def counts(folder: Path) -> dict[str, int]:
    """What an artifact's stage counted."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    found: dict[str, int] = manifest["counts"]
    return found


def compared(raw: Path, curated: Path) -> Iterator[dict[str, Any]]:
    """Each metric of the first training of both, paired; then over trainings, where there are."""
    one, two = (
        Artifact(folder=folder, manifest=read_manifest(folder / MANIFEST))
        for folder in (raw, curated)
    )
    measures = [one for one in measures_in(two)["calls"] if one.metric in METRICS]
    systems = [system_of(number + 1) for number in range(TRAININGS)]
    pairs = [
        pair(second["calls"], first["calls"])
        for first, second in ((samples_in(one, name), samples_in(two, name)) for name in systems)
        if second
    ]
    for measure in measures:
        found = difference(measure, pairs[0], stream(measure.metric, 0))
        yield told(measure, found, 1)
        if len(pairs) > 1:
            yield told(measure, over_trainings(measure, pairs), len(pairs))


def over_trainings(measure: Measure, pairs: Sequence[Pairs]) -> Interval:
    """The mean difference over trainings and tasks."""
    sides = [
        [pseudovalues(measure, rows, one.clusters) for rows in (one.first, one.second)]
        for one in pairs
    ]
    table = [first - second for first, second in sides if first is not None and second is not None]
    return crossed(np.stack(table)).interval()


def told(measure: Measure, found: Interval, trainings: int) -> dict[str, Any]:
    return {
        "metric": measure.metric,
        "difference": round(found.value, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "n": found.n,
        "trainings": trainings,
        "method": found.method,
    }


if __name__ == "__main__":
    main()
