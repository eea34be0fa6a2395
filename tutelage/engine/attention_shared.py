"""Attention of a tree on a CPU where no gradient is wanted: what chains share is read once.

Depth-first numbering puts all that stands below a chain in one run of the row, and all of it
sees the whole chain. So each chain with forks below it is one product of that run with the
chain's keys, without a mask or a copy; each chain's own tokens are causal products of similar
lengths together; the parts are merged by their log-sum-exp, as Flash-Decoding does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.engine.attention_chains import first_of_chains, padded
from tutelage.engine.attention_kernels import flash_part
from tutelage.engine.gather import take

if TYPE_CHECKING:
    from tutelage.engine.attention import Layout

SHORT = 8  # chains are padded to a multiple of 8, of 16 above 64, of 32 above 128 ...

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """The chains of a row, and what stands below those with forks.

    Shapes: there `[P]` the row's token at each padded place; real `[R]` the places that are no
        padding, in their order, and token `[R]` whose they are; sizes: chains and padded length
        of each batch; below: first and past-the-last token of a chain, and past the last below.
    """

    there: Tensor
    real: Tensor
    token: Tensor
    sizes: tuple[tuple[int, int], ...]
    below: tuple[tuple[int, int, int], ...]


def attend(q: Tensor, k: Tensor, v: Tensor, layout: Layout, scale: float) -> Tensor:
    """What each token gathers from the tokens above it; there is no gradient.

    Shapes: q `[T, Hq, D]`, k and v `[T, Hk, D]` with Hk dividing Hq; returns `[T, Hq, D]`.
    """
    if "shared" not in layout.made:
        layout.made["shared"] = runs(layout.end)
    rows: Runs = layout.made["shared"]
    repeat = q.shape[1] // k.shape[1]
    if repeat > 1:
        k, v = k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1)
    out, norm = _own(q, k, v, rows, scale)
    for start, stop, end in rows.below:
        query, key, value = (
            x[span].transpose(0, 1)[None]
            for x, span in ((q, slice(stop, end)), (k, slice(start, stop)), (v, slice(start, stop)))
        )
        upper, over = flash_part(query, key, value, scale, causal=False)
        upper, over = upper[0].transpose(0, 1), over[0].transpose(0, 1)
        low = norm[stop:end]
        both = torch.logaddexp(low, over)
        mine = (low - both).exp_()[..., None]
        theirs = (over - both).exp_()[..., None]
        out[stop:end] = (out[stop:end] * mine).add_(upper * theirs).to(out.dtype)
        norm[stop:end] = both
    return out


def _own(q: Tensor, k: Tensor, v: Tensor, rows: Runs, scale: float) -> tuple[Tensor, Tensor]:
    """Each chain's own tokens: outputs `[T, H, D]` and log-sum-exps `[T, H]`."""
    places = [count * length for count, length in rows.sizes]
    parts = [take(x, rows.there).split(places) for x in (q, k, v)]
    outs, norms = [], []
    for at, (count, length) in enumerate(rows.sizes):
        query, key, value = (
            part[at].view(count, length, *part[at].shape[1:]).transpose(1, 2) for part in parts
        )
        out, norm = flash_part(query, key, value, scale, causal=True)
        outs.append(out.transpose(1, 2).reshape(count * length, *q.shape[1:]))
        norms.append(norm.transpose(1, 2).reshape(count * length, q.shape[1]))
    found, norm = torch.empty_like(q), q.new_empty(q.shape[:2], dtype=norms[0].dtype)
    found[rows.token] = torch.cat(outs)[rows.real]
    norm[rows.token] = torch.cat(norms)[rows.real]
    return found, norm


def runs(end: Ints) -> Runs:
    """The chains of a row.

    Shapes: end `[T]`, one past the last index of each token's subtree.
    """
    starts = np.flatnonzero(first_of_chains(end)).astype(np.int64)
    stops = np.append(starts[1:], len(end))
    widths = padded(stops - starts, SHORT)
    sizes, there, real = [], [], []
    for width in np.unique(widths).tolist():
        chosen = np.flatnonzero(widths == width)
        grid = starts[chosen, None] + np.arange(width)[None, :]
        inside = grid < stops[chosen, None]
        sizes.append((len(chosen), width))
        there.append(np.where(inside, grid, starts[chosen, None]).ravel())
        real.append(inside.ravel())
    place, kept = np.concatenate(there), np.flatnonzero(np.concatenate(real))
    ends = end[starts]
    forked = np.flatnonzero(ends > stops)
    return Runs(
        there=torch.from_numpy(place),
        real=torch.from_numpy(kept),
        token=torch.from_numpy(place[kept]),
        sizes=tuple(sizes),
        below=tuple((int(starts[one]), int(stops[one]), int(ends[one])) for one in forked.tolist()),
    )
