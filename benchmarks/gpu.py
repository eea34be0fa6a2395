"""What one CUDA device does: training beside TRL, attention, memory, and whether it is right.

    python benchmarks/gpu.py [--rival PYTHON] [--part NAME ...] [--case NAME ...] [--steps N]

PYTHON is an interpreter that has trl, peft and transformers, and flash-attn and liger-kernel if
they shall count. Nothing is downloaded: weights are drawn on the device, rows are random ids. A
line of JSON a measurement is appended to `benchmarks/results/gpu.jsonl`; what fails is a line with
its `error`, and the rest goes on.

- `peak`: products of large matrices, in bf16 and fp32. MFU is the useful work (each token of each
  lesson once, the head at taught ones) by the bf16 figure.
- `attention`: each backend, forward and backward, and how far it is from fp32 written out densely.
- `equality`: the shipped base's loss on the device beside that on the processor.
- `repeat`: whether a step gives the same gradient twice, and what that costs.
- `answers`: tokens a second, generated greedily.
- `training`: steps of 4096 tokens or more, ours as they are and compiled, and TRL's with packing,
  the best attention it has, liger if it is there, bf16, and checkpointing where the case says so.

`--smoke` does the same with a tiny shape, on the processor where there is no device.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gpu_right
import gpu_training
import torch
from gpu_model import Setting
from gpu_training import CASES, Asked
from methods import RESULTS, commit, hardware

from tutelage.train.meters import matmul_peak

Lines = Iterator[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a part is given."""

    setting: Setting
    rival: str | None
    asked: Asked


def peak(given: Given) -> Lines:
    for precision in (torch.bfloat16, torch.float32):
        flops = matmul_peak(given.setting.device.type, precision, torch.get_num_threads())
        name = str(precision).removeprefix("torch.")
        yield {"precision": name, "value": round(flops / 1e12, 2), "unit": "TFLOP/s"}


PARTS: dict[str, Callable[[Given], Lines]] = {
    "peak": peak,
    "attention": lambda given: gpu_right.attention(given.setting),
    "equality": lambda given: gpu_right.equality(given.setting),
    "repeat": lambda given: gpu_right.repeat(given.setting),
    "answers": lambda given: gpu_right.answers(given.setting),
    "training": lambda given: gpu_training.training(given.setting, given.rival, given.asked),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rival", help="an interpreter that has trl")
    parser.add_argument("--part", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--case", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS / "gpu.jsonl")
    asked = parser.parse_args()
    if not torch.cuda.is_available() and not asked.smoke:
        raise SystemExit("torch sees no CUDA device here; `--smoke` runs a tiny shape without one")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    given = Given(
        setting=Setting(device=device, smoke=asked.smoke),
        rival=asked.rival,
        asked=Asked(cases=tuple(asked.case), steps=asked.steps),
    )
    with asked.results.open("a", encoding="utf-8") as file:
        for part in asked.part:
            for line in measured(part, given):
                file.write(json.dumps(line) + "\n")
                file.flush()


def measured(part: str, given: Given) -> Lines:
    """The lines of a part, with where they were measured; its error ends a part and no other."""
    about = {"smoke": given.setting.smoke, "commit": commit(), "hardware": machine(given.setting)}
    about |= {"torch": torch.__version__}
    began = time.perf_counter()
    try:
        for line in PARTS[part](given):
            print(f"{part}: {json.dumps(line)}", file=sys.stderr)
            yield {"benchmark": "gpu", "part": part, **line, **about}
    except Exception as error:  # noqa: BLE001 - the next part goes on
        print(f"{part}: {error!r}", file=sys.stderr)
        yield {"benchmark": "gpu", "part": part, "error": repr(error)[:500], **about}
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    print(f"{part}: {time.perf_counter() - began:.0f} s", file=sys.stderr)


def machine(setting: Setting) -> str:
    """The device by name and memory, or the processor."""
    if setting.device.type == "cpu":
        return hardware()
    told = torch.cuda.get_device_properties(setting.device)
    return f"{told.name}, {told.total_memory >> 30} GiB; {hardware()}"


if __name__ == "__main__":
    main()
