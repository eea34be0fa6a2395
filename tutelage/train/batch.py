"""Which packed rows each optimizer step takes, planned before the first one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tutelage.core.errors import TrainingError
from tutelage.engine.attention import Layout, layout
from tutelage.render.pack import PackedRow

TOKENS_ROUND, EDGES_ROUND = 256, 128
MOST_STEPS = 10_000_000  # planned in seconds and held in about a gigabyte


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One row as the backbone takes it.

    Shapes: tokens and position `[T]`; source, target (ids) and weight `[S]`.
    """

    tokens: Tensor
    position: Tensor
    layout: Layout
    source: Tensor
    target: Tensor
    weight: Tensor
    seed: int = 0  # of what training draws in it


def batch_of(row: PackedRow, device: torch.device | str = "cpu") -> Batch:
    """A packed row as tensors, padded to one of a few sizes.

    Kernels are made and kept for each size they meet, which costs time and memory. Padding
    tokens are a tree of their own, padding edges weigh nothing.
    """
    spare, idle = -len(row) % TOKENS_ROUND, -len(row.source) % EDGES_ROUND
    size = len(row) + spare
    tokens = torch.from_numpy(np.pad(row.tokens, (0, spare))).long()
    source, target = (
        torch.from_numpy(np.pad(x, (0, idle))).long() for x in (row.source, row.target)
    )
    return Batch(
        tokens=tokens.to(device),
        position=torch.from_numpy(np.pad(row.position, (0, spare))).long().to(device),
        layout=layout(np.pad(row.end, (0, spare), constant_values=size)),
        source=source.to(device),
        target=tokens[target].to(device),
        weight=torch.from_numpy(np.pad(row.weight, (0, idle))).to(device),
    )


def idle_batch(device: torch.device | str = "cpu") -> Batch:
    """A row that teaches nothing: the turn of a rank that has none left."""
    nothing = np.zeros(1, dtype=np.int32)
    return batch_of(
        PackedRow(
            tokens=nothing,
            position=nothing,
            end=nothing + 1,
            source=nothing,
            target=nothing,
            weight=np.zeros(1, dtype=np.float32),
            lesson=nothing,
        ),
        device,
    )


def plan_steps(
    sizes: Sequence[int],
    step_tokens: int,
    epochs: int,
    generator: Callable[[str], np.random.Generator],
    stages: Sequence[int] | None = None,
) -> list[tuple[int, ...]]:
    """The rows of every step: each epoch takes every row once, in an order of its own.

    A step is as many rows as come nearest to `step_tokens`; the order of an epoch depends on
    nothing but the seed and its number, so a resumed run needs only the step's number.
    Where rows are of several `stages`, one stage has all its epochs before the next begins.

    Raises: TrainingError where there are more steps than can be planned.
    """
    of_row = np.asarray(stages if stages is not None else [0] * len(sizes))
    numbers = sorted(set(of_row.tolist()))
    steps: list[tuple[int, ...]] = []
    for stage in numbers:
        rows = np.flatnonzero(of_row == stage)
        tokens = sum(sizes[row] for row in rows.tolist())
        count = min(max(1, round(tokens / step_tokens)), len(rows))
        if len(steps) + epochs * count > MOST_STEPS:
            raise TrainingError(
                f"`train.epochs: {epochs}` comes to {epochs * count:,} steps",
                where="train.epochs",
                expected=f"at most {MOST_STEPS:,} steps",
                hint="lower it, or raise `train.step_tokens`",
            )
        for epoch in range(epochs):
            name = f"train.order.{epoch}" if len(numbers) == 1 else f"train.order.{stage}.{epoch}"
            order = rows[generator(name).permutation(len(rows))]
            parts = np.array_split(order, count)
            steps.extend(tuple(part.tolist()) for part in parts)
    return steps
