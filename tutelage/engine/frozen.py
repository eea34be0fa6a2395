"""A frozen linear map with low-rank changes on parts of its output, as one step of autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Dense = Callable[[torch.dtype], Tensor]  # the matrix `[out, in]` in a precision


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A low-rank change of the outputs from row `first` on.

    Shapes: a `[r, in]`, b `[rows, r]`.
    """

    first: int
    a: Tensor
    b: Tensor
    scale: float


def frozen_linear(x: Tensor, dense: Dense, changes: Sequence[Change] = ()) -> Tensor:
    """`x W^T`, plus `scale * x A^T B^T` on the rows of each change; W takes no gradient.

    Only `x` and `x A^T` are kept for the gradient. W is asked for again there, so that one
    that is stored in few bits is never held written out.

    Shapes: x `[…, in]`; returns `[…, out]`.
    """
    kind = compute_precision(x)
    flat = x.reshape(-1, x.shape[-1]).to(kind)
    places = tuple((one.first, one.b.shape[0], one.a.shape[0], one.scale) for one in changes)
    down = torch.cat([one.a for one in changes]) if changes else None
    up = [one.b for one in changes]
    out: Tensor = _Frozen.apply(flat, dense, places, down, *up)  # type: ignore[no-untyped-call]
    return out.view(*x.shape[:-1], -1)


def compute_precision(x: Tensor) -> torch.dtype:
    """What a product with `x` is computed in: autocast's precision where it is on."""
    device = x.device.type
    cast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if cast else x.dtype


class _Frozen(torch.autograd.Function):
    """Shapes: x `[N, in]`, down `[sum of ranks, in]`, each up `[rows, rank]`; places are
    (first row, rows, rank, scale)."""

    @staticmethod
    def forward(ctx, x: Tensor, dense: Dense, places, down: Tensor | None, *up: Tensor):  # type: ignore[no-untyped-def]
        out = torch.mm(x, dense(x.dtype).T)
        low = torch.mm(x, down.to(x.dtype).T) if down is not None else x.new_empty(0)
        rank = 0
        for (first, rows, width, scale), b in zip(places, up, strict=True):
            part = low[:, rank : rank + width]
            out[:, first : first + rows].addmm_(part, b.to(x.dtype).T, alpha=scale)
            rank += width
        ctx.save_for_backward(x if down is not None else None, low, down, *up)
        ctx.dense, ctx.places = dense, places
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, low, down, *up = ctx.saved_tensors
        needs_x = ctx.needs_input_grad[0]
        out = torch.mm(grad, ctx.dense(grad.dtype)) if needs_x else None
        if down is None:
            return out, None, None, None
        slope = torch.empty_like(low)
        tops, rank = [], 0
        for (first, rows, width, scale), b in zip(ctx.places, up, strict=True):
            own, span = grad[:, first : first + rows], slice(rank, rank + width)
            tops.append(torch.mm(own.T, low[:, span]).to(b.dtype).mul_(scale))
            torch.mm(own, b.to(grad.dtype) * scale, out=slope[:, span])
            rank += width
        bottom = torch.mm(slope.T, x).to(down.dtype)
        if out is not None:
            out.addmm_(slope, down.to(grad.dtype))
        return out, None, None, bottom, *tops
