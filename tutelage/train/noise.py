"""Noise on embeddings while training."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from tutelage.engine.backbone import Backbone


@contextmanager
def noisy(backbone: Backbone, alpha: float | None, position: Tensor) -> Iterator[None]:
    """Adds uniform noise of up to `alpha / sqrt(L * H)` to each embedding within the block.

    L is the length of the token's lesson; of the longest one, where several share the token.
    Drawn from torch's own stream, which a step seeds.

    Shapes: position `[T]` of the row in the block. Source: NEFTune, arXiv 2310.05914.
    """
    if alpha is None:
        yield
        return
    lengths = lesson_lengths(position.tolist())
    size = alpha / torch.tensor(lengths, device=position.device, dtype=torch.float32).sqrt()

    def noised(x: Tensor) -> Tensor:
        own = size.view(-1, 1) / math.sqrt(x.shape[-1])
        drawn = torch.rand(x.shape, device=x.device) * 2 - 1
        return x + (drawn * own).to(x.dtype)

    backbone.on_embeddings = noised
    try:
        yield
    finally:
        backbone.on_embeddings = None


def lesson_lengths(position: list[int]) -> list[int]:
    """For each token of a forest laid out depth first, the length of its longest lesson."""
    longest = [0] * len(position)
    below = [0] * (max(position, default=0) + 2)  # longest seen at a depth, since its parent
    for at in range(len(position) - 1, -1, -1):
        depth = position[at]
        longest[at] = max(depth + 1, below[depth + 1])
        below[depth + 1] = 0
        below[depth] = max(below[depth], longest[at])
    return longest
