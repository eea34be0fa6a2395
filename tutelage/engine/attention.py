"""Attention over a packed row, by the device it is on.

A query `q` sees a key `k` iff `k <= q < end[k]` and, in a layer with a window, `k` is one of
the last so many tokens of its path. A CPU multiplies chains (`attention_chains`), a CUDA device
runs fused kernels (`attention_cuda`); nothing out of sight is ever multiplied by either.

Source: the visibility rule is the interval encoding of ancestry by depth-first
numbering (`render.pack.visible`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.engine import attention_chains, attention_cuda, attention_shared

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """Who sees whom in one row, and what the backends made of it.

    Shapes: end `[T]`, one past the last index of each token's subtree; depth `[T]` tokens
        above each one.
    """

    end: Ints
    depth: Ints
    window: int | None = None
    forward_only: bool = False  # no gradient will be asked for
    made: dict[object, Any] = field(default_factory=dict, repr=False)  # once for all layers

    @property
    def longest(self) -> int:
        """Tokens of the longest path from a root."""
        return int(self.depth.max(initial=-1)) + 1

    def within(self, window: int | None) -> Layout:
        """The same row in layers that see so many tokens; itself where no path is longer."""
        if window is None or window >= self.longest:
            return self
        return replace(self, window=window)


def layout(end: NDArray[np.int32], *, forward_only: bool = False) -> Layout:
    """Who sees whom in a packed row; without a gradient, shared tokens are read once.

    Shapes: end `[T]`, one past the last index of each token's subtree.
    """
    wide = end.astype(np.int64)
    index = np.arange(len(wide))
    over = np.searchsorted(np.sort(wide), index, side="right")  # earlier tokens, not above it
    return Layout(end=wide, depth=index - over, forward_only=forward_only)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    layout: Layout,
    *,
    scale: float | None = None,
    cap: float | None = None,
) -> Tensor:
    """What each token gathers from the tokens it can see.

    Scores are multiplied by `scale` (one over the root of D) and kept softly within `cap`.

    Shapes: q `[T, Hq, D]`, k and v `[T, Hk, D]` with Hk dividing Hq; returns `[T, Hq, D]`.
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    if q.device.type == "cuda":
        return attention_cuda.attend(q, k, v, layout, scale, cap)
    if layout.forward_only and cap is None and layout.window is None:
        return attention_shared.attend(q, k, v, layout, scale)
    return attention_chains.attend(q, k, v, layout, scale, cap)


def backend_of(device: torch.device, precision: torch.dtype) -> str:
    """How attention is computed there, in words for the log."""
    if device.type == "cuda":
        return attention_cuda.described(device, precision)
    return attention_chains.described(precision)


def capped(scores: Tensor, cap: float | None) -> Tensor:
    """Scores or logits kept softly within a cap. Source: Gemma 2, arXiv 2408.00118, section 2."""
    return scores if cap is None else torch.tanh(scores / cap) * cap
