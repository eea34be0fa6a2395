"""Pairwise preferences as numbers: win rates at equal length, and strengths of several systems."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.intervals import Clusters, Interval

Floats = NDArray[np.float64]
DRAWS = 500
STEPS = 50
RIDGE = 1e-3  # keeps a system that always wins at a finite strength


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One comparison: what the first system's answer got against the second's."""

    first: str
    second: str
    score: float  # 1 won, 0.5 tied, 0 lost; between, the mean of several looks
    cluster: str


def length_controlled(
    scores: Sequence[float],
    longer: Sequence[float],
    clusters: Clusters,
    generator: np.random.Generator,
) -> Interval:
    """The win rate there would be if both answers were equally long.

    `longer` is the first answer's length minus the second's. Logistic regression on
    tanh of that, in its own root mean square, and on which system is which: exchanging the
    two exchanges the outcome, so there is no intercept. Bootstrap over clusters.

    Source: Dubois et al., "Length-controlled AlpacaEval", 2024.
    """
    won = np.asarray(scores, dtype=np.float64)
    apart = np.asarray(longer, dtype=np.float64)
    scale = math.sqrt(float((apart**2).mean())) if len(apart) else 0.0
    design = np.stack([np.ones(len(won)), np.tanh(apart / scale) if scale else 0 * apart], axis=1)
    value, low, high = math.nan, -math.inf, math.inf
    if len(won):
        value = _logistic(design, won, np.ones((1, len(won))))[0, 0]
        draws = _logistic(design, won, _weights(clusters, generator))[:, 0]
        low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(
        value=_sigmoid(value),
        low=_sigmoid(float(low)),
        high=_sigmoid(float(high)),
        n=len(won),
        method="length-controlled bootstrap",
    )


def bradley_terry(matches: Sequence[Match], generator: np.random.Generator) -> dict[str, Interval]:
    """Each system's strength in logits, 0 on average; ties are half a win. Bootstrap.

    Source: Bradley & Terry, "Rank analysis of incomplete block designs", 1952.
    """
    names = sorted({name for one in matches for name in (one.first, one.second)})
    if not matches:
        return {}
    place = {name: number for number, name in enumerate(names)}
    design = np.zeros((len(matches), len(names)))
    for row, one in enumerate(matches):
        design[row, place[one.first]] += 1
        design[row, place[one.second]] -= 1
    won = np.array([one.score for one in matches])
    clusters = [one.cluster for one in matches]
    best = _centred(_logistic(design, won, np.ones((1, len(won)))))[0]
    draws = _centred(_logistic(design, won, _weights(clusters, generator)))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return {
        name: Interval(
            value=float(best[number]),
            low=float(low[number]),
            high=float(high[number]),
            n=int((design[:, number] != 0).sum()),
            method="bradley-terry bootstrap",
        )
        for name, number in place.items()
    }


def _logistic(design: Floats, won: Floats, weights: Floats) -> Floats:
    """Weights of logistic regressions on shares, one for each weighting, by Newton's steps.

    Shapes: design `[N, P]`, won `[N]`, weights `[R, N]`; returns `[R, P]`.
    """
    count = design.shape[1]
    squares = (design[:, :, None] * design[:, None, :]).reshape(len(design), count * count)
    found = np.zeros((len(weights), count))
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(found @ design.T, -30, 30)))
        slope = (weights * (won - chance)) @ design - RIDGE * found
        bend = ((weights * chance * (1 - chance)) @ squares).reshape(-1, count, count)
        step = np.linalg.solve(bend + RIDGE * np.eye(count), slope[:, :, None])[:, :, 0]
        found = found + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-7:
            break
    return found


def _weights(clusters: Clusters, generator: np.random.Generator) -> Floats:
    """How often each comparison is drawn, cluster by cluster, in each resample: `[R, N]`."""
    _, group = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(group.max()) + 1
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return drawn[:, group].astype(np.float64)


def _centred(strengths: Floats) -> Floats:
    centred: Floats = strengths - strengths.mean(axis=1, keepdims=True)
    return centred


def _sigmoid(value: float) -> float:
    if math.isnan(value):
        return math.nan
    return 1 / (1 + math.exp(-value)) if math.isfinite(value) else float(value > 0)
