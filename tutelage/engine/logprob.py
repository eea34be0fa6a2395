"""Cross-entropy at the supervised positions only; logits never accumulate.

The gradient is made in the forward pass, chunk by chunk, so that peak memory is one
chunk of logits. Source: the fused linear cross-entropy family (Liger, Cut Cross-Entropy);
here with per-token weights and the sum left undivided.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from tutelage.engine.gradients import Gradients, Reduce, wide
from tutelage.engine.lowrank import Beside

CHUNK_BYTES = 32 << 20


class Loss(NamedTuple):
    """Weighted sum of each token's loss, and each token's plain log-probability `[S]`."""

    total: Tensor
    logprob: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Which rows of the vocabulary this process holds, and how all of them come together."""

    first: int
    vocabulary: int  # of all shards
    reduce: Reduce


@dataclass(frozen=True, slots=True, kw_only=True)
class LossShape:
    """What is added to the plain cross-entropy, and how logits come from hidden states.

    Source: label smoothing, arXiv 1512.00567; z-loss, arXiv 2204.02311; the cap
    `cap * tanh(logit / cap)`, arXiv 2408.00118.
    """

    label_smoothing: float = 0.0
    z_loss: float = 0.0
    cap: float | None = None
    bias: Tensor | None = None  # of the head, `[V]`
    shard: Shard | None = None


PLAIN = LossShape()


def supervised_loss(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    weight: Tensor,
    shape: LossShape = PLAIN,
    beside: Beside | None = None,
) -> Loss:
    """Summed weighted negative log-likelihood of `target` under `hidden @ head.T`, and what
    stands beside the head.

    The caller divides once, by the supervised weight of the whole step. Where the head is a
    shard, every process comes to the same loss and to the gradient of its own rows.

    Shapes: hidden `[S, H]`, head `[V, H]`, target `[S]`, weight `[S]` float32.
    """
    given = _Given(target, weight, shape, beside)
    own = (None, None, None) if beside is None else (beside.low, beside.up, beside.longer)
    total, logprob = _Supervised.apply(given, hidden, head, shape.bias, *own)  # type: ignore[no-untyped-call]
    return Loss(total, logprob)


def logprobs(
    hidden: Tensor,
    head: Tensor,
    target: Tensor,
    shape: LossShape = PLAIN,
    beside: Beside | None = None,
) -> Tensor:
    """Log-probability of each target, `[S]` float32, without gradients."""
    rows = _rows(head)
    parts = []
    with torch.no_grad():
        for low in range(0, len(hidden), rows):
            span = slice(low, low + rows)
            logits = _finished(head_product(hidden[span], head, _cut(beside, span)), shape, beside)
            parts.append(_chosen(logits, target[span], shape) - _shares(logits, shape).norm)
    return torch.cat(parts) if parts else hidden.new_zeros(0, dtype=torch.float32)


def head_product(hidden: Tensor, head: Tensor, beside: Beside | None) -> Tensor:
    """`hidden @ head.T` and the low-rank part beside it; lengths, bias and cap are left out.

    Shapes: hidden `[S, H]`, head `[V, H]`; returns `[S, V]`.
    """
    product = hidden @ head.T
    if beside is not None:
        kind, rows = product.dtype, slice(beside.first, beside.first + len(beside.up))
        product[:, rows].addmm_(beside.low.to(kind), beside.up.to(kind).T, alpha=beside.scale)
    return product


def head_logits(hidden: Tensor, head: Tensor, cap: float | None, beside: Beside | None) -> Tensor:
    """The logits `[S, V]` of hidden states `[S, H]`, without gradients."""
    with torch.no_grad():
        return _finished(head_product(hidden, head, beside), LossShape(cap=cap), beside)


class _Given(NamedTuple):
    """What takes no gradient by itself. Shapes: target and weight `[S]`."""

    target: Tensor
    weight: Tensor
    shape: LossShape
    beside: Beside | None


class _Shares(NamedTuple):
    """Each token's probabilities `[S, V]` and log-normaliser `[S]`, in float32 or wider."""

    share: Tensor
    norm: Tensor


