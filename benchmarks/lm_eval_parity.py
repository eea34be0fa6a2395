"""Scores and speed beside lm-eval's Hugging Face backend: same model, same items, one run.

    python benchmarks/lm_eval_parity.py DATA --rival PYTHON [--limit N] [--batch 1,8,auto]

DATA is a folder with public sets (truthfulqa, bbh, xquad_en, snips, clinc150), PYTHON an
interpreter that has lm-eval. Both use one thread and fp32 on `tutelage/tiny`. Per sample acc,
acc_norm, mc1 and mc2 are compared, and log-probabilities to rounding; the bridge, lm-eval's own
loop over our engine, too. For speed, TruthfulQA with six shared shots and BBH with three are
timed: processor seconds from texts to log-probabilities, lm-eval at the best of the batch sizes.
A line a claim goes to `benchmarks/results/lm_eval.jsonl`; `--fixture FILE` keeps a few rows with
lm-eval's numbers, which a test holds ours against.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_eval_tasks import Local, local_tasks, write
from methods import RESULTS, ROOT, commit, hardware

BASE = "tutelage/tiny"
FOLDER = ROOT / "tutelage" / "bases" / "tiny"
TIMED = {"truthfulqa": ("truth_mc1",), "bbh": ("bbh_booleans", "bbh_snarks", "bbh_colours")}
LICENCES = {"truth": "Apache-2.0", "bbh": "MIT"}
KEPT = 3  # rows of a task in the fixture
ROUNDING = 2e-3  # nats of a continuation


def main() -> None:
    """Compares and times; one JSON line a claim."""
    asked = _asked()
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks = local_tasks(asked.data, asked.limit)
        write(tasks, folder)
        ours = {one.name: weighed(one, folder) for one in tasks}
        names = [one.name for one in tasks]
        batches = asked.batch.split(",")
        theirs = rival(asked.rival, folder, names, batches[-1])
        lines = [parity(one, ours[one.name], theirs) for one in tasks]
        if asked.fixture is not None:
            keep(asked.fixture, tasks, theirs)
        if asked.bridge:
            bridged = rival(asked.rival, folder, names, "1", bridge=True)
            lines.append(same_by_bridge(theirs, bridged))
        for claim, timed in TIMED.items():
            cpu = sum(ours[one]["cpu"] for one in timed)
            best = min(
                (rival(asked.rival, folder, timed, batch)["took"]["cpu"], batch)
                for batch in batches
            )
            lines.append(
                {
                    "name": f"lm_eval.speed.{claim}",
                    "value": round(best[0] / cpu, 2),
                    "unit": "times as fast",
                    "n": sum(len(ours[one]["samples"]) for one in timed),
                    "ours_cpu_seconds": round(cpu, 2),
                    "theirs_cpu_seconds": round(best[0], 2),
                    "their_batch": best[1],
                }
            )
    told = {"version": theirs["version"], "commit": commit(), "hardware": hardware()}
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(line | told) + "\n" for line in lines)
    (RESULTS / "lm_eval.jsonl").write_text(text, encoding="utf-8")
    print(text, end="")


def weighed(task: Local, folder: Path) -> dict[str, Any]:
    """Our scores of every row, and what they took."""
    from tutelage.core.recipe import Choices, Shots, Suite, loads
    from tutelage.engine.continuations import logprobs_of
    from tutelage.engine.local import LocalEngine
    from tutelage.evaluate.weigh import weigh, weighed_sample
    from tutelage.render.continuation import Continuations, cut_to
    from tutelage.render.contract import Contract
    from tutelage.score.options import LOGPROB, Options
    from tutelage.score.task import tasks_of
    from tutelage.store.base import find_base
    from tutelage.store.ingest import read_examples

    recipe = loads("name: parity\n").at(folder)
    suite = Suite(
        name=task.name,
        path=f"{task.name}.jsonl",
        scorers=("choices",),
        choices=Choices(asks=task.asks),
        prompt="plain",
        shots=Shots(path=f"{task.name}.shots.jsonl", count=len(task.shots)) if task.shots else None,
    )
    base = find_base(BASE, folder)
    contract = Contract.open(recipe.contract, base, recipe)
    engine = LocalEngine.open(base, None, decode=contract.decode, precision="fp32")
    weighing = Continuations(contract=contract)
    tasks = tasks_of(task.name, read_examples(suite, recipe).examples)
    shots = ()
    if suite.shots is not None:
        reading = suite.model_copy(update={"path": suite.shots.path})
        shots = tuple(read_examples(reading, recipe).examples)
    wall, cpu = time.monotonic(), time.process_time()
    asked = weigh(weighing, suite, tasks, shots)
    lessons = [cut_to(lesson, weighing.context) for one in asked for lesson in one.lessons]
    found = iter(logprobs_of(engine.score, lessons, row_tokens=2048))
    samples = []
    for one in asked:
        sample = weighed_sample(one, [next(found) for _ in one.lessons], "base", 0.0)
        logs = [sample.scores[f"{LOGPROB}{place}"] for place in range(len(one.lessons))]
        samples.append({"logprobs": logs, **Options().spent(one.task, sample)})
    took = {"seconds": time.monotonic() - wall, "cpu": time.process_time() - cpu}
    return {"samples": samples, **took}


def rival(
    python: str, folder: Path, tasks: Any, batch: str, *, bridge: bool = False
) -> dict[str, Any]:
    """lm-eval's scores of every row, and what asking took."""
    out = folder / "theirs.json"
    job = {
        "base": str(FOLDER),
        "folder": str(folder),
        "tasks": list(tasks),
        "batch": batch if batch == "auto" else int(batch),
        "threads": 1,
        "bridge": bridge,
        "out": str(out),
    }
    environment = {
        "PATH": "/usr/bin:/bin",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(folder / "hub"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    script = Path(__file__).parent / "lm_eval_rival.py"
    subprocess.run(
        [python, str(script), json.dumps(job)], check=True, env=environment, stdout=sys.stderr
    )
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def parity(task: Local, ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """How many samples have the very scores of lm-eval, and how far log-probabilities are off."""
    rows = sorted(theirs["samples"][task.name], key=lambda one: one["doc"])
    same = nan = 0
    furthest = 0.0
    for mine, other in zip(ours["samples"], rows, strict=True):
        gaps = [
            abs(one - two) for one, two in zip(mine["logprobs"], other["logprobs"], strict=True)
        ]
        furthest = max(furthest, *gaps)
        if task.truth and math.isnan(other["acc"]):
            nan += 1
            same += math.isfinite(mine["mc2"])
        elif task.truth:
            same += abs(mine["mc2"] - other["acc"]) <= 1e-5
        else:
            same += all(mine[name] == other[name] for name in ("acc", "acc_norm"))
    return {
        "name": f"lm_eval.parity.{task.name}",
        "value": same,
        "unit": "samples alike",
        "n": len(rows),
        "their_nan": nan,
        "furthest_nats": round(furthest, 6),
        "within_rounding": furthest <= ROUNDING,
    }


def keep(path: Path, tasks: Sequence[Local], theirs: dict[str, Any]) -> None:
    """A few rows of the sets under MIT and Apache-2.0, with what lm-eval gives them."""
    kept = []
    for task in tasks:
        if task.name.partition("_")[0] not in LICENCES:
            continue
        rows = sorted(theirs["samples"][task.name], key=lambda one: one["doc"])
        chosen = [*range(KEPT - 1), len(rows) - 1]
        kept.append(
            {
                "task": task.name,
                "licence": LICENCES[task.name.partition("_")[0]],
                "asks": task.asks,
                "shots": list(task.shots),
                "rows": [task.rows[place] for place in chosen],
                "theirs": [_plain(rows[place]) for place in chosen],
            }
        )
    form = {"lm_eval": theirs["version"], "base": BASE, "tasks": kept}
    path.write_text(json.dumps(form, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _plain(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample without NaN, which JSON has not."""
    logs = [round(one, 4) for one in sample["logprobs"]]
    scores = {key: sample[key] for key in ("acc", "acc_norm") if key in sample}
    kept = {key: None if math.isnan(value) else value for key, value in scores.items()}
    return {"logprobs": logs, **kept}


def same_by_bridge(theirs: dict[str, Any], bridged: dict[str, Any]) -> dict[str, Any]:
    """How many samples lm-eval scores alike over our engine and over its own."""
    pairs = [
        (one, two)
        for name, rows in theirs["samples"].items()
        for one, two in zip(rows, bridged["samples"][name], strict=True)
    ]
    same = sum(
        all(
            one[key] == two[key] or abs(one[key] - two[key]) <= 1e-5 or math.isnan(one[key])
            for key in ("acc", "acc_norm")
            if key in one
        )
        for one, two in pairs
    )
    return {"name": "lm_eval.bridge", "value": same, "unit": "samples alike", "n": len(pairs)}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--rival", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch", default="1,8,16,auto")
    parser.add_argument("--fixture", type=Path)
    parser.add_argument("--bridge", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
