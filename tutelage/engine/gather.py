"""Picking rows of `[T, …]` tensors with gradients that stay fast and repeatable on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor


def take(x: Tensor, index: Tensor) -> Tensor:
    """Rows of `x` at `index`, which may repeat.

    Shapes: x `[T, …]`, index `[S]`; returns `[S, …]`. The gradient adds up in fp32:
    torch's bf16 `index_add_` is thirty times slower on a CPU.
    """
    taken: Tensor = _Take.apply(x, index)  # type: ignore[no-untyped-call]
    return taken


def arrange(x: Tensor, there: Tensor, back: Tensor, real: Tensor) -> Tensor:
    """Rows moved to padded places; padding holds row 0 and passes no gradient.

    Shapes: x `[T, …]`; there `[P]` row of each place; back `[T]` place of each row;
        real `[P]` False on padding. Returns `[P, …]`.
    """
    moved: Tensor = _Arrange.apply(x, there, back, real)  # type: ignore[no-untyped-call]
    return moved


def restore(x: Tensor, there: Tensor, back: Tensor, real: Tensor) -> Tensor:
    """The inverse of `arrange`: padding is dropped. Shapes: x `[P, …]`, returns `[T, …]`."""
    moved: Tensor = _Restore.apply(x, there, back, real)  # type: ignore[no-untyped-call]
    return moved


class _Take(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, index: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(index)
        ctx.rows = x.shape[0]
        return x.index_select(0, index)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        (index,) = ctx.saved_tensors
        out = grad.new_zeros((ctx.rows, *grad.shape[1:]), dtype=torch.float32)
        return out.index_add_(0, index, grad.float()).to(grad.dtype), None


class _Arrange(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, there: Tensor, back: Tensor, real: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(back)
        return x.index_select(0, there)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        (back,) = ctx.saved_tensors
        return grad.index_select(0, back), None, None, None


class _Restore(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, there: Tensor, back: Tensor, real: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(there, real)
        return x.index_select(0, back)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        there, real = ctx.saved_tensors
        moved = grad.index_select(0, there)
        moved[~real] = 0
        return moved, None, None, None
