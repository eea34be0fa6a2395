"""Gradients of the fused loss, summed chunk by chunk while the loss is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from tutelage.engine.lowrank import Beside

EACH_TOKENS = ("hidden", "low")  # what every token has of its own
Reduce = Callable[[Tensor, Literal["max", "sum"]], Tensor]  # the same over every shard


def wide(x: Tensor) -> torch.dtype:
    """What sums over `x` are kept in: float32 or wider."""
    return torch.promote_types(x.dtype, torch.float32)


class Gradients(NamedTuple):
    """Sums under way, None of what takes no gradient. Shapes: as what they are of."""

    hidden: Tensor | None
    head: Tensor | None
    bias: Tensor | None
    low: Tensor | None
    up: Tensor | None
    longer: Tensor | None

    @classmethod
    def of(cls, trained: Sequence[Tensor | None], needed: Sequence[bool]) -> Gradients:
        """Nothing yet; sums over tokens are in float32 or wider."""
        each = zip(cls._fields, trained, needed, strict=True)
        return cls(
            *(
                None
                if one is None or not need
                else torch.zeros_like(one, dtype=one.dtype if name in EACH_TOKENS else wide(one))
                for name, one, need in each
            )
        )

    def by_product(self, slope: Tensor, product: Tensor, beside: Beside | None) -> Tensor:
        """The derivative of some tokens' loss by their products with the head `[s, V]`.

        `slope` is that by their logits before the cap, and is written over; what is summed
        over logits is added.
        """
        if self.bias is not None:
            self.bias.add_(slope.sum(0, dtype=self.bias.dtype))
        if beside is None or beside.longer is None:
            return slope
        if self.longer is not None:
            self.longer.add_((slope * product).sum(0))
        return slope.mul_(beside.longer)

    def add(
        self, slope: Tensor, span: slice, hidden: Tensor, head: Tensor, beside: Beside | None
    ) -> None:
        """Some tokens' part, from what `by_product` gave for them, as narrow as `hidden`."""
        if self.hidden is not None:
            torch.mm(slope, head, out=self.hidden[span])
        if self.head is not None:
            self.head.add_(slope.T @ hidden[span])
        if beside is None:
            return
        own = slope[:, beside.first : beside.first + len(beside.up)]
        if self.low is not None:
            torch.mm(own, beside.up.to(own.dtype) * beside.scale, out=self.low[span])
        if self.up is not None:
            self.up.add_((own.T @ beside.low).to(self.up.dtype), alpha=beside.scale)

    def reduced(self, reduce: Reduce) -> Gradients:
        """What is of tokens, summed over every shard of the vocabulary."""
        found = {name: getattr(self, name) for name in EACH_TOKENS}
        return self._replace(
            **{name: one if one is None else reduce(one, "sum") for name, one in found.items()}
        )
