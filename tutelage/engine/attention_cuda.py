"""Attention on a CUDA device: fused kernels over the whole row.

A row without forks is the documents varlen attention takes. Any other runs FlexAttention under
a block mask made from `end`: blocks of which nothing is seen are skipped, blocks wholly seen are
computed without the rule. Where torch cannot make kernels, such a row is computed chain by
chain as on a CPU (`attention_chains`).

Source: FlexAttention, arXiv 2412.05496; FlashAttention-2, arXiv 2307.08691.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from tutelage.engine import attention_chains
from tutelage.engine.device import capable, has_kernels

if TYPE_CHECKING:
    from tutelage.engine.attention import Layout

BLOCK = 128  # tokens of a side of FlexAttention's blocks
HALVES = (torch.bfloat16, torch.float16)  # what varlen attention multiplies
WIDTHS = range(8, 257, 8)  # of heads it takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """A row without forks, as varlen attention takes it.

    Shapes: starts `[N + 1]` int32, the last one past the end.
    """

    starts: Tensor
    longest: int
    window: tuple[int, int]  # tokens to the left and right of a query


def attend(
    q: Tensor, k: Tensor, v: Tensor, layout: Layout, scale: float, cap: float | None
) -> Tensor:
    """See `attention.attend`."""
    able = cap is None and q.shape[-1] in WIDTHS and _runs_varlen(q.device, q.dtype)
    whole = documents(layout, q.device) if able else None
    if whole is not None:
        return varlen(q, k, v, whole, scale)
    if has_kernels(q.device):
        return flex(q, k, v, layout, (scale, cap), kernel=compiled_flex())
    return attention_chains.attend(q, k, v, layout, scale, cap)


def varlen(q: Tensor, k: Tensor, v: Tensor, whole: Documents, scale: float) -> Tensor:
    """Varlen attention of documents. Shapes: as `attention.attend`."""
    from torch.nn.attention.varlen import varlen_attn

    starts, longest = whole.starts, whole.longest
    out = varlen_attn(
        q,
        k,
        v,
        starts,
        starts,
        longest,
        longest,
        scale=scale,
        window_size=whole.window,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return out[0] if isinstance(out, tuple) else out


def described(device: torch.device, precision: torch.dtype) -> str:
    """In words for the log."""
    without = "varlen for rows without forks, " if _runs_varlen(device, precision) else ""
    if has_kernels(device):
        return f"{without}flex attention with a block mask"
    return f"{without}{attention_chains.described(None)}, for want of Triton"


def documents(layout: Layout, device: torch.device) -> Documents | None:
    """The row as documents one after the other; None where one of them forks."""
    key = ("documents", layout.window, device)
    if key not in layout.made:
        layout.made[key] = _documents(layout, device)
    found: Documents | None = layout.made[key]
    return found


def _documents(layout: Layout, device: torch.device) -> Documents | None:
    roots = np.flatnonzero(layout.depth == 0)
    starts = np.append(roots, len(layout.end))
    if not np.array_equal(layout.end, np.repeat(starts[1:], np.diff(starts))):
        return None
    return Documents(
        starts=torch.from_numpy(starts.astype(np.int32)).to(device),
        longest=int(np.diff(starts).max(initial=0)),
        window=(-1 if layout.window is None else layout.window - 1, 0),
    )


def flex(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    layout: Layout,
    asked: tuple[float, float | None],
    *,
    kernel: Callable[..., Any],
) -> Tensor:
    """FlexAttention of the row. Shapes: as `attention.attend`."""
    key = ("blocks", layout.window, q.device)
    if key not in layout.made:
        layout.made[key] = block_mask(layout, q.device)
    scale, cap = asked
    out: Tensor = kernel(
        *(x.transpose(0, 1)[None] for x in (q, k, v)),
        score_mod=None if cap is None else _soft(cap),
        block_mask=layout.made[key],
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return out[0].transpose(0, 1)


def block_mask(layout: Layout, device: torch.device) -> BlockMask:
    """Which blocks of keys each block of queries sees in part, and which wholly."""
    part, whole = blocks(layout)
    end, depth = (torch.from_numpy(x).to(device) for x in (layout.end, layout.depth))
    window = layout.window

    def seen(_: Tensor, __: Tensor, query: Tensor, key: Tensor) -> Tensor:
        above = (key <= query) & (query < end[key])
        return above if window is None else above & (depth[query] - depth[key] < window)

    # by query and, for the gradient, by key: listed here, not by kernels of the device
    keys, full_keys = _listed(part, device), _listed(whole, device)
    queries, full_queries = _listed(part.T, device), _listed(whole.T, device)
    return BlockMask(
        seq_lengths=(len(layout.end), len(layout.end)),
        kv_num_blocks=keys[0],
        kv_indices=keys[1],
        full_kv_num_blocks=full_keys[0],
        full_kv_indices=full_keys[1],
        q_num_blocks=queries[0],
        q_indices=queries[1],
        full_q_num_blocks=full_queries[0],
        full_q_indices=full_queries[1],
        BLOCK_SIZE=(BLOCK, BLOCK),
        mask_mod=seen,
    )


def blocks(layout: Layout) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Blocks seen in part and those seen wholly, `[T / 128, T / 128]`, query first."""
    starts = np.arange(0, len(layout.end), BLOCK)
    stops = np.append(starts[1:], len(layout.end))
    last, first = (f.reduceat(layout.end, starts) for f in (np.maximum, np.minimum))
    before = starts[None, :] < starts[:, None]
    met = np.eye(len(starts), dtype=bool) | (before & (last[None, :] > starts[:, None]))
    whole = before & (first[None, :] >= stops[:, None])
    if layout.window is not None:
        deep, shallow = (f.reduceat(layout.depth, starts) for f in (np.maximum, np.minimum))
        met &= shallow[:, None] - deep[None, :] < layout.window
        whole &= deep[:, None] - shallow[None, :] < layout.window
    return met & ~whole, whole


def _listed(wanted: NDArray[np.bool_], device: torch.device) -> tuple[Tensor, Tensor]:
    """How many blocks of keys each block of queries has, and those first of all their indices."""
    counts = wanted.sum(1).astype(np.int32)[None, None]
    order = np.argsort(~wanted, axis=1, kind="stable").astype(np.int32)[None, None]
    return torch.from_numpy(counts).to(device), torch.from_numpy(order).to(device)


def _soft(cap: float) -> Callable[..., Tensor]:
    def score(score: Tensor, _: Tensor, __: Tensor, ___: Tensor, ____: Tensor) -> Tensor:
        return torch.tanh(score / cap) * cap

    return score


def _runs_varlen(device: torch.device, precision: torch.dtype) -> bool:
    return precision in HALVES and torch.cuda.is_available() and capable(device)


@cache
def compiled_flex() -> Callable[..., Any]:
    """FlexAttention is a kernel only when compiled; one for all rows and layers."""
    return torch.compile(flex_attention, dynamic=True)
