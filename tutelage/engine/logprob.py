"""Cross-entropy at the supervised positions only; logits never accumulate.

The gradient is made in the forward pass, chunk by chunk, so that peak memory is one
chunk of logits. Source: the fused linear cross-entropy family (Liger, Cut Cross-Entropy);
here with per-token weights and the sum left undivided.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

CHUNK_BYTES = 32 << 20


class Loss(NamedTuple):
    """Weighted sum of negative log-probabilities, and each token's log-probability `[S]`."""

    total: Tensor
    logprob: Tensor


def supervised_loss(hidden: Tensor, head: Tensor, target: Tensor, weight: Tensor) -> Loss:
    """Summed weighted negative log-likelihood of `target` under `hidden @ head.T`.

    The caller divides once, by the supervised weight of the whole step.

    Shapes: hidden `[S, H]`, head `[V, H]`, target `[S]`, weight `[S]` float32.
    """
    total, logprob = _Supervised.apply(hidden, head, target, weight)  # type: ignore[no-untyped-call]
    return Loss(total, logprob)


def logprobs(hidden: Tensor, head: Tensor, target: Tensor) -> Tensor:
    """Log-probability of each target, `[S]` float32, without gradients."""
    rows = max(1, CHUNK_BYTES // (4 * head.shape[0]))
    parts = []
    with torch.no_grad():
        for part, ids in zip(hidden.split(rows), target.split(rows), strict=True):
            logits = (part @ head.T).float()
            chosen = logits.gather(1, ids[:, None]).squeeze(1)
            parts.append(chosen - torch.logsumexp(logits, -1))
    return torch.cat(parts) if parts else hidden.new_zeros(0, dtype=torch.float32)


class _Supervised(torch.autograd.Function):
    @staticmethod
    def forward(ctx, hidden: Tensor, head: Tensor, target: Tensor, weight: Tensor):  # type: ignore[no-untyped-def]
        rows = max(1, CHUNK_BYTES // (4 * head.shape[0]))
        need_hidden, need_head = ctx.needs_input_grad[0], ctx.needs_input_grad[1]
        logprob = hidden.new_empty(len(hidden), dtype=torch.float32)
        grad_hidden = torch.empty_like(hidden) if need_hidden else None
        grad_head = torch.zeros_like(head, dtype=torch.float32) if need_head else None
        for low in range(0, len(hidden), rows):
            part, ids = hidden[low : low + rows], target[low : low + rows]
            logits = part @ head.T
            share = torch.softmax(logits, -1, dtype=torch.float32)
            top, place = logits.max(-1, keepdim=True)
            norm = top.float() - share.gather(1, place).log()  # exact: the top share is >= 1/V
            logprob[low : low + rows] = (logits.gather(1, ids[:, None]).float() - norm).squeeze(1)
            if not (need_hidden or need_head):
                continue
            slope = share
            slope.scatter_add_(1, ids[:, None], slope.new_full((len(ids), 1), -1.0))
            slope = slope.mul_(weight[low : low + rows, None]).to(hidden.dtype)
            if grad_hidden is not None:
                grad_hidden[low : low + rows] = slope @ head
            if grad_head is not None:
                grad_head += (slope.T @ part).float()
        ctx.grads = (grad_hidden, grad_head, head.dtype)
        ctx.mark_non_differentiable(logprob)
        return -(logprob * weight).sum(), logprob

    @staticmethod
    def backward(ctx, grad: Tensor, _: Tensor):  # type: ignore[no-untyped-def]
        grad_hidden, grad_head, kind = ctx.grads
        scaled_hidden = None if grad_hidden is None else grad_hidden * grad.to(grad_hidden.dtype)
        scaled_head = None if grad_head is None else (grad_head * grad).to(kind)
        return scaled_hidden, scaled_head, None, None
