"""What a layer does element by element, each as one step of autograd.

Written out, autograd would keep every intermediate, half of them in fp32: at small widths more than
all products' operands together. Here inputs are kept and the rest is made again. Under the compiler
the plain forms stand, which it fuses better.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Activation = Literal["silu", "gelu_tanh"]


def rms_norm(
    x: Tensor, weight: Tensor, epsilon: float, offset: float, precision: torch.dtype
) -> Tensor:
    """Root-mean-square norm in fp32, rounded once. Source: arXiv 1910.07467.

    Shapes: x `[…, W]`, weight `[W]`.
    """
    if _written_out(x, weight):
        return _normed(x.float(), _rate(x.float(), epsilon), weight.float() + offset, precision)
    out: Tensor = _Norm.apply(x, weight, epsilon, offset, precision)  # type: ignore[no-untyped-call]
    return out


def gated(gate_up: Tensor, activation: Activation) -> Tensor:
    """The first half of the features, activated, times the second.

    Shapes: gate_up `[T, 2 I]`; returns `[T, I]`.
    """
    if _written_out(gate_up):
        gate, up = gate_up.chunk(2, -1)
        return _active(gate, activation) * up
    out: Tensor = _Gated.apply(gate_up, activation)  # type: ignore[no-untyped-call]
    return out


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Pairs of features turned: those of the first half with those of the second.

    Shapes: x `[T, heads, W]`, cos and sin `[T, 1, W]`, both halves alike.
    """
    if _written_out(x):
        first, second = x.chunk(2, -1)
        return x * cos + torch.cat([-second, first], -1) * sin
    out: Tensor = _Turned.apply(x, cos, sin)  # type: ignore[no-untyped-call]
    return out


def _written_out(*tensors: Tensor) -> bool:
    if torch.compiler.is_compiling() or not torch.is_grad_enabled():
        return True
    return not any(one.requires_grad for one in tensors)


def _rate(wide: Tensor, epsilon: float) -> Tensor:
    """One over the root of the mean square, `[…, 1]`."""
    return torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)


def _normed(wide: Tensor, rate: Tensor, gain: Tensor, precision: torch.dtype) -> Tensor:
    return (wide * rate * gain).to(precision)


def _active(gate: Tensor, activation: Activation) -> Tensor:
    if activation == "silu":
        return nn.functional.silu(gate)
    return nn.functional.gelu(gate, approximate="tanh")


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, epsilon: float, offset: float, precision):  # type: ignore[no-untyped-def]
        wide, gain = x.float(), weight.float() + offset
        rate = _rate(wide, epsilon)
        ctx.save_for_backward(x, weight, rate)
        ctx.offset = offset
        return (wide * rate).mul_(gain).to(precision)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        x, weight, rate = ctx.saved_tensors
        width = x.shape[-1]
        wide, gain, slope = x.float(), weight.float() + ctx.offset, grad.float()
        both = (slope * wide).reshape(-1, width)
        own = None
        if ctx.needs_input_grad[1]:
            own = torch.mv(both.T, rate.reshape(-1)).to(weight.dtype)
        out = None
        if ctx.needs_input_grad[0]:
            common = torch.mv(both, gain).view(rate.shape).mul_(rate.pow(3)).div_(width)
            out = (slope * gain).mul_(rate).addcmul_(wide, common, value=-1).to(x.dtype)
        return out, own, None, None, None


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx, gate_up: Tensor, activation: Activation) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(gate_up)
        ctx.activation = activation
        gate, up = gate_up.chunk(2, -1)
        return _active(gate, activation).mul_(up)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        (gate_up,) = ctx.saved_tensors
        gate, up = gate_up.chunk(2, -1)
        out = torch.empty_like(gate_up)
        own, beside = out.chunk(2, -1)
        torch.mul(_active(gate, ctx.activation), grad, out=beside)
        slope = grad * up
        if ctx.activation == "silu":
            torch.ops.aten.silu_backward.grad_input(slope, gate, grad_input=own)
        else:
            torch.ops.aten.gelu_backward.grad_input(slope, gate, approximate="tanh", grad_input=own)
        return out, None


class _Turned(torch.autograd.Function):
    """The gradient is turned back by the same angles: nothing of `x` is kept."""

    @staticmethod
    def forward(ctx, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, back=False)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        return _turn(grad, *ctx.saved_tensors, back=True), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor, *, back: bool) -> Tensor:
    out = x * cos
    (first, second), (low, high) = x.chunk(2, -1), out.chunk(2, -1)
    sine = sin.chunk(2, -1)[0]
    sign = 1 if back else -1
    low.addcmul_(second, sine, value=sign)
    high.addcmul_(first, sine, value=-sign)
    return out
