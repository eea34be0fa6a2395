"""Many tests at once: how often at least one errs, and which share of findings is wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p of each test: those at most 0.05 hold together, with 5 % risk for any to err.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    order = np.argsort(p_values, kind="stable")
    count = len(p_values)
    steps = np.asarray(p_values, np.float64)[order] * (count - np.arange(count))
    return _back(np.minimum(1.0, np.maximum.accumulate(steps)), order)


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p of each test: of those at most 0.05, 5 % are expected to be wrong.

    Source: Benjamini & Hochberg, "Controlling the false discovery rate", 1995.
    """
    order = np.argsort(p_values, kind="stable")
    count = len(p_values)
    steps = np.asarray(p_values, np.float64)[order] * count / np.arange(1, count + 1)
    return _back(np.minimum(1.0, np.minimum.accumulate(steps[::-1])[::-1]), order)


def _back(adjusted: np.ndarray[tuple[int], np.dtype[np.float64]], order: object) -> list[float]:
    found = np.empty(len(adjusted))
    found[order] = adjusted  # type: ignore[call-overload]
    values: list[float] = found.tolist()
    return values
