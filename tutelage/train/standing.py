"""Where a training stands by its measures: the best step, whether to stop, whether it overfits.

All of it is read off the measured rows, which a checkpoint holds: a resumed training decides as
an unbroken one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

Rows = Sequence[dict[str, float]]

VALIDATION = "validation_loss"
MEMORISED, MEMORISED_STEPS = 0.02, 20  # nats a token, mean over so many steps
RISES = 3  # validations in a row, each above the one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """The measure a training is judged by."""

    metric: str = VALIDATION
    better: Literal["higher", "lower"] = "lower"
    min_delta: float = 0.0
    patience: int | None = None  # None: never stop

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best one by more than the least difference."""
        if best is None:
            return value == value  # what is not a number is no best
        gain = best - value if self.better == "lower" else value - best
        return gain > self.min_delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The best step so far, counted from 1 (0: none), and validations since."""

    step: int = 0
    value: float | None = None
    since: int = 0


def standing(rows: Rows, criterion: Criterion) -> Standing:
    """The best of the rows that have the measure."""
    found = Standing()
    for row in rows:
        if criterion.metric not in row:
            continue
        value = row[criterion.metric]
        if criterion.improves(value, found.value):
            found = Standing(step=int(row["step"]), value=value)
        else:
            found = Standing(step=found.step, value=found.value, since=found.since + 1)
    return found


def ended(rows: Rows, criterion: Criterion) -> bool:
    """Whether the measure has, at the last row, stopped getting better for so long as allowed."""
    if criterion.patience is None or not rows or criterion.metric not in rows[-1]:
        return False
    return standing(rows, criterion).since >= criterion.patience


def overfitting(rows: Rows) -> str:
    """Why the training looks overfitted at its last row; empty where it does not.

    Told at the step it is first seen: when validation loss has risen three times in a row, or
    the mean loss of the last 20 steps falls under 0.02 nats a token.
    """
    if VALIDATION in rows[-1]:
        held = [row[VALIDATION] for row in rows if VALIDATION in row]
        least = standing(rows, Criterion())
        if _rising(held) == RISES and least.value is not None:
            return (
                f"validation loss has risen {RISES} times in a row, to {held[-1]:.4g}; "
                f"it was least after step {least.step}, {least.value:.4g}"
            )
    now, before = _mean(rows[-MEMORISED_STEPS:]), _mean(rows[-MEMORISED_STEPS - 1 : -1])
    if now is not None and now < MEMORISED and (before is None or before >= MEMORISED):
        return f"training loss is {now:.4g} nats a token: the lessons are known by heart"
    return ""


def _rising(values: Sequence[float]) -> int:
    count = 0
    while count + 1 < len(values) and values[-1 - count] > values[-2 - count]:
        count += 1
    return count


def _mean(rows: Rows) -> float | None:
    losses = [row["loss"] for row in rows if "loss" in row]
    return fmean(losses) if len(losses) == MEMORISED_STEPS else None
