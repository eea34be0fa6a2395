"""Attention over a packed row: every chain of a tree is computed by itself, similar ones together.

A chain is a run of tokens without a fork. Its tokens see those of the chains above it and the
earlier ones of their own; nothing else of the row is ever multiplied.

Source: the visibility rule is the interval encoding of ancestry by depth-first
numbering (`render.pack.visible`); the gradient is the usual softmax one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.engine.gather import arrange, restore, take

LONG = 1024  # above this, flash attention beats batched matmul on the CPUs measured
# Lengths are padded to few sizes, so that there are few groups of whole tiles: a multiple of 32,
# of 64 above 256, of 128 above 512 and so on.
ROUND, STEPS = 32, 8

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Chains of similar length below similar lengths of others, computed as one batch.

    Shapes: hidden `[count or 1, own, before + own]`, True where a key is out of sight.
    """

    count: int
    own: int  # tokens of a chain
    before: int  # tokens of the chains above it
    hidden: Tensor
    biases: dict[torch.dtype, Tensor] = field(default_factory=dict)  # made once for all layers

    @property
    def length(self) -> int:
        """Tokens from the root to the end of the longest chain."""
        return self.before + self.own

    @property
    def causal(self) -> bool:
        """Whether each token sees just those before it."""
        return not self.before

    def bias(self, precision: torch.dtype) -> Tensor:
        """Added to scores: minus infinity out of sight. Shape `[count or 1, 1, own, length]`."""
        if precision not in self.biases:
            bias = torch.zeros(self.hidden.shape, dtype=precision, device=self.hidden.device)
            self.biases[precision] = bias.masked_fill_(self.hidden, float("-inf"))[:, None]
        return self.biases[precision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the tokens of one row fall into chains, and what stands above each.

    Shapes: there `[P]` the row's token at each padded place, back `[T]` each token's
        place, real `[P]` False on padding; all None where the row needs no padding. above
        `[A]` the tokens above each chain, padded too, groups in order; None without forks.
    """

    groups: tuple[Group, ...]
    there: Tensor | None
    back: Tensor | None
    real: Tensor | None
    above: Tensor | None


def layout(end: NDArray[np.int32], device: torch.device | str = "cpu") -> Layout:
    """The chains of a packed row.

    Shapes: end `[T]`, one past the last index of each token's subtree.
    """
    starts, stops, above = _chains(end)
    lengths, depths = stops - starts, np.asarray([len(one) for one in above])
    alike = not depths.any() and len(set(lengths.tolist())) == 1
    own, before = (lengths, depths) if alike else (_padded(lengths), _padded(depths))
    groups, places, kept, seen = [], [], [], []
    for rows, width in sorted({*zip(before.tolist(), own.tolist(), strict=True)}):
        chosen = np.flatnonzero((before == rows) & (own == width))
        grid = starts[chosen, None] + np.arange(width)[None, :]
        real = grid < stops[chosen, None]
        groups.append(_group(width, rows, depths[chosen], device))
        places.append(np.where(real, grid, 0).ravel())
        kept.append(real.ravel())
        seen += [np.pad(above[index], (0, rows - depths[index])) for index in chosen if rows]
    there, real = np.concatenate(places), np.concatenate(kept)
    keys = torch.from_numpy(np.concatenate(seen)).to(device) if seen else None
    if len(there) == len(end) and bool((there == np.arange(len(end))).all()):
        return Layout(groups=tuple(groups), there=None, back=None, real=None, above=keys)
    back = np.empty(len(end), dtype=np.int64)
    back[there[real]] = np.flatnonzero(real)
    return Layout(
        groups=tuple(groups),
        there=torch.from_numpy(there).to(device),
        back=torch.from_numpy(back).to(device),
        real=torch.from_numpy(real).to(device),
        above=keys,
    )


def _padded(lengths: Ints) -> Ints:
    """Each length rounded up to one of few; nothing stays nothing."""
    step = 1 << np.ceil(np.log2(np.maximum(lengths, 1) / STEPS)).astype(np.int64)
    step = np.maximum(ROUND, step)
    rounded: Ints = -(-lengths // step) * step
    return rounded


def _chains(end: NDArray[np.int32]) -> tuple[Ints, Ints, list[Ints]]:
    """First and past-the-last token of every chain, and the tokens above it."""
    only = end[1:] == end[:-1]  # a token whose subtree ends with that of the one before it
    only &= np.arange(1, len(end)) < end[:-1]
    starts = np.flatnonzero(np.concatenate(([True], ~only)))
    stops = np.append(starts[1:], len(end))
    above: list[Ints] = []
    open_chains: list[tuple[int, int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        while open_chains and end[open_chains[-1][0]] <= start:
            open_chains.pop()
        spans = [np.arange(first, last) for first, last in open_chains]
        above.append(np.concatenate(spans) if spans else np.empty(0, dtype=np.int64))
        open_chains.append((start, stop))
    return starts.astype(np.int64), stops.astype(np.int64), above


def _group(own: int, before: int, depths: Ints, device: torch.device | str) -> Group:
    count = len(depths)
    later = np.arange(own)[None, None, :] > np.arange(own)[None, :, None]
    if before:
        missing = np.arange(before)[None, None, :] >= depths[:, None, None]
        parts = (
            np.broadcast_to(missing, (count, own, before)),
            np.broadcast_to(later, (count, own, own)),
        )
        hidden = np.concatenate(parts, axis=2)
    else:
        hidden = later
    return Group(
        count=count,
        own=own,
        before=before,
        hidden=torch.from_numpy(np.ascontiguousarray(hidden)).to(device),
    )


def attend(q: Tensor, k: Tensor, v: Tensor, plan: Layout, scale: float | None = None) -> Tensor:
    """What each token gathers from the tokens it can see.

    Shapes: q `[T, Hq, D]`, k and v `[T, Hk, D]` with Hk dividing Hq; returns `[T, Hq, D]`.
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    repeat = q.shape[1] // k.shape[1]
    if repeat > 1:
        k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
    above = () if plan.above is None else (take(k, plan.above), take(v, plan.above))
    if plan.there is None or plan.back is None or plan.real is None:
        return _every_group(q, (k, v), above, plan, scale)
    q, k, v = (arrange(x, plan.there, plan.back, plan.real) for x in (q, k, v))
    out = _every_group(q, (k, v), above, plan, scale)
    return restore(out, plan.there, plan.back, plan.real)


def _every_group(
    q: Tensor, own: tuple[Tensor, Tensor], above: tuple[Tensor, ...], plan: Layout, scale: float
) -> Tensor:
    """Shapes: q and own `[P, H, D]`, above `[A, H, D]` keys and values; returns `[P, H, D]`."""
    places = [group.count * group.own for group in plan.groups]
    seen = [group.count * group.before for group in plan.groups]
    queries = q.split(places)
    parts = [x.split(places) for x in own]
    upper = [x.split(seen) for x in above]
    out = []
    for index, group in enumerate(plan.groups):
        keys, values = (_batched(part[index], group.count) for part in parts)
        if group.before:
            higher = (_batched(part[index], group.count) for part in upper)
            keys, values = (
                torch.cat(pair, dim=2) for pair in zip(higher, (keys, values), strict=True)
            )
        out.append(_one_group(_batched(queries[index], group.count), keys, values, group, scale))
    return out[0] if len(out) == 1 else torch.cat(out)


def _batched(x: Tensor, count: int) -> Tensor:
    """`[count * L, H, D]` as `[count, H, L, D]`."""
    return x.reshape(count, -1, *x.shape[1:]).transpose(1, 2)


def _one_group(query: Tensor, key: Tensor, value: Tensor, group: Group, scale: float) -> Tensor:
    if group.length > LONG or query.device.type != "cpu":
        mask = None if group.causal else ~group.hidden[:, None]
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=group.causal, scale=scale
        )
    else:
        out = _Batched.apply(query, key, value, group.bias(query.dtype), scale)  # type: ignore[no-untyped-call]
    return out.transpose(1, 2).reshape(group.count * group.own, *query.shape[1::2])


class _Batched(torch.autograd.Function):
    """Softmax attention as batched matrix products, probabilities kept for the gradient.

    Shapes: query `[N, H, L, D]`, key and value `[N, H, K, D]`, bias `[N or 1, 1, L, K]`.
    """

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float
    ) -> Tensor:
        count, heads, size, width = query.shape
        q, k, v = (x.reshape(count * heads, -1, width) for x in (query, key, value))
        score = torch.bmm(q, k.mT).mul_(scale).view(count, heads, size, -1).add_(bias)
        share = torch.softmax(score, -1).view(count * heads, size, -1)
        ctx.save_for_backward(q, k, v, share)
        ctx.scale = scale
        return torch.bmm(share, v).view(count, heads, size, width)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        q, k, v, share = ctx.saved_tensors
        count, heads, _, width = grad.shape
        g = grad.reshape(q.shape)
        dv = torch.bmm(share.mT, g)
        ds = torch._softmax_backward_data(torch.bmm(g, v.mT), share, -1, share.dtype)
        ds.mul_(ctx.scale)
        dq, dk = torch.bmm(ds, k), torch.bmm(ds.mT, q)
        shape = (count, heads, -1, width)
        return dq.view(shape), dk.view(shape), dv.view(shape), None, None
