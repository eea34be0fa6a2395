"""How fast rows are trained on, beside TRL.

    python benchmarks/training.py --rival PYTHON [--case NAME ...] [--rounds N]

PYTHON is an interpreter that has trl, peft, transformers and torch. Each system trains the same
model on the same rows from process start, clipping gradients and logging every step, with about as
many tokens a step; the first two steps are left out of its speed. `trl best` is the quickest of its
ways found on CPUs: rows of like length side by side (nothing is padded), bf16, its loss on taught
positions alone, no gradient checkpointing. `trl packed` is its packing by best fit; `trl default`
its defaults. Systems take turns (A B B A); one JSON line a system and case is appended to
`benchmarks/results/training.jsonl`: the median over rounds with the least and the most.

`supervised/s` counts taught tokens, which are the same for all. MFU is the useful work (each token
of each lesson once, the head only at taught ones) by the product of matrices measured in the same
process. `cpu/wall` under the number of threads says that the machine did something else.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from methods import RESULTS, ROOT, commit, hardware

BASE = ROOT / "tutelage" / "bases" / "tiny"
DATA = ROOT / "benchmarks" / "data"
THREADS = 2
WARM = 2  # steps left out
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
POLICY = (
    "You answer for {0}. Be brief and friendly, and answer in the language of the request. Say "
    "only what you know: where a fact is missing, say that it is missing and name who would "
    "know it. Never ask for passwords, card numbers or other secrets, and never repeat one that"
    " was sent to you. Requests about {1} are yours; everything about contracts, refunds or "
    "complaints goes to a person, whom you announce with one sentence. Do not give medical, "
    "legal or tax advice. Where a request would harm somebody, decline in one sentence and "
    "offer what is safe instead. Write lists only where the request has several parts; write "
    "numbers as digits, dates as day, month and year, and amounts with their currency. Links "
    "are left out. If the request is a greeting, greet back and ask what is needed. If it is "
    "rude, stay calm and answer what can be answered. Close with no signature and no "
    "advertisement."
)
POLICIES = [
    POLICY.format(*who)
    for who in (
        ("a public library", "books, opening hours and reading rooms"),
        ("a bicycle shop", "repairs, spare parts and rides"),
        ("a city's parks office", "trees, playgrounds and events"),
        ("a small museum", "tickets, tours and the collection"),
    )
]
# name: shape, rows, method, how many rows, tokens a step, systems
CASES: dict[str, tuple[str, str, str, int, int, tuple[str, ...]]] = {
    "7m": ("7m", "inst", "full", 1600, 2048, ("ours", "compiled", "best", "packed")),
    "7m default": ("7m", "inst", "full", 400, 2048, ("compiled", "default")),
    "7m lora": ("7m", "inst", "lora", 1600, 2048, ("ours", "compiled", "best")),
    "7m long prompts": ("7m", "longprompt", "full", 600, 2048, ("ours", "compiled", "best")),
    "7m long answers": ("7m", "longresp", "full", 500, 2048, ("ours", "compiled", "best")),
    "7m shared": ("7m", "shared", "full", 1200, 4096, ("ours", "compiled", "best")),
    "135m": ("135m", "inst", "full", 120, 2048, ("ours", "best")),
    "135m lora": ("135m", "inst", "lora", 120, 2048, ("ours", "best")),
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
        "config": {**COMMON, **SHAPES[shape]},
    }
    write_base(folder / "base", job["config"])
    write_rows(folder / "rows.jsonl", list(texts(rows))[:count])
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
    out["loss"] = [round(one["loss"], 4) for one in runs]
    speed = "supervised_per_second"
    out["times_rival"] = round(middle(runs, speed) / middle(rival, speed), 2)
    out["memory_of_rival"] = round(middle(runs, "peak_mib") / middle(rival, "peak_mib"), 2)
    return out


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


def write_base(folder: Path, config: dict[str, Any]) -> None:
    """The shape with random weights, and the shipped base's tokenizer."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    folder.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        if (BASE / name).exists():
            (folder / name).write_bytes((BASE / name).read_bytes())
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def texts(kind: str) -> Iterator[list[dict[str, str]]]:
    """Conversations of a kind, in the order of their file."""
    name = "xquad" if kind == "longprompt" else "dolly"
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        for number, row in enumerate(map(json.loads, file)):
            if kind == "longresp" and len(row["answer"]) < 900:
                continue
            if kind == "shared" and len(row["answer"]) > 400:
                continue
            said = [("user", row["request"]), ("assistant", row["answer"])]
            if kind == "shared":
                said = [("system", POLICIES[number % len(POLICIES)]), *said]
            yield [{"role": role, "content": text} for role, text in said]


def write_rows(path: Path, rows: list[list[dict[str, str]]]) -> None:
    lines = [json.dumps({"messages": messages}) + "\n" for messages in rows]
    path.write_text("".join(lines), encoding="utf-8")


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
