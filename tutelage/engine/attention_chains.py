"""Attention on a CPU: every chain of a tree is computed by itself, similar ones together.

A chain is a run of tokens without a fork. Its tokens see those of the chains above it and the
earlier ones of their own. Where a layer has a window, a longer chain is cut in pieces, and a
piece sees the last tokens above it only.

Short chains are batched matrix products; the gradient is the usual softmax one. Long ones run
torch's flash kernel twice, on what is above and on their own, both without a mask; the two are
merged by their log-sum-exp, and so are their gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.engine.attention_kernels import batched, flash, masked
from tutelage.engine.gather import arrange, restore, take

if TYPE_CHECKING:
    from tutelage.engine.attention import Layout

# Where flash beats batched products on a CPU with AMX (benchmarks/attention.py): a chain of more
# tokens than `LONG` runs it without a mask; with one, it pays from so many keys on. Of bf16 the
# memory that probabilities take decides.
LONG = {torch.float32: 640, torch.bfloat16: 768}
LONG_MASKED = {torch.float32: 384, torch.bfloat16: 2048}
# Lengths are padded to few sizes, so that there are few buckets of whole tiles: a multiple of 32,
# of 64 above 256, of 128 above 512 and so on.
ROUND, STEPS = 32, 8
PIECE = 128  # a chain is cut in pieces of its window, not of less than this

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bucket:
    """Chains of similar length below similar lengths of others, computed as one batch.

    Shapes: above `[count]`, how many tokens each chain sees above it, `before` at most.
    """

    count: int
    own: int  # tokens of a chain
    before: int  # tokens of the chains above it
    above: Ints
    window: int | None
    unmasked: bool  # each token sees all above its chain and just those before it in the chain
    device: torch.device
    biases: dict[torch.dtype, Tensor] = field(default_factory=dict)  # made once for all layers

    @property
    def length(self) -> int:
        """Tokens from the first seen to the end of the longest chain."""
        return self.before + self.own

    def bias(self, precision: torch.dtype) -> Tensor:
        """Added to scores: minus infinity out of sight. Shape `[count or 1, 1, own, length]`."""
        if precision not in self.biases:
            hidden = torch.from_numpy(self._hidden()).to(self.device)
            bias = torch.zeros(hidden.shape, dtype=precision, device=self.device)
            self.biases[precision] = bias.masked_fill_(hidden, float("-inf"))[:, None]
        return self.biases[precision]

    def _hidden(self) -> NDArray[np.bool_]:
        """True where a key is out of sight, `[count or 1, own, length]`."""
        above = np.unique(self.above) if len(np.unique(self.above)) == 1 else self.above
        row, key = np.arange(self.own)[:, None], np.arange(self.length)[None, :]
        # how far each key stands before each query; keys past those above are padding
        far = np.where(key < self.before, above[:, None, None] + row - key, row + self.before - key)
        padding = (key < self.before) & (key >= above[:, None, None])
        hidden = (far < 0) | padding
        if self.window is not None:
            hidden |= far >= self.window
        return np.ascontiguousarray(hidden)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chains:
    """How the tokens of one row fall into chains, and what stands above each.

    Shapes: there `[P]` the row's token at each padded place, back `[T]` each token's
        place, real `[P]` False on padding; all None where the row needs no padding. above
        `[A]` the tokens above each chain, padded too, buckets in order; None without forks.
    """

    buckets: tuple[Bucket, ...]
    there: Tensor | None
    back: Tensor | None
    real: Tensor | None
    above: Tensor | None


def attend(
    q: Tensor, k: Tensor, v: Tensor, layout: Layout, scale: float, cap: float | None
) -> Tensor:
    """See `attention.attend`."""
    long = LONG.get(q.dtype) if q.device.type == "cpu" and cap is None else None
    key = ("chains", layout.window, q.device, long)
    if key not in layout.made:
        layout.made[key] = chains(layout, q.device, long)
    rows: Chains = layout.made[key]
    repeat = q.shape[1] // k.shape[1]
    if repeat > 1:
        k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
    above = () if rows.above is None else (take(k, rows.above), take(v, rows.above))
    if rows.there is None or rows.back is None or rows.real is None:
        return _every_bucket(q, (k, v), above, rows, (scale, cap, long))
    q, k, v = (arrange(x, rows.there, rows.back, rows.real) for x in (q, k, v))
    out = _every_bucket(q, (k, v), above, rows, (scale, cap, long))
    return restore(out, rows.there, rows.back, rows.real)


def described(precision: torch.dtype | None) -> str:
    """In words for the log; no precision where the device has none of a CPU's kernels."""
    long = None if precision is None else LONG.get(precision)
    return "batched products" + (f", flash for chains above {long} tokens" if long else "")


