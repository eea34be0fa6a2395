"""Attention over a packed row: every tree is computed by itself, similar lengths together.

Source: the visibility rule is the interval encoding of ancestry by depth-first
numbering (`render.pack.visible`); the gradient is the usual softmax one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.engine.gather import arrange, restore

LONG = 1024  # above this, flash attention beats batched matmul on the CPUs measured
# Segment lengths are padded to few sizes, so that there are few groups of whole tiles: a
# multiple of 32, of 64 above 256, of 128 above 512 and so on.
ROUND, STEPS = 32, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Segments of similar length, computed as one batch.

    Shapes: hidden `[count or 1, length, length]`, True where a key is out of sight.
    """

    count: int
    length: int
    hidden: Tensor
    causal: bool
    biases: dict[torch.dtype, Tensor] = field(default_factory=dict)  # made once for all layers

    def bias(self, precision: torch.dtype) -> Tensor:
        """Added to scores: minus infinity out of sight. Shape `[count or 1, 1, L, L]`."""
        if precision not in self.biases:
            bias = torch.zeros(self.hidden.shape, dtype=precision, device=self.hidden.device)
            self.biases[precision] = bias.masked_fill_(self.hidden, float("-inf"))[:, None]
        return self.biases[precision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the tokens of one row fall into segments that do not see each other.

    Shapes: there `[P]` the row's token at each padded place, back `[T]` each token's
        place, real `[P]` False on padding; all None where the row needs no padding.
    """

    groups: tuple[Group, ...]
    there: Tensor | None
    back: Tensor | None
    real: Tensor | None


def layout(end: NDArray[np.int32], device: torch.device | str = "cpu") -> Layout:
    """The segments of a packed row.

    Shapes: end `[T]`, one past the last index of each token's subtree.
    """
    starts, stops = _segments(end)
    lengths = stops - starts
    padded = np.maximum(ROUND, 1 << np.ceil(np.log2(lengths / STEPS)).astype(np.int64))
    padded = -(-lengths // padded) * padded
    if len(set(lengths.tolist())) == 1:
        padded = lengths
    groups, places, kept = [], [], []
    for size in sorted(set(padded.tolist())):
        chosen = np.flatnonzero(padded == size)
        grid = starts[chosen, None] + np.arange(size)[None, :]
        real = grid < stops[chosen, None]
        groups.append(_group(end, grid, real, device))
        places.append(np.where(real, grid, 0).ravel())
        kept.append(real.ravel())
    there, real = np.concatenate(places), np.concatenate(kept)
    if len(there) == len(end) and bool((there == np.arange(len(end))).all()):
        return Layout(groups=tuple(groups), there=None, back=None, real=None)
    back = np.empty(len(end), dtype=np.int64)
    back[there[real]] = np.flatnonzero(real)
    return Layout(
        groups=tuple(groups),
        there=torch.from_numpy(there).to(device),
        back=torch.from_numpy(back).to(device),
        real=torch.from_numpy(real).to(device),
    )


def _segments(end: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    starts = []
    index = 0
    while index < len(end):
        starts.append(index)
        index = int(end[index])
    first = np.asarray(starts, dtype=np.int64)
    return first, end[first].astype(np.int64)


def _group(
    end: NDArray[np.int32],
    grid: NDArray[np.int64],
    real: NDArray[np.bool_],
    device: torch.device | str,
) -> Group:
    count, size = grid.shape
    start = grid[:, :1]
    reach = np.where(real, end[np.where(real, grid, 0)] - start, size)
    causal = bool(np.where(real, reach == real.sum(1, keepdims=True), True).all())
    offset = np.arange(size)
    hidden = offset[None, None, :] > offset[None, :, None]
    if not causal:
        hidden = hidden | (offset[None, :, None] >= reach[:, None, :])
    return Group(
        count=count,
        length=size,
        hidden=torch.from_numpy(np.ascontiguousarray(hidden)).to(device),
        causal=causal,
    )


def attend(q: Tensor, k: Tensor, v: Tensor, plan: Layout, scale: float | None = None) -> Tensor:
    """What each token gathers from the tokens it can see.

    Shapes: q `[T, Hq, D]`, k and v `[T, Hk, D]` with Hk dividing Hq; returns `[T, Hq, D]`.
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    repeat = q.shape[1] // k.shape[1]
    if repeat > 1:
        k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
    if plan.there is None or plan.back is None or plan.real is None:
        return _every_group(q, k, v, plan, scale)
    q, k, v = (arrange(x, plan.there, plan.back, plan.real) for x in (q, k, v))
    out = _every_group(q, k, v, plan, scale)
    return restore(out, plan.there, plan.back, plan.real)


def _every_group(q: Tensor, k: Tensor, v: Tensor, plan: Layout, scale: float) -> Tensor:
    if len(plan.groups) == 1:
        return _one_group(q, k, v, plan.groups[0], scale)
    sizes = [group.count * group.length for group in plan.groups]
    parts = zip(plan.groups, q.split(sizes), k.split(sizes), v.split(sizes), strict=True)
    return torch.cat([_one_group(a, b, c, group, scale) for group, a, b, c in parts])


def _one_group(q: Tensor, k: Tensor, v: Tensor, group: Group, scale: float) -> Tensor:
    heads, width = q.shape[1], q.shape[2]
    shape = (group.count, group.length, heads, width)
    query, key, value = (x.reshape(shape).transpose(1, 2) for x in (q, k, v))
    if group.length > LONG or q.device.type != "cpu":
        mask = None if group.causal else ~group.hidden[:, None]
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=group.causal, scale=scale
        )
    else:
        out = _Batched.apply(query, key, value, group.bias(query.dtype), scale)  # type: ignore[no-untyped-call]
    return out.transpose(1, 2).reshape(group.count * group.length, heads, width)


class _Batched(torch.autograd.Function):
    """Softmax attention as batched matrix products, probabilities kept for the gradient."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float
    ) -> Tensor:
        count, heads, size, width = query.shape
        q, k, v = (x.reshape(count * heads, size, width) for x in (query, key, value))
        score = torch.bmm(q, k.mT).mul_(scale).view(count, heads, size, size).add_(bias)
        share = torch.softmax(score, -1).view(count * heads, size, size)
        ctx.save_for_backward(q, k, v, share)
        ctx.scale = scale
        return torch.bmm(share, v).view(count, heads, size, width)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        q, k, v, share = ctx.saved_tensors
        shape = grad.shape
        g = grad.reshape(q.shape)
        dv = torch.bmm(share.mT, g)
        ds = torch._softmax_backward_data(torch.bmm(g, v.mT), share, -1, share.dtype)
        ds.mul_(ctx.scale)
        dq, dk = torch.bmm(ds, k), torch.bmm(ds.mT, q)
        return dq.view(shape), dk.view(shape), dv.view(shape), None, None
