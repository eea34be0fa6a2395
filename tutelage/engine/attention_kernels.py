"""Products and softmax of one batch of chains, each with its gradient.

Shapes throughout: query `[N, H, L, D]`, keys and values `[N, H, K, D]`.
"""

from __future__ import annotations

import torch
from torch import Tensor

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def batched(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor, asked: tuple[float, float | None]
) -> Tensor:
    """Batched matrix products; `asked` is the scale of scores and their cap.

    Shapes: bias `[N or 1, 1, L, K]`, added to the scores.
    """
    out: Tensor = _Batched.apply(query, key, value, bias, asked)  # type: ignore[no-untyped-call]
    return out


def masked(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float) -> Tensor:
    """Flash attention under a mask: no probabilities are kept."""
    return torch.nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=bias, scale=scale
    )


def flash(
    query: Tensor, own: tuple[Tensor, ...], above: tuple[Tensor, ...], scale: float
) -> Tensor:
    """Flash attention without a mask: to all of `above`, and causally to `own`.

    Shapes: own and above are keys and values, those of `own` as long as the query.
    """
    out: Tensor = _Flash.apply(query, scale, *own, *above)  # type: ignore[no-untyped-call]
    return out


def flash_part(
    query: Tensor, key: Tensor, value: Tensor, scale: float, *, causal: bool
) -> tuple[Tensor, Tensor]:
    """What a query gathers from a part of its keys, and the log-sum-exp of their scores.

    There is no gradient. Returns `[N, H, L, D]` and `[N, H, L]`.
    """
    out, norm = _flash(query, key, value, 0.0, causal, scale=scale)
    return out, norm


class _Batched(torch.autograd.Function):
    """Probabilities are kept for the gradient, and the slope of the cap where there is one."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor,
        asked: tuple[float, float | None],
    ) -> Tensor:
        scale, cap = asked
        count, heads, size, width = query.shape
        q, k, v = (x.reshape(count * heads, -1, width) for x in (query, key, value))
        score = torch.bmm(q, k.mT).mul_(scale)
        slope = None
        if cap is not None:
            bend = score.div_(cap).tanh_()
            slope, score = 1 - bend * bend, bend * cap
        score = score.view(count, heads, size, -1).add_(bias)
        share = torch.softmax(score, -1).view(count * heads, size, -1)
        ctx.save_for_backward(q, k, v, share, slope)
        ctx.scale = scale
        return torch.bmm(share, v).view(count, heads, size, width)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        q, k, v, share, slope = ctx.saved_tensors
        count, heads, _, width = grad.shape
        g = grad.reshape(q.shape)
        dv = torch.bmm(share.mT, g)
        ds = torch._softmax_backward_data(torch.bmm(g, v.mT), share, -1, share.dtype)
        ds.mul_(ctx.scale)
        if slope is not None:
            ds.mul_(slope)
        dq, dk = torch.bmm(ds, k), torch.bmm(ds.mT, q)
        shape = (count, heads, -1, width)
        return dq.view(shape), dk.view(shape), dv.view(shape), None, None


class _Flash(torch.autograd.Function):
    """Two passes of torch's kernel merged by the log-sum-exp of their scores.

    The gradient of a pass needs no more than the merged output and log-sum-exp: with those its
    probabilities are the shares of the whole. Source: FlashAttention-2, arXiv 2307.08691,
    section 3.1.2 (the backward pass) and Flash-Decoding (the merge).
    """

    @staticmethod
    def forward(ctx, query: Tensor, scale: float, *pairs: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        out, norm = _flash(query, *pairs[:2], 0.0, True, scale=scale)
        if len(pairs) > 2:
            upper, over = _flash(query, *pairs[2:], 0.0, False, scale=scale)
            both = torch.logaddexp(norm, over)
            shares = ((norm - both).exp()[..., None], (over - both).exp()[..., None])
            out = (out * shares[0] + upper * shares[1]).to(query.dtype)
            norm = both
        ctx.save_for_backward(query, out, norm, *pairs)
        ctx.scale = scale
        merged: Tensor = out
        return merged

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        query, out, norm, *pairs = ctx.saved_tensors
        found = []
        total = None
        for at in range(0, len(pairs), 2):
            part, dk, dv = _flash_backward(
                grad, query, *pairs[at : at + 2], out, norm, 0.0, at == 0, scale=ctx.scale
            )
            total = part if total is None else total + part
            found += [dk, dv]
        return total, None, *found
