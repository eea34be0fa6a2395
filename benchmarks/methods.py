"""What each method reaches on the examples at the same budget, and what the base is worth.

    python benchmarks/methods.py [--untimed] [EXAMPLE ...]

Runs an example's recipe once as it is and once for every other method, and once from random
weights as the control; what is in the example's store is not run again. One JSON line a system
and metric goes to `benchmarks/results/methods-EXAMPLE.jsonl` as soon as a variant is done.
With `--untimed`, for a machine that does other work beside it, what is trained now has no
`train_seconds`; what was trained before keeps its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
ALPHA = 0.05
VARIANTS = {
    "as shipped": [],
    "random start": ["train.init=random"],
    "lora adamw": ["train.method=lora", "train.optimizer=adamw"],
    "full adamw": ["train.method=full", "train.optimizer=adamw"],
    "lora muon": ["train.method=lora", "train.optimizer=muon"],
}


def main() -> None:
    words = sys.argv[1:]
    timed = "--untimed" not in words
    since = None if timed else datetime.now(UTC).isoformat()
    for example in [word for word in words if word != "--untimed"] or ["intents", "support"]:
        measure(example, since)


def measure(example: str, untimed_since: str | None = None) -> None:
    """Run every variant, and write after each what is known so far."""
    project = ROOT / "examples" / example
    RESULTS.mkdir(exist_ok=True)
    lines: list[dict[str, object]] = []
    for name in VARIANTS:
        lines += run(project, example, name, untimed_since)
        text = "\n".join(json.dumps(line) for line in lines) + "\n"
        (RESULTS / f"methods-{example}.jsonl").write_text(text, encoding="utf-8")


def run(
    project: Path, example: str, name: str, untimed_since: str | None
) -> list[dict[str, object]]:
    """One variant's metrics, with what its training took."""
    overrides = [word for change in VARIANTS[name] for word in ("--set", change)]
    command = [sys.executable, "-m", "tutelage", "evaluate", str(project / "recipe.yaml"), "--json"]
    done = subprocess.run([*command, *overrides], capture_output=True, text=True, check=False)
    form = json.loads(done.stdout.splitlines()[-1])
    if not form["artifacts"]:
        raise SystemExit(f"{example}, {name}: {form['error'] or done.stderr}")
    kept = {one["kind"]: project / ".tutelage" / "store" / one["name"] for one in form["artifacts"]}
    adapter = json.loads((kept["adapter"] / "manifest.json").read_text(encoding="utf-8"))
    untimed = untimed_since is not None and adapter["started"] > untimed_since
    about = {
        "benchmark": f"methods/{example}",
        "variant": name,
        "train_seconds": None if untimed else adapter["seconds"],
        "train": {key: adapter["environment"].get(key) for key in ("precision", "peak_memory_mb")},
        "trained_parameters": adapter["counts"]["trained_parameters"],
        "commit": commit(),
        "hardware": hardware(),
        "versions": {key: adapter["environment"].get(key) for key in ("python", "torch")},
    }
    metrics = [json.loads(line) for line in (kept["report"] / "metrics.jsonl").open()]
    shown = [
        metric
        for metric in metrics
        if not metric["slice"]
        and metric["baseline"] is None
        and "one-sided" not in metric["method"]
    ]
    wanted = shown if name == "as shipped" else [m for m in shown if m["system"] == "tuned"]
    print(f"{example}, {name}: {adapter['seconds']:.0f} s", file=sys.stderr)
    return [about | metric for metric in wanted]


def at_least(n: int) -> float:
    """Lower end of the exact one-sided 95 % interval of a share that was 1 in all n."""
    return float(ALPHA ** (1 / n)) if n else 0.0


def commit() -> str:
    """The commit measured, `-dirty` where the measured code or data differ from it."""
    described = _git("describe", "--always")
    changed = _git("status", "--porcelain", "--", "tutelage", "examples")
    return f"{described}-dirty" if changed else described


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()


def hardware() -> str:
    """The processor, as the kernel names it, and how many of it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(models)} x {models[0]}" if models else "unknown"


if __name__ == "__main__":
    main()
