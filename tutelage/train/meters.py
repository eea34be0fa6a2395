"""Meters of a training's pace: tokens, useful arithmetic, memory; no digest depends on them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import torch

from tutelage.engine.backbone import Backbone
from tutelage.render.pack import PackedRow
from tutelage.train.room import Room

# Sides of the matrices the peak is measured with: as large as it takes, on a CUDA device so that
# starting a product is nothing beside it.
SIDES = {"cpu": 1024, "cuda": 8192}
SECONDS = 0.25
# Projections that give queries; of those that give keys and values too, queries are as wide as
# their input in the models that have them.
QUERY, FUSED = "q_proj", ("c_attn", "query_key_value", "qkv_proj")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Useful operations of a model, of which a multiplication and its addition are two.

    Source: the count of PaLM, arXiv 2204.02311, appendix B, with the attention a packed row
        has, the head where tokens are taught only, and no gradient of a base under an adapter.
        A layer with a window is counted as one without.
    """

    matrices: int  # weights of the layers' matrices, each used once a token
    width: int  # of all queries of all layers
    head: int  # weights of the head, used once a taught token
    passes: int  # 3: forward and both gradients; 2 under an adapter, whose base takes none

    def of(self, row: PackedRow) -> float:
        """Operations of a row's forward and backward pass."""
        pairs = float(row.position.sum(dtype=np.int64)) + len(row)  # each sees those above it
        linear = 2.0 * self.passes * (self.matrices * len(row) + self.head * len(row.source))
        return linear + 2.0 * 3 * 2 * self.width * pairs


def work_of(backbone: Backbone, *, frozen: bool) -> Work:
    """The work of a backbone, from its layers' shapes; `frozen` under an adapter."""
    sites = list(backbone.sites())
    apart = sum(site.outputs for site in sites if site.name == QUERY)
    fused = sum(min(site.inputs, site.outputs) for site in sites if site.name in FUSED)
    return Work(
        matrices=sum(site.inputs * site.outputs for site in sites),
        width=apart + fused,
        head=backbone.head.numel(),
        passes=2 if frozen else 3,
    )


@cache  # of a device and a precision it is measured once in a process
def matmul_peak(device: str, precision: torch.dtype, threads: int) -> float:
    """Operations a second of large matrix products, the best of a quarter of a second."""
    side = SIDES[device]
    draw = np.random.default_rng(0)  # of zeros or ones a CUDA device multiplies more
    drawn = torch.from_numpy(draw.standard_normal((side, side), dtype=np.float32))
    left = drawn.to(device, precision)
    right, best, began = left.clone(), float("inf"), time.perf_counter()
    while time.perf_counter() - began < SECONDS:
        start = time.perf_counter()
        product = left @ right
        float(product[0, 0])  # waits for it
        best = min(best, time.perf_counter() - start)
    if device == "cuda":  # of a training's peak these matrices are no part
        del left, right, product
        torch.cuda.reset_peak_memory_stats()
    return 2.0 * side**3 / best


@dataclass(slots=True, kw_only=True)
class Meters:
    """What the process has done since it began; the clock can be read at any step."""

    work: Work
    peak: float
    device: str
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    totals: Counter[str] = field(default_factory=Counter)
    operations: float = 0.0

    def count(self, rows: Sequence[PackedRow]) -> dict[str, float]:
        """Takes a step's rows; the figures of this step."""
        now = time.monotonic()
        seconds, self.last = max(1e-9, now - self.last), now
        tokens, supervised = sum(map(len, rows)), sum(len(row.source) for row in rows)
        operations = sum(map(self.work.of, rows))
        self.totals.update(tokens=tokens, supervised=supervised)
        self.operations += operations
        return {
            "seconds": seconds,
            "tokens_per_second": tokens / seconds,
            "supervised_per_second": supervised / seconds,
            "mfu": operations / seconds / self.peak,
            "memory_mb": self._room_mb(),
        }

    def figures(self) -> dict[str, float]:
        """Tokens and supervised tokens a second since the beginning, and the share of the peak."""
        seconds = max(1e-9, time.monotonic() - self.began)
        return {
            "tokens_per_second": self.totals["tokens"] / seconds,
            "supervised_per_second": self.totals["supervised"] / seconds,
            "mfu": self.operations / seconds / self.peak,
        }

    def environment(self) -> dict[str, str]:
        """What an artifact notes of it."""
        told = self.figures()
        mfu = told.pop("mfu")
        speeds = {name: f"{value:.0f}" for name, value in told.items()}
        speeds |= {"mfu": f"{mfu:.3f}", "matmul_gflops": f"{self.peak / 1e9:.0f}"}
        own = {} if self.device == "cpu" else {"peak_device_memory_mb": f"{self._room_mb():.0f}"}
        return speeds | own

    def _room_mb(self) -> float:
        room = Room(device=torch.device(self.device))
        return (room.peak() if room.apart else room.held()) / (1 << 20)
