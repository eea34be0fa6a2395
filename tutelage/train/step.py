"""One optimizer step: the loss is a sum, divided once by the step's supervised weight."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tutelage.core.errors import BadRow, TrainingError
from tutelage.engine.backbone import Backbone
from tutelage.engine.logprob import PLAIN, LossShape, logprobs, supervised_loss
from tutelage.train.batch import Batch
from tutelage.train.noise import noisy


def gradient(
    backbone: Backbone,
    batches: Sequence[Batch],
    shape: LossShape = PLAIN,
    neftune: float | None = None,
) -> float:
    """Adds the step's gradient to the weights; returns its loss.

    Any split of the same lessons into batches gives the same gradient, noise apart.
    """
    weight = sum(float(batch.weight.sum()) for batch in batches)
    loss = 0.0
    for batch in batches:
        with noisy(backbone, neftune, batch.position):
            hidden = backbone.hidden(batch.tokens, batch.position, batch.plan, batch.source)
        share = batch.weight / weight
        part = supervised_loss(hidden, backbone.head, batch.target, share, shape).total
        part.backward()
        loss += float(part.detach())
    return loss


def check_finite(loss: float, norm: float, step: int, rows: Callable[[], Sequence[str]]) -> None:
    """Raises: TrainingError that names the step's rows where loss or gradient is not finite."""
    if math.isfinite(loss) and math.isfinite(norm):
        return
    raise TrainingError(
        f"loss {loss} with gradient norm {norm} at step {step}",
        expected="finite numbers",
        hint="lower `train.learning_rate`, or look at these rows with `tutelage show`",
        rows=[BadRow(where=row, problem="taught in this step") for row in rows()],
    )


def clip(parameters: Sequence[Tensor], limit: float) -> float:
    """Scales the gradient down to the limit; returns its norm before."""
    norm = torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=True)
    return float(norm)


@torch.no_grad()
def validation_loss(backbone: Backbone, batches: Sequence[Batch]) -> float:
    """Mean loss in nats a supervised token over held-out rows, nothing dropped out."""
    total = weight = 0.0
    with _as_served(backbone.module):
        for batch in batches:
            hidden = backbone.hidden(batch.tokens, batch.position, batch.plan, batch.source)
            logprob = logprobs(hidden, backbone.head, batch.target)
            total -= float((logprob * batch.weight).sum())
            weight += float(batch.weight.sum())
    return total / weight


@contextmanager
def _as_served(module: nn.Module) -> Iterator[None]:
    """Switches off what only training does, and on again what was on."""
    trained = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in trained:
            part.training = True
