"""Cross-entropy at the supervised positions only; logits never accumulate.

The gradient is made in the forward pass, chunk by chunk, so that peak memory is one
chunk of logits. Source: the fused linear cross-entropy family (Liger, Cut Cross-Entropy);
here with per-token weights and the sum left undivided.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from tutelage.engine.gradients import Gradients, Reduce, wide
from tutelage.engine.lowrank import Beside

# Bytes of slopes, the only thing of tokens by vocabulary that is kept; a CUDA device wants larger
# products, and of fp32 logits made at a time, which a processor wants in its cache.
CHUNK_BYTES = {"cpu": 64 << 20, "cuda": 256 << 20}
CACHE_BYTES = {"cpu": 8 << 20, "cuda": 256 << 20}
FAINT = -80.0  # log-probabilities whose share fp32 holds with fewer digits


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
    parts = []
    with torch.no_grad():
        for span in _parts(slice(0, len(hidden)), _rows(head, few=True)):
            logits = _finished(head_product(hidden[span], head, _cut(beside, span)), shape, beside)
            parts.append(_shares(logits, target[span], shape).logprob)
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
    """Each token's probabilities `[S, V]`, log-normaliser and its target's log-probability `[S]`.

    In float32 or wider.
    """

    share: Tensor
    norm: Tensor
    logprob: Tensor


def _rows(head: Tensor, *, few: bool) -> int:
    """How many tokens' slopes are held at once, or, of those, made at once."""
    size, room = (4, CACHE_BYTES) if few else (head.element_size(), CHUNK_BYTES)
    return max(1, room.get(head.device.type, room["cpu"]) // (size * head.shape[0]))


def _parts(span: slice, rows: int) -> Iterator[slice]:
    for low in range(span.start, span.stop, rows):
        yield slice(low, min(low + rows, span.stop))


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


def _shares(logits: Tensor, ids: Tensor, shape: LossShape) -> _Shares:
    if shape.shard is not None:
        raw = logits.to(wide(logits))
        top = shape.shard.reduce(raw.amax(-1), "max")
        raised = torch.exp(raw - top[:, None])
        total = shape.shard.reduce(raised.sum(-1), "sum")
        norm = top + total.log()
        own, held = _chosen(logits, ids, shape)
        logit = shape.shard.reduce(own * held, "sum")
        return _Shares(raised / total[:, None], norm, logit - norm)
    share = torch.softmax(logits, -1, dtype=wide(logits))
    own, _ = _chosen(logits, ids, shape)
    logprob = share.gather(1, ids[:, None]).squeeze(1).log()
    faint = (logprob < FAINT).nonzero().squeeze(1)
    if len(faint):  # their share is rounded, or nothing: by the greatest, which is not
        highest, place = logits[faint].max(-1, keepdim=True)
        most = highest.to(share.dtype) - share[faint].gather(1, place).log()
        logprob[faint] = own[faint] - most.squeeze(1)
    return _Shares(share, own - logprob, logprob)


def _chosen(logits: Tensor, ids: Tensor, shape: LossShape) -> tuple[Tensor, Tensor]:
    """The target's logit where it is held here `[S]`, and whether it is."""
    local, held = _local(ids, logits, shape)
    return logits.gather(1, local[:, None]).squeeze(1).to(wide(logits)), held


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
    longer `[V]`, each of them or None.

    Slopes of many tokens are multiplied with the head at once; those of a few at a time are
    made, in numbers as wide as the loss needs, so that these stay in the processor's cache.
    """

    @staticmethod
    def forward(ctx, given: _Given, hidden: Tensor, head: Tensor, *others: Tensor | None):  # type: ignore[no-untyped-def]
        target, weight, shape, beside = given
        needed, trained = ctx.needs_input_grad[1:], (hidden, head, *others)
        grads = Gradients.of(trained, needed)
        logprob = hidden.new_empty(len(hidden), dtype=wide(hidden))
        extra = logprob.new_zeros(())
        some = _rows(head, few=False)
        slopes = hidden.new_empty(min(some, len(hidden)) if any(needed) else 0, head.shape[0])
        for span in _parts(slice(0, len(hidden)), some):
            for part in _parts(span, _rows(head, few=True)):
                own = _cut(beside, part)
                product = head_product(hidden[part], head, own)
                logits = _finished(product, shape, own)
                share, norm, logprob[part] = _shares(logits, target[part], shape)
                extra = extra + _extra(logits, norm, logprob[part], weight[part], shape)
                if any(needed):
                    slope = _slope(share, norm, logits, target[part], shape)
                    there = slopes[part.start - span.start : part.stop - span.start]
                    there.copy_(grads.by_product(slope.mul_(weight[part, None]), product, own))
            if any(needed):
                slope = slopes[: span.stop - span.start]
                grads.add(slope, span, hidden, head, _cut(beside, span))
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
