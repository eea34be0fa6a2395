"""How fast rows become token ids that may be trained on, beside TRL's own path.

    python benchmarks/rendering.py --rival PYTHON [--rows N ...] [--rounds N]

PYTHON is an interpreter that has trl, datasets, transformers and torch. Both take the same rows
(requests of the examples, numbered where there are not enough) with the shipped base's tokenizer
and template. Ours is all of `make_tokens`: rows read, rendered, masked, fitted, proven, the
ledger and the memory map written, processes started. Theirs is `SFTTrainer._prepare_dataset` with
two processes, once on `messages` (every token is trained on) and once on `prompt` and `completion`
(the prompt is masked). Rounds alternate. One JSON line a figure is appended to
`benchmarks/results/rendering.jsonl`: the mean over rounds with the least and the most; and the
most memory a process of ours had.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import mean
from typing import Any

from methods import RESULTS, ROOT, commit, hardware

BASE = ROOT / "tutelage" / "bases" / "tiny"
SOURCES = {  # file: its columns for system, request and answer
    "examples/intents/data/train.jsonl.gz": ("instruction", "input", "output"),
    "examples/support/data/train.jsonl.gz": ("system", "request", "answer"),
}
ROLES = ("system", "user", "assistant")
PROCESSES = 2
RECIPE = """\
name: rendering
curate:
  sources: [{path: rows.jsonl, origin: human, licence: CC0-1.0}]
  duplicates: {near: false}
  validation: 0
train: {base: tutelage/tiny}
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", help="an interpreter that has trl")
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--time", choices=("ours", *RIVALS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.time:
        timed = ours if given.time == "ours" else theirs
        print(json.dumps(timed(given.folder, given.time)))
        return
    if not given.rival:
        parser.error("--rival PYTHON is needed")
    for count in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), count, given)


def measure(folder: Path, count: int, given: Any) -> None:
    """All rounds at one size."""
    write(folder, count)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", *RIVALS)}
    for _ in range(given.rounds):
        for name, rounds in found.items():
            python = sys.executable if name == "ours" else given.rival
            words = [python, __file__, "--time", name, "--folder", str(folder)]
            done = subprocess.run(words, check=True, capture_output=True, text=True)
            rounds.append(json.loads(done.stdout.splitlines()[-1]))
    lines = []
    for name, rounds in found.items():
        speeds = [count / one["seconds"] for one in rounds]
        ratios = [
            mine["seconds"] and one["seconds"] / mine["seconds"]
            for mine, one in zip(found["ours"], rounds, strict=True)
        ]
        lines.append(
            {
                "benchmark": "rendering",
                "system": name,
                "rows": count,
                "unit": "rows/s",
                "n": len(rounds),
                "value": round(mean(speeds)),
                "low": round(min(speeds)),
                "high": round(max(speeds)),
                "times_ours": [round(one, 2) for one in ratios],
                "tokens": rounds[0]["tokens"],
                "peak_mib": max(one["peak_mib"] for one in rounds),
                "versions": rounds[0]["versions"],
                "commit": commit(),
                "hardware": hardware(),
            }
        )
        print(json.dumps(lines[-1]), file=sys.stderr)
    with (RESULTS / "rendering.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def write(folder: Path, count: int) -> None:
    """The rows and a recipe for them, the dataset made."""
    from tutelage.pipeline import curate
    from tutelage.store.tables import ROWS, outline

    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number, messages in zip(range(count), texts(), strict=False):
            file.write(json.dumps({"messages": messages(number)}) + "\n")
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    dataset = curate(folder / "recipe.yaml")
    kept = sum(map(len, outline(dataset.file(ROWS))))
    if kept < 0.9 * count:
        raise SystemExit(f"only {kept} of {count} rows were kept")


def texts() -> Iterator[Any]:
    """The examples' conversations, again and again, each time numbered otherwise."""
    rows = []
    for source, columns in SOURCES.items():
        with gzip.open(ROOT / source, "rt", encoding="utf-8") as file:
            rows += [[row[column] for column in columns] for row in map(json.loads, file)]
    while True:
        for row in rows:

            def numbered(number: int, said: list[str] = row) -> Any:
                system, request, answer = said
                spoken = (system, f"{request} ({number})", answer)
                return [{"role": r, "content": c} for r, c in zip(ROLES, spoken, strict=True)]

            yield numbered


def ours(folder: Path, name: str) -> dict[str, Any]:
    """Seconds of `make_tokens`."""
    import tutelage
    from tutelage.core.recipe import load
    from tutelage.curate.run import run as curate
    from tutelage.render.contract import Contract
    from tutelage.store.base import find_base
    from tutelage.store.run import Run
    from tutelage.train.tokens import make_tokens

    recipe = load(folder / "recipe.yaml", [f"train.threads={PROCESSES}"])
    if recipe.train is None or recipe.curate is None:
        raise SystemExit("the recipe has no sections")
    with Run.open(recipe) as run:
        dataset = curate(recipe.curate, {}, run)
    with Run.open(recipe, force=True) as run:
        began = time.perf_counter()
        base = find_base(recipe.train.base, recipe.base_dir)
        contract = Contract.open(recipe.contract, base, recipe)
        tokens = make_tokens(recipe.train, dataset, contract, base, run)
        seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "tokens": tokens.counts["tokens"],
        "peak_mib": peak_mib(),
        "versions": {"tutelage": tutelage.__version__},
    }


def theirs(folder: Path, name: str) -> dict[str, Any]:
    """Seconds of TRL's preparation, whose cache is kept from helping."""
    import datasets
    import transformers
    import trl

    datasets.disable_caching()
    taken: dict[str, float] = {}

    class Timed(trl.SFTTrainer):
        def _prepare_dataset(self, *given: Any, **more: Any) -> Any:
            began = time.perf_counter()
            prepared = super()._prepare_dataset(*given, **more)
            taken["seconds"] = time.perf_counter() - began
            return prepared

    rows = datasets.Dataset.from_list(list(shaped(folder, name)))
    tokenizer = transformers.AutoTokenizer.from_pretrained(BASE)
    settings = trl.SFTConfig(
        output_dir=str(folder / "theirs"),
        dataset_num_proc=PROCESSES,
        max_length=2048,
        report_to=[],
        use_cpu=True,
        bf16=False,
    )
    model = transformers.AutoModelForCausalLM.from_pretrained(BASE)
    trainer = Timed(model, args=settings, train_dataset=rows, processing_class=tokenizer)
    prepared = trainer.train_dataset
    return {
        "seconds": taken["seconds"],
        "tokens": sum(map(len, prepared["input_ids"])),
        "peak_mib": peak_mib(),
        "versions": {one.__name__: one.__version__ for one in (trl, datasets, transformers)},
    }


def shaped(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows as TRL takes them."""
    with (folder / "rows.jsonl").open(encoding="utf-8") as file:
        for line in file:
            messages = json.loads(line)["messages"]
            if name == "trl messages":
                yield {"messages": messages}
            else:
                yield {"prompt": messages[:-1], "completion": messages[-1:]}


def peak_mib() -> int:
    """The most memory this process or one it started has had.

    `ru_maxrss` of this process would begin with that of the one that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) >> 10


RIVALS = ("trl messages", "trl prompt_completion")

if __name__ == "__main__":
    main()
