"""Training steps on a device, and TRL's on the same rows; `gpu.py` starts it."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from gpu_model import Setting, lessons, open_model, packed
from gpu_right import tried
from training import useful_flops

from tutelage.engine.backbone import Backbone
from tutelage.render.lesson import Lesson
from tutelage.train.batch import batch_of
from tutelage.train.device import repeatable
from tutelage.train.meters import matmul_peak
from tutelage.train.step import clip, gradient

WARM = 3  # steps left out
RATE = 1e-4


class Case(NamedTuple):
    """What is trained, and by whom."""

    shape: str
    method: str
    tokens: int  # of a step; a row of TRL's has 4096 at most
    lesson: int  # tokens of each
    shared: int = 0  # of them the first, which all have
    checkpointing: bool = False
    systems: tuple[str, ...] = ("ours", "compiled", "trl")


CASES = {
    "8b lora": Case("8b", "lora", 4096, 1024),
    "8b lora, checkpointed": Case("8b", "lora", 4096, 1024, checkpointing=True),
    "8b lora, long lessons": Case("8b", "lora", 4096, 4096),
    "8b lora, shared prompts": Case("8b", "lora", 4096, 1024, shared=512),
    "8b qlora": Case("8b", "qlora", 4096, 1024, checkpointing=True, systems=("ours", "trl")),
    "135m": Case("135m", "full", 32768, 512),
    "7m": Case("7m", "full", 32768, 512),
}


class Asked(NamedTuple):
    """Which cases, and how many steps of each are timed."""

    cases: tuple[str, ...]
    steps: int


def training(setting: Setting, rival: str | None, asked: Asked) -> Iterator[dict[str, Any]]:
    """A line a case and system; ours are compared with TRL's."""
    precision = torch.bfloat16
    peak = matmul_peak(setting.device.type, precision, torch.get_num_threads())
    for name in asked.cases:
        case = CASES[name]
        found: dict[str, dict[str, Any]] = {}
        for system in case.systems:
            if system == "compiled" and setting.smoke:
                continue
            if system == "trl" and rival is None:
                continue
            job = job_of(setting, case, asked.steps)
            if system == "trl":
                measure = partial(theirs, job, rival or "", some_lessons(setting, case, job))
            else:
                measure = partial(ours, setting, case, job, compiled=system == "compiled")
            found[system] = tried(partial(summary, job, peak, measure))
            gc.collect()
            if setting.device.type == "cuda":
                torch.cuda.empty_cache()
        for system, line in found.items():
            yield {"case": name, "system": system, **line, **ratios(line, found.get("trl", {}))}


def job_of(setting: Setting, case: Case, steps: int) -> dict[str, Any]:
    """What both systems are told."""
    return {
        "config": setting.config(case.shape),
        "method": case.method,
        "step_tokens": setting.tokens(case.tokens),
        "row_tokens": setting.tokens(4096),
        "checkpointing": case.checkpointing,
        "steps": steps + WARM,
        "device": setting.device.type,
        "rate": RATE,
    }


def some_lessons(setting: Setting, case: Case, job: dict[str, Any]) -> list[Lesson]:
    """As many as all steps take."""
    length, shared = setting.tokens(case.lesson), setting.tokens(case.shared)
    a_step = job["step_tokens"] // length
    if shared:  # two trees, each of half a row
        a_step = 2 * ((job["step_tokens"] // 2 - shared) // (length - shared))
    return lessons(job["steps"] * a_step, length, job["config"]["vocab_size"], shared=shared)


def ours(setting: Setting, case: Case, job: dict[str, Any], *, compiled: bool) -> dict[str, Any]:
    """Steps as the training loop takes them."""
    model = open_model(setting, job["config"], case.method)
    if compiled:
        model.compile()
    if case.checkpointing:
        model.recompute("full")
    some = some_lessons(setting, case, job)
    a_step = len(some) // job["steps"]
    parts = [some[at : at + a_step] for at in range(0, len(some), a_step)]
    rows = [packed(part, job["step_tokens"], share=case.shared > 0) for part in parts]
    if setting.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    weights = [weight for weight in model.module.parameters() if weight.requires_grad]
    rule = torch.optim.AdamW(weights, lr=RATE, fused=True)
    steps, ends = [], [time.perf_counter()]
    with repeatable(model, setting.device):
        for part, own in zip(parts, rows, strict=True):
            loss = step(model, rule, own, setting.device)
            setting.wait()
            ends.append(time.perf_counter())
            steps.append({**counted(part), "loss": loss})
    return {"steps": steps, "ends": ends, "peak_mib": peak_mib(), "versions": {}}


def step(
    model: Backbone, rule: torch.optim.Optimizer, rows: list[Any], device: torch.device
) -> float:
    """One optimizer step; its loss."""
    loss = gradient(model, [batch_of(row, device) for row in rows]).loss
    clip([weight for group in rule.param_groups for weight in group["params"]], 1.0)
    rule.step()
    rule.zero_grad()
    return loss


def counted(part: list[Lesson]) -> dict[str, float]:
    return {
        "supervised": float(sum(len(one.completion) for one in part)),
        "tokens": float(sum(map(len, part))),
        "squares": float(sum(len(one) ** 2 for one in part)),
    }


def theirs(job: dict[str, Any], rival: str, some: list[Lesson]) -> dict[str, Any]:
    """The same rows by TRL, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        taught = [
            {"input_ids": [*one.ids], "labels": [-100] * len(one.prompt) + [*one.completion]}
            for one in some
        ]
        (Path(folder) / "rows.json").write_text(json.dumps(taught), encoding="utf-8")
        script = str(Path(__file__).with_name("gpu_rival.py"))
        words = [rival, script, json.dumps({**job, "folder": folder})]
        done = subprocess.run(words, capture_output=True, text=True, env=os.environ, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-400:])
    form: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return form


def summary(job: dict[str, Any], peak: float, measure: Any) -> dict[str, Any]:
    """Speed and share of the peak of the steps after the first few."""
    told = measure()
    steps, ends = told["steps"], told["ends"]
    taken = sorted(
        after - before for before, after in zip(ends[WARM:], ends[WARM + 1 :], strict=False)
    )
    seconds = ends[len(steps)] - ends[WARM]
    timed = steps[WARM:]
    work = sum(useful_flops(job, one) for one in timed)
    return {
        "supervised_per_second": round(sum(one["supervised"] for one in timed) / seconds, 1),
        "tokens_per_second": round(sum(one["tokens"] for one in timed) / seconds, 1),
        "mfu": round(work / seconds / peak, 4),
        "peak_tflops": round(peak / 1e12, 2),
        "peak_mib": told["peak_mib"],
        "step_ms": [round(1e3 * one, 1) for one in (taken[0], taken[len(taken) // 2], taken[-1])],
        "n": len(timed),
        "first_loss": round(steps[0]["loss"], 4),
        "last_loss": round(steps[-1]["loss"], 4),
        "versions": told["versions"],
    }


def ratios(line: dict[str, Any], rival: dict[str, Any]) -> dict[str, float]:
    """Ours by TRL's, where both ended."""
    if "error" in line or "mfu" not in rival:
        return {}
    speed = "supervised_per_second"
    found = {"times_rival": round(line[speed] / rival[speed], 3)}
    if rival["peak_mib"]:
        found["memory_of_rival"] = round(line["peak_mib"] / rival["peak_mib"], 3)
    return found


def peak_mib() -> int:
    """The most this process has had of the device's memory; 0 without one."""
    return torch.cuda.max_memory_allocated() >> 20 if torch.cuda.is_available() else 0
