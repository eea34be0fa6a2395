"""Pairwise preferences as numbers: win rates at equal length, and strengths of several systems."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.intervals import BLOCK_CELLS, Clusters, Interval, Sides, unseen
from tutelage.core.metric import ONE_SIDED
from tutelage.core.quantiles import student_t

Floats = NDArray[np.float64]
CONTROLLED = "length-controlled jackknife"
DRAWS = 1000
EDGE = 1e-9  # a rate is never quite 0 or 1
GROUPS = 400  # left out one at a time; of more clusters, groups are drawn
STEPS = 50
RIDGE = 1e-3  # keeps a system that always wins at a finite strength


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One comparison: what the first system's answer got against the second's."""

    first: str
    second: str
    score: float  # 1 won, 0.5 tied, 0 lost; between, the mean of several looks
    cluster: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One system's comparisons: how each ended, and how much longer its answer was."""

    scores: Sequence[float]  # 1 won, 0.5 tied, 0 lost
    longer: Sequence[float]  # its length minus the other's


def length_controlled(
    compared: Compared,
    clusters: Clusters,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """The win rate there would be if both answers were equally long.

    Logistic regression on tanh of how much longer the answer is, in its own root mean
    square, and on which system is which: exchanging the two exchanges the outcome, so there
    is no intercept. Jackknife over clusters, on the logit; where all end alike, what so many
    cannot exclude stands in.

    Source: Dubois et al., "Length-controlled AlpacaEval", 2024.
    """
    method = CONTROLLED + (ONE_SIDED if sides == 1 else "")
    if not len(compared.scores):
        return Interval(value=math.nan, low=0.0, high=1.0, n=0, method=method)
    rates = _rates([compared], clusters, generator)[0]
    independent = len(np.unique(np.asarray(clusters)))
    value, n = float(rates[0]), len(compared.scores)
    low, high = unseen(value, independent, (0.0, 1.0), confidence, sides)
    if np.ptp(compared.scores) > 0 and independent > 1:
        low, high = _bounds(rates, confidence, sides)
    return Interval(value=value, low=low, high=high, n=n, method=method)


def controlled_difference(
    first: Compared,
    second: Compared,
    clusters: Clusters,
    generator: np.random.Generator,
    *,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """First minus second system's length-controlled win rate on the same items.

    Jackknife of both together, on the logit of where the difference lies between -1 and 1.
    """
    method = f"paired {CONTROLLED}" + (ONE_SIDED if sides == 1 else "")
    if not len(first.scores):
        return Interval(value=math.nan, low=-1.0, high=1.0, n=0, method=method)
    one, two = _rates([first, second], clusters, generator)
    independent = len(np.unique(np.asarray(clusters)))
    value, n = float(one[0] - two[0]), len(first.scores)
    low, high = unseen(value, independent, (-1.0, 1.0), confidence, sides)
    if np.ptp(np.subtract(first.scores, second.scores)) > 0 and independent > 1:
        low, high = (2 * edge - 1 for edge in _bounds((1 + one - two) / 2, confidence, sides))
    return Interval(value=value, low=low, high=high, n=n, method=method)


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
    blocks = _weights(clusters, generator)
    draws = np.concatenate([_centred(_logistic(design, won, one)) for one in blocks])
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


def _weights(clusters: Clusters, generator: np.random.Generator) -> Iterator[Floats]:
    """How often each comparison is drawn, cluster by cluster, in each resample: blocks `[R, N]`."""
    _, group = np.unique(np.asarray(clusters), return_inverse=True)
    count = int(group.max()) + 1
    block = max(1, min(DRAWS, BLOCK_CELLS // len(group)))
    for begin in range(0, DRAWS, block):
        size = min(block, DRAWS - begin)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=size)
        yield drawn[:, group].astype(np.float64)


def _centred(strengths: Floats) -> Floats:
    centred: Floats = strengths - strengths.mean(axis=1, keepdims=True)
    return centred


def _rates(
    systems: Sequence[Compared], clusters: Clusters, generator: np.random.Generator
) -> list[Floats]:
    """By system its rate, and its rates with each group of clusters left out: `[1 + G]`."""
    _, group = np.unique(np.asarray(clusters), return_inverse=True)
    if group.max() >= GROUPS:
        group = (generator.permutation(int(group.max()) + 1) % GROUPS)[group]
    count, n = int(group.max()) + 1, len(group)
    block = max(1, BLOCK_CELLS // n)
    parts: list[list[Floats]] = [[] for _ in systems]
    for begin in range(-1, count, block):  # -1 leaves nothing out
        out = np.arange(begin, min(count, begin + block))
        weights = (group[None, :] != out[:, None]).astype(np.float64)
        for found, one in zip(parts, systems, strict=True):
            apart = np.asarray(one.longer, dtype=np.float64)
            scale = math.sqrt(float((apart**2).mean()))
            bend = np.tanh(apart / scale) if scale else 0 * apart
            design = np.stack([np.ones(n), bend], axis=1)
            logits = _logistic(design, np.asarray(one.scores, np.float64), weights)[:, 0]
            found.append(1 / (1 + np.exp(-logits)))
    return [np.concatenate(found) for found in parts]


def _bounds(rates: Floats, confidence: float, sides: Sides) -> tuple[float, float]:
    """Student's bounds of the first, by the spread of the others, made on the logit."""
    held = np.clip(rates, EDGE, 1 - EDGE)
    logits = np.log(held / (1 - held))
    left = logits[1:]
    error = math.sqrt((len(left) - 1) * float(left.var()))
    half = error * student_t(1 - (1 - confidence) / sides, len(left) - 1)
    low, high = (1 / (1 + np.exp(-edge)) for edge in (logits[0] - half, logits[0] + half))
    return float(low), float(high)
