"""How sure the bounds of an interval are."""

from __future__ import annotations

from typing import NamedTuple

from tutelage.core.intervals import Sides
from tutelage.core.metric import ONE_SIDED


class Bound(NamedTuple):
    """How sure an interval's bounds are, and on how many sides."""

    sides: Sides = 2
    confidence: float = 0.95

    @property
    def tail(self) -> float:
        """The chance left beyond each bound."""
        return (1 - self.confidence) / self.sides

    def named(self, method: str) -> str:
        """The method as records have it."""
        return method + ONE_SIDED if self.sides == 1 else method
