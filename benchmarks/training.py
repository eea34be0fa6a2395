"""How fast rows are trained on, beside TRL.

    python benchmarks/training.py --rival PYTHON [--case NAME ...] [--rounds N]

PYTHON is an interpreter that has trl, peft, transformers and torch. Each system trains the same
model on the same rows from process start, clipping gradients and logging every step, with about as
many tokens a step; the first two steps are left out of its speed. `trl best` is the quickest of its
ways found on CPUs: rows of like length side by side (nothing is padded), bf16, its loss on taught
positions alone, no gradient checkpointing. `trl packed` is its packing by best fit; `trl default`
its defaults. Systems take turns (A B B A); one JSON line a system and case is appended to
`benchmarks/results/training.jsonl`: the median over rounds with the least and the most.

"to a held-out loss" trains the shipped base on function calls with both; every ten steps, the clock
stopped, the loss of rows held out is measured, and `seconds_to_loss` says when it fell to `GOAL`.

`supervised/s` counts taught tokens, which are the same for all. MFU is the useful work (each token
of each lesson once, the head only at taught ones) by the product of matrices measured in the same
process. `cpu/wall` under the number of threads says that the machine did something else.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from methods import RESULTS, commit, hardware
from training_data import BASE, spread, texts, write_base, write_held, write_rows

THREADS = 2
WARM = 2  # steps left out
HELD, EVERY, GOAL = 200, 10, 0.15  # rows held out, steps between looks at them, nats a token
FOLDED = 0.52  # tokens of those rows once their shared prompt is folded: both take as many steps
SHAPES = {  # a Qwen3 of 7 M weights, and that of SmolLM2-135M
    "7m": {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 256,
        "num_hidden_layers": 6,
        "intermediate_size": 768,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 64,
        "vocab_size": 8192,
    },
    "135m": {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "intermediate_size": 1536,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": 64,
        "vocab_size": 49152,
    },
}
COMMON = {
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "attention_bias": False,
    "tie_word_embeddings": True,
    "eos_token_id": 2,
    "pad_token_id": 3,
    "torch_dtype": "float32",
}
# name: shape, rows, method, how many rows, tokens a step, systems
CASES: dict[str, tuple[str, str, str, int, int, tuple[str, ...]]] = {
    "7m": ("7m", "inst", "full", 400, 2048, ("ours", "compiled", "best", "packed")),
    "7m default": ("7m", "inst", "full", 400, 2048, ("compiled", "default")),
    "7m lora": ("7m", "inst", "lora", 400, 2048, ("ours", "compiled", "best")),
    "7m long prompts": ("7m", "longprompt", "full", 250, 2048, ("ours", "best")),
    "7m long answers": ("7m", "longresp", "full", 200, 2048, ("ours", "best")),
    "7m shared": ("7m", "shared", "full", 260, 4096, ("ours", "compiled", "best")),
    "to a held-out loss": ("tiny", "calls", "full", 2400, 2048, ("ours", "best")),
    "135m": ("135m", "inst", "full", 60, 2048, ("ours", "best")),
    "135m lora": ("135m", "inst", "lora", 60, 2048, ("ours", "best")),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", required=True, help="an interpreter that has trl")
    parser.add_argument("--case", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    for case in given.case:
        with tempfile.TemporaryDirectory() as folder:
            measure(case, Path(folder), given.rival, given.rounds)


def measure(case: str, folder: Path, rival: str, rounds: int) -> None:
    """All systems of a case in turns; the next round the other way round."""
    shape, rows, method, count, step_tokens, systems = CASES[case]
    job = {
        "folder": str(folder),
        "method": method,
        "step_tokens": step_tokens,
        "threads": THREADS,
        "config": {**COMMON, **SHAPES.get(shape, {})},
        "every": EVERY if shape == "tiny" else 0,
        "folded": FOLDED if shape == "tiny" else 1.0,
    }
    if shape == "tiny":
        shutil.copytree(BASE, folder / "base")
        job["config"] = json.loads((BASE / "config.json").read_text(encoding="utf-8"))
    else:
        write_base(folder / "base", job["config"])
    said = list(texts(rows))
    write_rows(folder / "rows.jsonl", spread(said[:-HELD] if job["every"] else said, count))
    if job["every"]:
        write_held(folder, said[-HELD:])
    found: dict[str, list[dict[str, Any]]] = {system: [] for system in systems}
    for number in range(rounds):
        for system in systems if number % 2 == 0 else systems[::-1]:
            done = run(system, job, rival)
            print(f"{case}: {system}: {json.dumps(done)}", file=sys.stderr)
            found[system].append(done)
    with (RESULTS / "training.jsonl").open("a", encoding="utf-8") as file:
        for system, runs in found.items():
            line = {"benchmark": "training", "case": case, "system": system, "n": rounds}
            line |= summary(runs, found["best" if "best" in found else "default"])
            line |= {"commit": commit(), "hardware": hardware(), "versions": runs[0]["versions"]}
            file.write(json.dumps(line) + "\n")


def summary(runs: list[dict[str, Any]], rival: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians, the spread of the speed, and how they compare with the rival's best."""
    names = ("supervised_per_second", "tokens_per_second", "peak_mib", "first_step_seconds")
    out: dict[str, Any] = {name: round(middle(runs, name), 1) for name in names}
    speeds = [one["supervised_per_second"] for one in runs]
    out |= {"low": round(min(speeds), 1), "high": round(max(speeds), 1)}
    out["mfu"] = round(middle(runs, "mfu"), 3)
    out["peak_gflops"] = round(middle(runs, "peak_gflops"))
    out["cpu_by_wall"] = round(middle(runs, "cpu_by_wall"), 2)
    if "curve" in runs[0]:
        times = [seconds_to(GOAL, one["curve"]) for one in runs]
        theirs = [seconds_to(GOAL, one["curve"]) for one in rival]
        out["seconds_to_loss"] = [round(one, 1) for one in times]
        out["times_rival_to_loss"] = round(median(theirs) / median(times), 2)
    out["loss"] = [round(one["loss"], 4) for one in runs]
    speed = "supervised_per_second"
    out["times_rival"] = round(middle(runs, speed) / middle(rival, speed), 2)
    out["memory_of_rival"] = round(middle(runs, "peak_mib") / middle(rival, "peak_mib"), 2)
    return out


