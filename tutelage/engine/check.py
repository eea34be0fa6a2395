"""A look at the first row: what is folded must give the loss of its lessons one at a time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutelage.core.errors import BaseModelError
from tutelage.engine.attention import layout
from tutelage.engine.backbone import Backbone
from tutelage.engine.logprob import LossShape, logprobs
from tutelage.engine.served import as_served
from tutelage.render.pack import PackedRow

LESSONS = 8  # of a row that are looked at, evenly spread
# Nats a token: rounding stays well below, mixing does not (0.2 to 1.2 on random models).
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.05}


@torch.no_grad()
def check_folding(backbone: Backbone, row: PackedRow, *, device: torch.device) -> float:
    """The largest difference between a lesson's mean loss in the row and alone, in nats.

    At most eight lessons of the row are looked at. Nothing is dropped out meanwhile.

    Raises: BaseModelError naming the model where the difference is more than rounding.
    """
    numbers = np.unique(row.lesson)
    chosen = numbers[np.linspace(0, len(numbers) - 1, min(LESSONS, len(numbers))).astype(int)]
    with as_served(backbone.module):
        together = _logprobs(backbone, row, device)
        pairs = [
            (together[row.lesson == number], _logprobs(backbone, lesson_alone(row, number), device))
            for number in chosen.tolist()
        ]
    furthest = max((abs(float(one.mean() - own.mean())) for one, own in pairs), default=0.0)
    limit = TOLERANCE.get(backbone.precision, max(TOLERANCE.values()))
    if not furthest <= limit:
        raise BaseModelError(
            f"lessons of a `{backbone.family}` model that share a row change each other:"
            f" their loss differs by {furthest:.2g} nats a token",
            where="train.base",
            expected=f"at most {limit:g}, as rounding in {backbone.precision} gives",
            hint="its layers mix tokens in a way that packed rows do not know; use another base",
        )
    return furthest


def lesson_alone(row: PackedRow, number: int) -> PackedRow:
    """One lesson of a row by itself: the path to the last token it teaches."""
    edges = row.lesson == number
    last = row.target[edges].max()
    index = np.arange(len(row))
    path = np.flatnonzero((index <= last) & (last < row.end))
    place = np.zeros(len(row), dtype=np.int32)
    place[path] = np.arange(len(path), dtype=np.int32)
    return PackedRow(
        tokens=row.tokens[path],
        position=row.position[path],
        end=np.full(len(path), len(path), dtype=np.int32),
        source=place[row.source[edges]],
        target=place[row.target[edges]],
        weight=row.weight[edges],
        lesson=row.lesson[edges],
    )


def _logprobs(backbone: Backbone, row: PackedRow, device: torch.device) -> NDArray[np.float32]:
    def moved(x: NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(x).long().to(device)

    tokens, position, source = moved(row.tokens), moved(row.position), moved(row.source)
    hidden = backbone.hidden(tokens, position, layout(row.end), source)
    target, shape = moved(row.tokens[row.target]), LossShape(cap=backbone.logit_cap)
    beside = backbone.beside_head(hidden)
    found = logprobs(hidden, backbone.head, target, shape, beside)
    scored: NDArray[np.float32] = found.cpu().numpy()
    return scored
