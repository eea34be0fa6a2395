"""The loss of each source file by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from tutelage.render.pack import PackedRow

SHOWN = 8  # files with a curve of their own, those with most lessons; the rest are one
REST, EVENTS = "others", "event:"
PREFIX = "loss/"


@dataclass(frozen=True, slots=True, kw_only=True)
class BySource:
    """Which lessons are of which file; what was served and taught again counts as one.

    Shapes: of_lesson `[L]` index into names.
    """

    names: tuple[str, ...]
    of_lesson: NDArray[np.int32]

    @classmethod
    def of(cls, names: Sequence[str], of_lesson: NDArray[np.int32]) -> BySource:
        """Files by name; the smallest are put together where there are many."""
        plain = [EVENTS[:-1] if name.startswith(EVENTS) else name for name in names]
        counts = Counter[str]()
        for name, count in zip(plain, np.bincount(of_lesson, minlength=len(names)), strict=True):
            counts[name] += int(count)
        shown = [name for name, _ in sorted(counts.items(), key=lambda one: (-one[1], one[0]))]
        if len(shown) > SHOWN:
            shown = [*shown[: SHOWN - 1], REST]
        place = {name: number for number, name in enumerate(shown)}
        index = np.asarray([place.get(name, len(shown) - 1) for name in plain], dtype=np.int32)
        return cls(names=tuple(shown), of_lesson=index[of_lesson])

    def losses(self, rows: Sequence[PackedRow], logprobs: Sequence[Tensor]) -> dict[str, float]:
        """Mean loss of a step's tokens by `loss/FILE`; nothing where there is one file only."""
        if len(self.names) < 2:
            return {}
        total, weight = np.zeros(len(self.names)), np.zeros(len(self.names))
        for row, logprob in zip(rows, logprobs, strict=True):
            told = logprob[: len(row.source)].detach().cpu().numpy()
            of_edge = self.of_lesson[row.lesson]
            total -= np.bincount(of_edge, told * row.weight, len(self.names))
            weight += np.bincount(of_edge, row.weight, len(self.names))
        return {
            PREFIX + name: float(total[number] / weight[number])
            for number, name in enumerate(self.names)
            if weight[number]
        }
