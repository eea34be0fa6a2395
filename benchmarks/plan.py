"""What `tutelage plan` predicts of memory and time, beside what training then takes.

    python benchmarks/plan.py [--rounds N] [SHAPE ...]

Each shape is a base of random weights, as large as its name says, a method and rows of the first
example. Plan and training are processes of their own, and the plan sees nothing of the training.
One JSON line a shape and figure goes to `benchmarks/results/plan.jsonl`: predicted, measured, and
`value`, the mean over rounds of predicted over measured, with the least and the most.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from methods import RESULTS, ROOT, commit, hardware

TINY = ROOT / "tutelage" / "bases" / "tiny"
ROWS = ROOT / "examples" / "intents" / "data" / "train.jsonl.gz"
COLUMNS = "{system: instruction, user: input, assistant: output}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A base's size, and how it is trained."""

    width: int
    layers: int
    keys: str
    rows: int


SHAPES = {
    "tiny-full": Shape(width=256, layers=4, keys="method: full", rows=12000),
    "tiny-lora": Shape(width=256, layers=4, keys="method: lora", rows=3000),
    "small-full": Shape(width=384, layers=8, keys="method: full", rows=300),
    "small-muon": Shape(width=384, layers=8, keys="method: full, optimizer: muon", rows=1200),
    "medium-full": Shape(width=512, layers=12, keys="method: full, rows_tokens: 1024", rows=600),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shapes", nargs="*", default=list(SHAPES))
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    lines = []
    for name in given.shapes:
        rounds = []
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory() as folder:
                rounds.append(once(Path(folder), SHAPES[name]))
        lines += [line(name, figure, rounds) for figure in ("memory", "seconds")]
        print(*map(json.dumps, lines[-2:]), sep="\n", file=sys.stderr)
    RESULTS.mkdir(exist_ok=True)
    text = "".join(json.dumps(one) + "\n" for one in lines)
    (RESULTS / "plan.jsonl").write_text(text, encoding="utf-8")


def once(folder: Path, shape: Shape) -> dict[str, tuple[float, float]]:
    """Predicted and measured of one plan and one training."""
    write(folder, shape)
    planned = spoken(folder, "plan")["data"]
    trained = spoken(folder, "train")
    adapter = next(one for one in trained["artifacts"] if one["kind"] == "adapter")
    manifest = json.loads((Path(adapter["folder"]) / "manifest.json").read_text("utf-8"))
    measured = int(manifest["environment"]["peak_memory_mb"]) * 2**20
    return {
        "memory": (planned["memory_bytes"], measured),
        "seconds": (planned["seconds"], manifest["seconds"]),
    }


def write(folder: Path, shape: Shape) -> None:
    """A base without weights beside the shipped tokenizer, rows and a recipe."""
    base = folder / "base"
    base.mkdir()
    for path in TINY.iterdir():
        if path.suffix in (".json", ".jinja") and path.name != "config.json":
            (base / path.name).write_bytes(path.read_bytes())
    config = json.loads((TINY / "config.json").read_text("utf-8"))
    heads = shape.width // 64
    config |= {
        "hidden_size": shape.width,
        "intermediate_size": 3 * shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "head_dim": 64,
    }
    (base / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with gzip.open(ROWS, "rt", encoding="utf-8") as source:
        lines = [next(source) for _ in range(shape.rows)]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "recipe.yaml").write_text(
        "name: plan\n"
        "curate:\n"
        "  sources:\n"
        "    - {path: rows.jsonl, format: fields, origin: human, licence: CC0-1.0,\n"
        f"       fields: {COLUMNS}}}\n"
        "  duplicates: {near: false}\n"
        f"train: {{base: base, init: random, checkpoint_every_seconds: 10, {shape.keys}}}\n",
        encoding="utf-8",
    )


def spoken(folder: Path, command: str) -> dict[str, Any]:
    """What a command says as JSON."""
    words = [sys.executable, "-m", "tutelage", command, str(folder / "recipe.yaml"), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    form: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if form["error"]:
        raise SystemExit(f"{command}: {form['error']}")
    return form


def line(name: str, figure: str, rounds: list[dict[str, tuple[float, float]]]) -> dict[str, Any]:
    """One figure of the results."""
    pairs = [one[figure] for one in rounds]
    ratios = [predicted / measured for predicted, measured in pairs]
    return {
        "benchmark": f"plan/{name}",
        "metric": figure,
        "value": round(mean(ratios), 4),
        "low": round(min(ratios), 4),
        "high": round(max(ratios), 4),
        "method": "predicted over measured: mean, least and most of the rounds",
        "unit": "ratio",
        "n": len(rounds),
        "predicted": [round(predicted, 3) for predicted, _ in pairs],
        "measured": [round(measured, 3) for _, measured in pairs],
        "commit": commit(),
        "hardware": hardware(),
    }


if __name__ == "__main__":
    main()