def _rows(head: Tensor) -> int:
    return max(1, CHUNK_BYTES // (4 * head.shape[0]))


def _cut(beside: Beside | None, span: slice) -> Beside | None:
    """What stands beside the head for some of the tokens."""
    return None if beside is None else replace(beside, low=beside.low[span])


def _finished(product: Tensor, shape: LossShape, beside: Beside | None) -> Tensor:
    logits = product
    if beside is not None and beside.longer is not None:
        logits = logits * beside.longer.to(logits.dtype)
    if shape.bias is not None:
        logits = logits + shape.bias.to(logits.dtype)
    return logits if shape.cap is None else shape.cap * torch.tanh(logits / shape.cap)


def _shares(logits: Tensor, shape: LossShape) -> _Shares:
    if shape.shard is not None:
        raw = logits.to(wide(logits))
        top = shape.shard.reduce(raw.amax(-1), "max")
        raised = torch.exp(raw - top[:, None])
        total = shape.shard.reduce(raised.sum(-1), "sum")
        return _Shares(raised / total[:, None], top + total.log())
    share = torch.softmax(logits, -1, dtype=wide(logits))
    highest, place = logits.max(-1, keepdim=True)
    norm = highest - share.gather(1, place).log()  # exact: the top share is >= 1/V
    return _Shares(share, norm.squeeze(1))


def _chosen(logits: Tensor, ids: Tensor, shape: LossShape) -> Tensor:
    """The target's logit `[S]`."""
    local, held = _local(ids, logits, shape)
    own = logits.gather(1, local[:, None]).squeeze(1).to(wide(logits)) * held
    return own if shape.shard is None else shape.shard.reduce(own, "sum")


def _local(ids: Tensor, logits: Tensor, shape: LossShape) -> tuple[Tensor, Tensor]:
    """The target's column here, and 1 where it is held here, else 0."""
    if shape.shard is None:
        return ids, torch.ones_like(ids, dtype=wide(logits))
    local = ids - shape.shard.first
    held = (local >= 0) & (local < logits.shape[1])
    return local.clamp(0, logits.shape[1] - 1), held.to(wide(logits))


def _mean(logits: Tensor, shape: LossShape) -> Tensor:
    """Mean logit over the whole vocabulary `[S]`."""
    own = logits.sum(-1, dtype=wide(logits))
    if shape.shard is None:
        return own / logits.shape[1]
    return shape.shard.reduce(own, "sum") / shape.shard.vocabulary


class _Supervised(torch.autograd.Function):
    """Shapes: as `supervised_loss`; the others are bias `[V]`, low `[S, r]`, up `[rows, r]` and
    longer `[V]`, each of them or None."""

    @staticmethod
    def forward(ctx, given: _Given, hidden: Tensor, head: Tensor, *others: Tensor | None):  # type: ignore[no-untyped-def]
        target, weight, shape, beside = given
        needed, trained = ctx.needs_input_grad[1:], (hidden, head, *others)
        grads = Gradients.of(trained, needed)
        logprob = hidden.new_empty(len(hidden), dtype=wide(hidden))
        extra = logprob.new_zeros(())
        rows = _rows(head)
        for start in range(0, len(hidden), rows):
            span = slice(start, start + rows)
            own = _cut(beside, span)
            product = head_product(hidden[span], head, own)
            logits = _finished(product, shape, own)
            share, norm = _shares(logits, shape)
            logprob[span] = _chosen(logits, target[span], shape) - norm
            extra = extra + _extra(logits, norm, logprob[span], weight[span], shape)
            if any(needed):
                slope = _slope(share, norm, logits, target[span], shape).mul_(weight[span, None])
                grads.add(slope, product, span, hidden, head, own)
        if shape.shard is not None:
            grads = grads.reduced(shape.shard.reduce)
        ctx.grads = grads
        ctx.kinds = [None if one is None else one.dtype for one in trained]
        ctx.mark_non_differentiable(logprob)
        return -(logprob * weight).sum() + extra, logprob

    @staticmethod
    def backward(ctx, grad: Tensor, _: Tensor):  # type: ignore[no-untyped-def]
        pairs = zip(ctx.grads, ctx.kinds, strict=True)
        scaled = [
            None if one is None else (one * grad.to(one.dtype)).to(kind) for one, kind in pairs
        ]
        return None, *scaled


def _extra(
    logits: Tensor, norm: Tensor, logprob: Tensor, weight: Tensor, shape: LossShape
) -> Tensor:
    """What smoothing and the z-loss add to the sum of weighted negative log-likelihoods."""
    added = torch.zeros_like(norm)
    if shape.label_smoothing:
        added += shape.label_smoothing * (logprob - (_mean(logits, shape) - norm))
    if shape.z_loss:
        added += shape.z_loss * norm.square()
    return (added * weight).sum()


def _slope(share: Tensor, norm: Tensor, logits: Tensor, ids: Tensor, shape: LossShape) -> Tensor:
    """Derivative of each token's loss by its logits before the cap; `share` is written over."""
    slope = share
    if shape.z_loss:
        slope = slope.mul_(1 + 2 * shape.z_loss * norm[:, None])
    local, held = _local(ids, logits, shape)
    taught = held * (shape.label_smoothing - 1.0)
    slope.scatter_add_(1, local[:, None], taught[:, None])
    if shape.label_smoothing:
        whole = logits.shape[1] if shape.shard is None else shape.shard.vocabulary
        slope.sub_(shape.label_smoothing / whole)
    return (
        slope
        if shape.cap is None
        else slope.mul_(1 - (logits / shape.cap).to(slope.dtype).square())
    )
