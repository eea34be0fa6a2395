"""From which length flash attention beats batched products on this processor.

    python benchmarks/attention.py [--rounds N]

Chains of one length, alone, under a prefix and under a long one, 2048 tokens of 4 heads of 64 in
all, forward and backward. Three kernels alternate: batched products, flash with a mask, and flash
without one (merged with what is above). One JSON line a figure goes to
`benchmarks/results/attention.jsonl`: the median of the rounds, with the least and the most.
`attention_chains.LONG` and `LONG_MASKED` are where the lines cross.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from statistics import median

import torch
from methods import RESULTS, commit, hardware
from torch import Tensor

from tutelage.engine.attention_kernels import batched, flash, masked

LENGTHS = (64, 128, 256, 384, 512, 640, 768, 1024)
TOKENS, HEADS, WIDTH = 2048, 4, 64


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    lines = []
    for precision in (torch.float32, torch.bfloat16):
        for own in LENGTHS:
            for before in (0, 512, 2048):
                for name, seconds in measure(own, before, precision, rounds).items():
                    about = {
                        "benchmark": "attention",
                        "kernel": name,
                        "precision": str(precision).removeprefix("torch."),
                        "own": own,
                        "before": before,
                        "unit": "ms",
                        "n": rounds,
                    }
                    figures = {"value": median(seconds), "low": min(seconds), "high": max(seconds)}
                    shown = {key: round(1e3 * value, 2) for key, value in figures.items()}
                    where = {
                        "threads": torch.get_num_threads(),
                        "torch": torch.__version__,
                        "commit": commit(),
                        "hardware": hardware(),
                    }
                    lines.append(json.dumps(about | shown | where))
                    print(lines[-1])
    (RESULTS / "attention.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def measure(own: int, before: int, precision: torch.dtype, rounds: int) -> dict[str, list[float]]:
    """Seconds of each kernel, forward and backward, the rounds taken in turn."""
    count = TOKENS // own
    draw = torch.Generator().manual_seed(0)

    def heads(length: int) -> Tensor:
        x = torch.randn(count, HEADS, length, WIDTH, generator=draw).to(precision)
        return x.requires_grad_()

    q, k, v = heads(own), heads(before + own), heads(before + own)
    hidden = torch.ones(own, before + own, dtype=torch.bool).triu(before + 1)
    bias = torch.zeros(1, 1, own, before + own, dtype=precision).masked_fill_(hidden, float("-inf"))
    scale = WIDTH**-0.5

    def unmasked() -> Tensor:
        mine = tuple(x[:, :, before:] for x in (k, v))
        above = tuple(x[:, :, :before] for x in (k, v)) if before else ()
        return flash(q, mine, above, scale)

    kernels: dict[str, Callable[[], Tensor]] = {
        "batched": lambda: batched(q, k, v, bias, (scale, None)),
        "flash masked": lambda: masked(q, k, v, bias, scale),
        "flash": unmasked,
    }
    toward = torch.ones_like(q)
    taken: dict[str, list[float]] = {name: [] for name in kernels}
    for number in range(rounds + 1):
        for name, kernel in kernels.items():
            began = time.perf_counter()
            kernel().backward(toward)
            if number:  # the first makes the kernels
                taken[name].append(time.perf_counter() - began)
    return taken


if __name__ == "__main__":
    main()
