"""A learning curve: how a loss falls with the rows it is learned from, and what more would give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.quantiles import student_t


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A power law through losses: loss = scale * rows ** slope."""

    slope: float
    scale: float
    error: float  # of the slope
    freedom: int

    def at(self, rows: float) -> float:
        """The loss that so many rows would come to."""
        return self.scale * math.pow(rows, self.slope)

    def doubling(self, confidence: float = 0.95) -> tuple[float, float, float]:
        """The share of the loss that twice the rows would take away, with its interval.

        Negative where more rows would make it worse.
        """
        half = self.error * student_t(1 - (1 - confidence) / 2, self.freedom)
        slopes = (self.slope, self.slope + half, self.slope - half)
        gain, low, high = (1 - 2.0 ** min(slope, 100.0) for slope in slopes)
        return gain, low, high


def power_law(rows: Sequence[float], losses: Sequence[float]) -> Curve:
    """The least-squares line through the logarithms of three points or more.

    Source: Hestness et al. 2017, "Deep learning scaling is predictable, empirically".
    """
    if len(rows) < 3 or min(*rows, *losses) <= 0:
        raise ValueError(f"three points above zero are needed; found {list(rows)}, {list(losses)}")
    xs, ys = [math.log(one) for one in rows], [math.log(one) for one in losses]
    n = len(xs)
    middle, level = math.fsum(xs) / n, math.fsum(ys) / n
    spread = math.fsum((x - middle) ** 2 for x in xs)
    if spread == 0:
        raise ValueError("the points have one and the same number of rows")
    slope = math.fsum((x - middle) * (y - level) for x, y in zip(xs, ys, strict=True)) / spread
    rest = math.fsum((y - level - slope * (x - middle)) ** 2 for x, y in zip(xs, ys, strict=True))
    return Curve(
        slope=slope,
        scale=math.exp(level - slope * middle),
        error=math.sqrt(rest / (n - 2) / spread),
        freedom=n - 2,
    )
