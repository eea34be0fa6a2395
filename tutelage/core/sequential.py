"""Looking at preferences as they come in, as often as one likes, without fooling oneself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tutelage.core.intervals import Clusters, Floats, Interval, Sides, Values
from tutelage.core.metric import ONE_SIDED
from tutelage.core.quantiles import incomplete_beta

ALPHA = 0.05
HALVINGS = 60
BETS = np.arange(1, 20) / 20  # shares of what may be staked


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What wins and losses say so far; `low` and `high` hold the truth at every look at once."""

    share: float
    low: float
    high: float
    n: int  # wins and losses; ties say nothing of the direction
    e_value: float  # for "more than half prefer it"
    outcome: Literal["better", "worse", "open"]


def preference(wins: int, losses: int, *, alpha: float = ALPHA) -> Preference:
    """Whether one side is preferred, at any look of as many as one takes.

    `better` once the e-value for more than half reaches 1 / alpha, `worse` once that for
    less than half does: where the truth is one half or less, `better` is ever said with
    chance alpha at most.

    Source: Ville's inequality for a beta mixture of likelihood ratios; Ramdas et al.,
        "Game-theoretic statistics and safe anytime-valid inference", 2023.
    """
    for_better, for_worse = log_e_value(wins, losses), log_e_value(losses, wins)
    line = -math.log(alpha)
    outcome: Literal["better", "worse", "open"] = "open"
    if for_better >= line:
        outcome = "better"
    elif for_worse >= line:
        outcome = "worse"
    n = wins + losses
    return Preference(
        share=wins / n if n else math.nan,
        low=_bound(wins, losses, alpha),
        high=1 - _bound(losses, wins, alpha),
        n=n,
        e_value=math.exp(min(for_better, 700.0)),
        outcome=outcome,
    )


def mean_at_every_look(
    values: Values,
    clusters: Clusters | None = None,
    *,
    span: tuple[float, float] = (0.0, 1.0),
    confidence: float = 0.95,
    sides: Sides = 2,
) -> Interval:
    """Bounds of a mean of scores within a span that hold at every look at once.

    Each cluster has one voice, the mean of its scores. Against every mean the bound leaves
    out, a mixture of bets on the voices has grown by one over the error allowed.

    Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting",
        2024; bets of fixed shares, mixed, whose growth knows no order.
    """
    method = "anytime" + (ONE_SIDED if sides == 1 else "")
    n, (least, most) = len(values), span
    if not n:
        return Interval(value=math.nan, low=least, high=most, n=0, method=method)
    scores = (np.asarray(values, np.float64) - least) / (most - least)
    names = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    voices = np.bincount(names, scores) / np.bincount(names)
    alpha = (1 - confidence) / sides
    low, high = _betting_bound(voices, alpha), 1 - _betting_bound(1 - voices, alpha)
    value, low, high = (least + (most - least) * one for one in (float(voices.mean()), low, high))
    return Interval(value=value, low=low, high=high, n=n, method=method)


def log_e_value(wins: int, losses: int) -> float:
    """Log evidence for more than half: the mean likelihood ratio of shares in (1/2, 1].

    Its mean is at most 1 at every look where the truth is one half or less.
    """
    above = 1 - incomplete_beta(wins + 1, losses + 1, 0.5)
    return _log_mixture(wins, losses) + math.log(2) + math.log(max(above, 1e-300))


def log_two_sided(wins: int, losses: int) -> float:
    """Log evidence against one half: the mean likelihood ratio of all shares, Beta(1, 1)."""
    return _log_mixture(wins, losses)


def chance_to_tell(share: float, *, every: int, most: int, alpha: float = ALPHA) -> float:
    """Chance that `better` is said within `most` labels, looked at after `every` so many.

    Exact: every path of wins and losses is followed.
    """
    line = -math.log(alpha)
    chances = np.ones(1)  # of so many wins, not told yet
    told = 0.0
    for n in range(1, most + 1):
        chances = np.append(chances * (1 - share), 0.0) + np.append(0.0, chances * share)
        if n % every and n != most:
            continue
        there = [wins for wins in range(n + 1) if log_e_value(wins, n - wins) >= line]
        told += float(chances[there].sum())
        chances[there] = 0.0
    return told


def _betting_bound(voices: Floats, alpha: float) -> float:
    """The least mean that bets on more than it do not exclude, for scores in [0, 1]."""
    line = -math.log(alpha)
    low, high = 0.0, float(voices.mean())
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle <= 0.0:
            break
        stakes = BETS / middle  # no bet can lose more than there is
        grown = np.log1p(stakes[:, None] * (voices - middle)[None, :]).sum(1)
        most = float(grown.max())
        wealth = most + math.log(float(np.exp(grown - most).mean()))
        low, high = (middle, high) if wealth >= line else (low, middle)
    return low


def _log_mixture(wins: int, losses: int) -> float:
    n = wins + losses
    beta = math.lgamma(wins + 1) + math.lgamma(losses + 1) - math.lgamma(n + 2)
    return beta + n * math.log(2)


def _bound(wins: int, losses: int, alpha: float) -> float:
    """The least share that the mixture over all shares does not exclude, at every look at once."""
    n = wins + losses
    if wins == 0:
        return 0.0
    line = _log_mixture(wins, losses) - n * math.log(2) + math.log(alpha)
    low, high = 0.0, wins / n
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        likelihood = wins * math.log(middle) + losses * math.log1p(-middle)
        low, high = (middle, high) if likelihood <= line else (low, middle)
    return low
