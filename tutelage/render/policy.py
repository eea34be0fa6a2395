"""Which system prompt a conversation without one is given, when served and when taught."""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

from tutelage.core.seeds import seed_of

SCALE = float(1 << 63)  # seeds are whole numbers below it


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemPrompt:
    """A version of the system prompt."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One system prompt is served. Rows are taught under it, but for a share that are taught
    under each variant, and a share without any.

    Which row that is follows from its id and the seed alone, so other rows coming or going
    change nothing.
    """

    served: SystemPrompt | None = None
    variants: tuple[tuple[SystemPrompt, float], ...] = ()  # with its share of the rows
    without_system: float = 0.0
    seed: int = 0

    def of_row(self, row: str) -> SystemPrompt | None:
        """What a row without a system message of its own is taught under."""
        if not self.variants and not self.without_system:
            return self.served
        drawn = seed_of(row, self.seed) / SCALE
        bounds = list(accumulate([self.without_system, *(share for _, share in self.variants)]))
        choices = [None, *(prompt for prompt, _ in self.variants), self.served]
        return choices[bisect(bounds, drawn)]