def seconds_to(goal: float, curve: list[list[float]]) -> float:
    """When the loss fell to the goal, between two looks by a straight line."""
    for (began, high), (ended, low) in pairwise(curve):
        if low <= goal:
            return began + (ended - began) * (high - goal) / max(high - low, 1e-9)
    return float("inf")


def middle(runs: list[dict[str, Any]], name: str) -> float:
    return float(median(one[name] for one in runs))


def run(system: str, job: dict[str, Any], rival: str) -> dict[str, Any]:
    """One training in a process of its own."""
    mine = system in ("ours", "compiled")
    script = "training_ours.py" if mine else "training_rival.py"
    words = [sys.executable if mine else rival, str(Path(__file__).with_name(script))]
    given = json.dumps({**job, "system": system, "began": time.time()})
    settings = {"OMP_NUM_THREADS": str(THREADS), "TOKENIZERS_PARALLELISM": "true"}
    done = subprocess.run(
        [*words, given], capture_output=True, text=True, env={**os.environ, **settings}, check=False
    )
    if done.returncode:
        raise SystemExit(f"{system}: {done.stderr[-3000:]}")
    form: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return form


class Curve:
    """The held-out loss over the seconds of training; looking at it takes none."""

    def __init__(self, job: dict[str, Any], look: Callable[[], float]) -> None:
        self.every, self.look = job["every"], look
        self.points: list[list[float]] = []
        self.idle, self.began = 0.0, 0.0

    def step(self, done: int) -> None:
        """Called after each step; the first begins the clock."""
        now = time.time()
        self.began = self.began or now
        if self.every and done % self.every == 1:
            self.points.append([now - self.began - self.idle, self.look()])
            self.idle += time.time() - now

    def figures(self) -> dict[str, Any]:
        return {"curve": self.points} if self.points else {}


def figures(
    job: dict[str, Any], steps: list[dict[str, float]], ends: list[float], cpu: list[float]
) -> dict[str, Any]:
    """What a training's steps say: `ends` and `cpu` hold the moment each ended, wall and CPU."""
    timed = steps[WARM:]
    seconds = ends[-1] - ends[WARM - 1]
    work = sum(useful_flops(job, one) for one in timed)
    peak = matmul_peak()
    return {
        "supervised_per_second": sum(one["supervised"] for one in timed) / seconds,
        "tokens_per_second": sum(one["tokens"] for one in timed) / seconds,
        "steps": len(steps),
        "mfu": work / seconds / peak,
        "peak_gflops": peak / 1e9,
        "cpu_by_wall": (cpu[-1] - cpu[WARM - 1]) / seconds,
        "first_step_seconds": ends[0] - job["began"],
        "peak_mib": peak_mib(),
        "loss": steps[-1]["loss"],
    }


def useful_flops(job: dict[str, Any], step: dict[str, float]) -> float:
    """Forward and backward of each lesson's own tokens; with LoRA no gradient of the base."""
    c = job["config"]
    heads = c["num_attention_heads"] + c["num_key_value_heads"]
    body = c["num_hidden_layers"] * (
        c["hidden_size"] * (2 * heads * c["head_dim"] + 3 * c["intermediate_size"])
    )
    head = c["vocab_size"] * c["hidden_size"]
    width = c["num_hidden_layers"] * c["num_attention_heads"] * c["head_dim"]
    passes = 3 if job["method"] == "full" else 2
    linear = 2 * passes * (body * step["tokens"] + head * step["supervised"])
    return linear + 3 * 2 * width * step["squares"]  # half of the square is out of sight


def matmul_peak(size: int = 2048, tries: int = 5) -> float:
    """FLOP/s of the best of a few products in bf16, or in fp32 where that is quicker."""
    import torch

    best = 0.0
    for kind in (torch.bfloat16, torch.float32):
        a, b = torch.randn(size, size).to(kind), torch.randn(size, size).to(kind)
        for _ in range(tries):
            began = time.perf_counter()
            a @ b
            best = max(best, 2 * size**3 / (time.perf_counter() - began))
    return best


def peak_mib() -> int:
    """The most memory this process has had."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmHWM")) >> 10


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