def chains(layout: Layout, device: torch.device, long: int | None) -> Chains:
    """The chains of a row; what is above those of more than `long` tokens is not padded."""
    end = layout.end
    starts, stops, above = _cut(end, layout.window)
    own, depths = stops - starts, np.asarray([len(one) for one in above])
    whole = np.zeros(len(own), bool) if long is None else own > long
    if depths.any() or len(set(own.tolist())) > 1:
        before = np.where(whole, depths, padded(depths))
        own = padded(own)
    else:
        before = depths
    buckets, places, kept, seen = [], [], [], []
    for rows, width in sorted({*zip(before.tolist(), own.tolist(), strict=True)}):
        chosen = np.flatnonzero((before == rows) & (own == width))
        grid = starts[chosen, None] + np.arange(width)[None, :]
        real = grid < stops[chosen, None]
        buckets.append(_bucket((rows, width), depths[chosen], layout.window, device))
        places.append(np.where(real, grid, 0).ravel())
        kept.append(real.ravel())
        seen += [np.pad(above[index], (0, rows - depths[index])) for index in chosen if rows]
    there, real = np.concatenate(places), np.concatenate(kept)
    keys = torch.from_numpy(np.concatenate(seen)).to(device) if seen else None
    if len(there) == len(end) and bool((there == np.arange(len(end))).all()):
        return Chains(buckets=tuple(buckets), there=None, back=None, real=None, above=keys)
    back = np.empty(len(end), dtype=np.int64)
    back[there[real]] = np.flatnonzero(real)
    return Chains(
        buckets=tuple(buckets),
        there=torch.from_numpy(there).to(device),
        back=torch.from_numpy(back).to(device),
        real=torch.from_numpy(real).to(device),
        above=keys,
    )


def _bucket(size: tuple[int, int], above: Ints, window: int | None, device: torch.device) -> Bucket:
    before, own = size
    return Bucket(
        count=len(above),
        own=own,
        before=before,
        above=above,
        window=window,
        unmasked=bool((above == before).all()) and (window is None or before + own <= window),
        device=device,
    )


def first_of_chains(end: Ints) -> NDArray[np.bool_]:
    """Whether a token is the first of its chain, `[T]`."""
    only = end[1:] == end[:-1]  # a token whose subtree ends with that of the one before it
    only &= np.arange(1, len(end)) < end[:-1]
    return np.concatenate(([True], ~only))


def padded(lengths: Ints, least: int = ROUND) -> Ints:
    """Each length rounded up to one of few; nothing stays nothing."""
    step = 1 << np.ceil(np.log2(np.maximum(lengths, 1) / STEPS)).astype(np.int64)
    step = np.maximum(least, step)
    rounded: Ints = -(-lengths // step) * step
    return rounded


def _cut(end: Ints, window: int | None) -> tuple[Ints, Ints, list[Ints]]:
    """First and past-the-last token of every chain or piece, and the tokens it sees above."""
    index = np.arange(len(end))
    first = first_of_chains(end)
    if window is not None:
        begun = np.maximum.accumulate(np.where(first, index, 0))
        first |= (index - begun) % max(window, PIECE) == 0
    starts = np.flatnonzero(first).astype(np.int64)
    stops = np.append(starts[1:], len(end))
    above: list[Ints] = []
    open_chains: list[tuple[int, int]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        while open_chains and end[open_chains[-1][0]] <= start:
            open_chains.pop()
        above.append(_last(open_chains, window))
        open_chains.append((start, stop))
    return starts, stops, above


def _last(open_chains: list[tuple[int, int]], window: int | None) -> Ints:
    """The tokens of the open chains, of those a window reaches at most its own number."""
    spans: list[Ints] = []
    room = None if window is None else window - 1
    for first, last in reversed(open_chains):
        if room is not None:
            first = max(first, last - room)
            room -= last - first
        spans.append(np.arange(first, last))
    return np.concatenate(spans[::-1]) if spans else np.empty(0, dtype=np.int64)


def _every_bucket(
    q: Tensor,
    own: tuple[Tensor, Tensor],
    above: tuple[Tensor, ...],
    rows: Chains,
    asked: tuple[float, float | None, int | None],
) -> Tensor:
    """Shapes: q and own `[P, H, D]`, above `[A, H, D]` keys and values; returns `[P, H, D]`."""
    places = [bucket.count * bucket.own for bucket in rows.buckets]
    seen = [bucket.count * bucket.before for bucket in rows.buckets]
    queries = q.split(places)
    parts = [x.split(places) for x in own]
    upper = [x.split(seen) for x in above]
    out = []
    for index, bucket in enumerate(rows.buckets):
        keys, values = (_batched(part[index], bucket.count) for part in parts)
        higher = [_batched(part[index], bucket.count) for part in upper if bucket.before]
        query = _batched(queries[index], bucket.count)
        found = _one_bucket(query, (keys, values), tuple(higher), bucket, asked)
        out.append(found.transpose(1, 2).reshape(bucket.count * bucket.own, *q.shape[1:]))
    return out[0] if len(out) == 1 else torch.cat(out)


def _batched(x: Tensor, count: int) -> Tensor:
    """`[count * L, H, D]` as `[count, H, L, D]`."""
    return x.reshape(count, -1, *x.shape[1:]).transpose(1, 2)


def _one_bucket(
    query: Tensor,
    own: tuple[Tensor, ...],
    above: tuple[Tensor, ...],
    bucket: Bucket,
    asked: tuple[float, float | None, int | None],
) -> Tensor:
    scale, cap, long = asked
    if long is not None and bucket.own > long and bucket.unmasked:
        return flash(query, own, above, scale)
    key, value = (torch.cat(pair, dim=2) for pair in zip(above, own, strict=True)) if above else own
    bias = bucket.bias(query.dtype)
    if cap is None and bucket.length > LONG_MASKED.get(query.dtype, 0):
        return masked(query, key, value, bias, scale)
    return batched(query, key, value, bias, (scale, cap))
