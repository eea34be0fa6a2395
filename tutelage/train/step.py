"""One optimizer step: the loss is a sum, divided once by the step's supervised weight."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tutelage.engine.backbone import Backbone
from tutelage.engine.logprob import PLAIN, LossShape, logprobs, supervised_loss
from tutelage.train.batch import Batch
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
    shape: LossShape = PLAIN,
    neftune: float | None = None,
) -> Taught:
    """Adds the step's gradient to the weights; returns its loss.

    Any split of the same lessons into batches gives the same gradient, noise apart.
    """
    weight = sum(float(batch.weight.sum()) for batch in batches)
    loss = 0.0
    told = []
    for batch in batches:
        with noisy(backbone, neftune, batch.position):
            hidden = backbone.hidden(batch.tokens, batch.position, batch.plan, batch.source)
        share = batch.weight / weight
        beside = backbone.beside_head(hidden)
        part = supervised_loss(hidden, backbone.head, batch.target, share, shape, beside)
        part.total.backward()
        loss += float(part.total.detach())
        told.append(part.logprob)
    return Taught(loss=loss, logprobs=told)


def clip(parameters: Sequence[Tensor], limit: float) -> float:
    """Scales the gradient down to the limit; returns its norm before."""
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=True)
    return float(norm)


@torch.no_grad()
def validation_loss(backbone: Backbone, batches: Iterable[Batch]) -> float:
    """Mean loss in nats a supervised token over held-out rows, nothing dropped out."""
    total = weight = 0.0
    with as_served(backbone.module):
        for batch in batches:
            hidden = backbone.hidden(batch.tokens, batch.position, batch.plan, batch.source)
            shape = LossShape(cap=backbone.logit_cap)
            beside = backbone.beside_head(hidden)
            logprob = logprobs(hidden, backbone.head, batch.target, shape, beside)
            total -= float((logprob * batch.weight).sum())
            weight += float(batch.weight.sum())
    return total / weight


@contextmanager
def as_served(module: nn.Module) -> Iterator[None]:
    """Switches off what only training does, and on again what was on."""
    trained = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in trained:
            part.training = True
