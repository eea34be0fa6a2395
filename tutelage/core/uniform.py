"""Whether numbers between 0 and 1 are spread evenly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

TERMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Evenness:
    """How far numbers are from even, and how likely chance makes them so."""

    n: int
    distance: float  # greatest between their distribution and the even one
    p: float


def kolmogorov_smirnov(values: Sequence[float]) -> Evenness:
    """The two-sided test against the uniform distribution; p is 1 where there is no number.

    Source: Stephens, "Use of the Kolmogorov-Smirnov, Cramér-von Mises and related statistics
        without extensive tables", 1970, for the correction for few numbers.
    """
    n, ordered = len(values), sorted(values)
    if n == 0:
        return Evenness(n=0, distance=0.0, p=1.0)
    distance = max(
        max((place + 1) / n - value, value - place / n) for place, value in enumerate(ordered)
    )
    scaled = (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n)) * distance
    if scaled < 0.3:  # the series converges slowly there, and p is 1 to five digits
        return Evenness(n=n, distance=distance, p=1.0)
    terms = [2 * (-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, TERMS + 1)]
    return Evenness(n=n, distance=distance, p=min(1.0, max(0.0, math.fsum(terms))))
