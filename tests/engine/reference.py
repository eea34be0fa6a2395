"""What a packed row must give: one lesson at a time, through plain transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone
from tutelage.engine.flat import FlatBackbone
from tutelage.engine.logprob import LossShape, supervised_loss
from tutelage.render.lesson import Lesson
from tutelage.render.pack import PackedRow, pack

Gradients = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Mean loss over the taught tokens, and its gradient by the hub's names."""

    loss: float
    gradients: Gradients

    def distance(self, other: Found) -> float:
        """Relative L2 distance of the gradients, all weights together."""
        assert self.gradients.keys() == other.gradients.keys()
        pairs = [(x.double(), other.gradients[name].double()) for name, x in self.gradients.items()]
        apart = sum(float((x - y).pow(2).sum()) for x, y in pairs)
        return float((apart / sum(float(y.pow(2).sum()) for _, y in pairs)) ** 0.5)


def alone(model: Any, lessons: Sequence[Lesson], cast: torch.dtype | None = None) -> Found:
    """One lesson at a time; under autocast where a precision is named."""
    model.zero_grad()
    taught = sum(len(lesson.completion) for lesson in lessons)
    total = 0.0
    for lesson in lessons:
        with torch.autocast("cpu", cast or torch.bfloat16, enabled=cast is not None):
            logits = model(torch.tensor([lesson.ids])).logits[0]
        wide = logits if logits.dtype == torch.float64 else logits.float()
        chance = torch.log_softmax(wide, -1)[len(lesson.prompt) - 1 : -1]
        loss = -chance.gather(1, torch.tensor(lesson.completion)[:, None]).sum() / taught
        loss.backward()
        total += float(loss.detach())
    found = {name: x.grad.clone() for name, x in model.named_parameters() if x.grad is not None}
    return Found(loss=total, gradients=found)


def packed(backbone: Backbone, lessons: Sequence[Lesson], *, share: bool) -> Found:
    """All lessons in few rows, folded where they share."""
    rows = pack(lessons, 600, np.random.default_rng(1), share=share)
    taught = sum(len(lesson.completion) for lesson in lessons)
    total = 0.0
    for row in rows:
        loss = row_loss(backbone, row) / taught
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return Found(loss=total, gradients=gradients(backbone))


def row_loss(backbone: Backbone, row: PackedRow) -> Tensor:
    """Summed loss of one row."""
    tokens, position, source, target = (
        torch.from_numpy(x).long()
        for x in (row.tokens, row.position, row.source, row.tokens[row.target])
    )
    hidden = backbone.hidden(tokens, position, layout(row.end), source)
    shape = LossShape(cap=backbone.logit_cap)
    weight = torch.from_numpy(row.weight)
    beside = backbone.beside_head(hidden)
    return supervised_loss(hidden, backbone.head, target, weight, shape, beside).total


def gradients(backbone: Backbone) -> Gradients:
    """By the hub's names, as weights are exported."""
    if not isinstance(backbone, FlatBackbone):
        named = backbone.module.named_parameters()
        return {name: x.grad for name, x in named if x.grad is not None}
    kept = {name: x.data for name, x in backbone.named_parameters()}
    for weight in backbone.parameters():
        assert weight.grad is not None
        weight.data = weight.grad
    found = {name: x.clone() for name, x in backbone.export().items()}
    for name, weight in backbone.named_parameters():
        weight.data = kept[name]
    return found
