"""Where the spread of a score comes from: seeds, items, and answers drawn again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tutelage.core.intervals import Interval, Sides, Values
from tutelage.core.metric import ONE_SIDED
from tutelage.core.quantiles import student_t


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossed:
    """Scores of several trainings on the same items, and the variance each part adds.

    `of_seeds`, `of_items` and `of_rest` add up to the squared error of the mean.
    """

    value: float
    error: float  # for a claim about the recipe, whatever its seed
    freedom: float
    error_of_checkpoints: float  # for a claim about these trainings alone: items only
    of_seeds: float
    of_items: float
    of_rest: float
    seeds: int
    items: int

    def interval(self, *, confidence: float = 0.95, sides: Sides = 2) -> Interval:
        """Student-t interval of what the recipe gives, over seeds and items."""
        half = self.error * student_t(1 - (1 - confidence) / sides, self.freedom)
        return Interval(
            value=self.value,
            low=self.value - half,
            high=self.value + half,
            n=self.items,
            method="crossed t" + (ONE_SIDED if sides == 1 else ""),
        )


def crossed(scores: Values, others: Values | None = None) -> Crossed:
    """The mean of a recipe trained with several seeds, over seeds and items.

    Model y = mean + seed + item + rest; the mean squares of its rows, columns and rest
    give the error, Satterthwaite's rule its degrees of freedom. With `others`, a score
    of a baseline for each item, it is the paired difference.

    Shapes: scores `[S, n]`, S >= 2 trainings and n >= 2 items; others `[n]`.
    Source: Searle, Casella & McCulloch, "Variance components", 1992, ch. 4;
        Satterthwaite 1946.
    """
    table = np.asarray(scores, np.float64)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"two trainings and two items are needed; found shape {table.shape}")
    if others is not None:
        table = table - np.asarray(others, np.float64)
    seeds, items = table.shape
    value = float(table.mean())
    rows, columns = table.mean(1), table.mean(0)
    rest = table - rows[:, None] - columns[None, :] + value
    of_rows = items * float(rows.var(ddof=1))
    of_columns = seeds * float(columns.var(ddof=1))
    of_rest = float((rest**2).sum()) / ((seeds - 1) * (items - 1))
    whole = max(of_rows + of_columns - of_rest, of_rows, of_columns)
    parts = (
        of_rows**2 / (seeds - 1)
        + of_columns**2 / (items - 1)
        + of_rest**2 / ((seeds - 1) * (items - 1))
    )
    cells = seeds * items
    return Crossed(
        value=value,
        error=math.sqrt(whole / cells),
        freedom=max(1.0, whole**2 / parts) if parts > 0 else 1.0,
        error_of_checkpoints=math.sqrt(of_columns / cells),
        of_seeds=max(0.0, of_rows - of_rest) / cells,
        of_items=max(0.0, of_columns - of_rest) / cells,
        of_rest=of_rest / cells,
        seeds=seeds,
        items=items,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Redrawn:
    """Scores of several answers an item, and what more of either would be worth."""

    value: float
    error: float
    of_items: float  # of the squared error: what only more items lower
    of_draws: float  # what more answers an item lower
    items: int
    draws: int

    def error_with(self, *, items: int, draws: int) -> float:
        """The error that so many items of so many answers would have."""
        between, within = self.of_items * self.items, self.of_draws * self.items * self.draws
        return math.sqrt((between + within / draws) / items)


def redrawn(scores: Values) -> Redrawn:
    """The mean over items of which each was answered K times.

    Squared error (Var(x) + E[σ²_i] / K) / n, x an item's expected score.

    Shapes: scores `[n, K]`, both at least 2.
    Source: Miller, "Adding error bars to evals", arXiv 2411.00640, section 3.
    """
    table = np.asarray(scores, np.float64)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"two items and two answers each are needed; found {table.shape}")
    items, draws = table.shape
    within = float(table.var(axis=1, ddof=1).mean()) / draws
    whole = float(table.mean(1).var(ddof=1))
    return Redrawn(
        value=float(table.mean()),
        error=math.sqrt(whole / items),
        of_items=max(0.0, whole - within) / items,
        of_draws=min(within, whole) / items,
        items=items,
        draws=draws,
    )
