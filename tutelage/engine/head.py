"""The head of a backbone with what is trained beside it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tutelage.engine.lowrank import Beside, LowRank

Put = Callable[[nn.Parameter], None]


class AdaptedHead(nn.Module):
    """An adapter on the head, whose matrix `[V, H]` may be the input embedding's own."""

    def __init__(self, matrix: Callable[[], Tensor], put: Put, adapter: LowRank) -> None:
        super().__init__()
        self._matrix = matrix
        self._put = put
        self.adapter = adapter

    def matrix(self) -> Tensor:
        """The head's matrix as it is kept, without gradient."""
        return self._matrix().detach()

    def beside(self, hidden: Tensor) -> Beside:
        """What it adds to the logits of `hidden`."""
        return self.adapter.beside(hidden, self.matrix)

    @torch.no_grad()
    def merge(self) -> None:
        """Put the change into a matrix of the head's own, so that embeddings stay as they are."""
        own = self.matrix()
        merged = self.adapter.merged(own).to(own.dtype)
        self._put(nn.Parameter(merged, requires_grad=False))
