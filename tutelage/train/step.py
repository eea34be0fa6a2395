"""One optimizer step: the loss is a sum, divided once by the step's supervised weight."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tutelage.engine.backbone import Backbone
from tutelage.engine.logprob import PLAIN, LossShape, logprobs, supervised_loss
from tutelage.engine.served import as_served
from tutelage.train.batch import Batch
from tutelage.train.group import Group
from tutelage.train.noise import noisy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taught:
    """A step's loss, and the log-probability of each taught token, batch by batch.

    Shapes: logprobs `[S]` each, padding edges among them.
    """

    loss: float
    logprobs: list[Tensor]


def gradient(
    backbone: Backbone,
    batches: Sequence[Batch],
    weight: float | None = None,
    shape: LossShape = PLAIN,
    neftune: float | None = None,
) -> Taught:
    """Adds the gradient of these rows to the weights; returns their part of the step's loss.

    The loss is divided by the supervised weight of the whole step: `weight`, or that of
    these rows if they are all of it. Any split of the same lessons into rows, and of the
    rows among ranks, gives the same gradient, noise apart.
    """
    if weight is None:
        weight = sum(float(batch.weight.sum()) for batch in batches)
    loss = 0.0
    told = []
    for batch in batches:
        torch.manual_seed(batch.seed)  # a stream a row: dropout repeats, whoever takes the row
        with noisy(backbone, neftune, batch.position):
            hidden = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
        share = batch.weight / weight
        beside = backbone.beside_head(hidden)
        part = supervised_loss(hidden, backbone.head, batch.target, share, shape, beside)
        part.total.backward()
        loss += float(part.total.detach())
        told.append(part.logprob)
    return Taught(loss=loss, logprobs=told)


def clip(parameters: Sequence[Tensor], limit: float) -> float:
    """Scales the gradient down to the limit; returns its norm before."""
    gradients = [weight.grad for weight in parameters if weight.grad is not None]
    norm = nn.utils.get_total_norm(gradients, foreach=True)
    if hasattr(norm, "full_tensor"):  # of sharded weights each rank knows a part
        norm = norm.full_tensor()
    nn.utils.clip_grads_with_norm_(parameters, limit, norm, foreach=True)
    return float(norm)


@torch.no_grad()
def validation_loss(
    backbone: Backbone, batches: Iterable[Batch], group: Group | None = None
) -> float:
    """Mean loss in nats a supervised token over held-out rows, nothing dropped out.

    `batches` are those of this rank; the mean is over those of all.
    """
    total = weight = 0.0
    with as_served(backbone.module):
        for batch in batches:
            hidden = backbone.hidden(batch.tokens, batch.position, batch.layout, batch.source)
            shape = LossShape(cap=backbone.logit_cap)
            beside = backbone.beside_head(hidden)
            logprob = logprobs(hidden, backbone.head, batch.target, shape, beside)
            total -= float((logprob * batch.weight).sum())
            weight += float(batch.weight.sum())
    if group is not None:
        total, weight = group.sum(total, weight)
    return total / weight
