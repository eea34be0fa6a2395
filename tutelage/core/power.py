"""How likely so many items are to show what is true, and how many would do."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from tutelage.core.quantiles import incomplete_beta, student_t
from tutelage.core.shares import score_variance

POWER = 0.8  # that is asked for
MOST = 100_000_000  # items; beyond it, more would not help anyone
WAVER = 40  # items within which a count's chance goes up and down
NEVER = 1e-12
NODES = 400  # of the quadrature over the spread that n items show


def power_of_mean(
    distance: float, deviation: float, n: int, *, freedom: int | None = None
) -> float:
    """Chance that a one-sided 95 % t bound lies beyond a threshold `distance` away.

    `n` independent items whose scores have this standard deviation; `freedom` where the
    error is told by fewer, such as clusters. Exact for normal scores: noncentral t.
    """
    degrees = freedom if freedom is not None else n - 1
    if degrees < 1:
        return 0.0
    if deviation == 0:
        return float(distance > 0)
    needed = student_t(0.95, degrees)
    centre = distance * math.sqrt(n) / deviation
    # the mean of Phi(centre - needed * s / sigma) over the chi distribution of s
    half = 12 / math.sqrt(2 * degrees)
    spread = np.linspace(max(1e-6, 1 - half), 1 + half, NODES)
    logs = (degrees - 1) * np.log(spread) - degrees * spread**2 / 2
    weights = np.exp(logs - logs.max())
    normal = NormalDist()
    chances = np.array([normal.cdf(centre - needed * one) for one in spread.tolist()])
    return float((weights * chances).sum() / weights.sum())


def power_of_share(share: float, threshold: float, n: int) -> float:
    """Chance that the exact one-sided bound of n items reaches a threshold below the share."""
    if n < 1 or threshold >= share:
        return 0.0
    low, high = 0, n + 1  # the least count of successes that reaches it lies in (low, high]
    while high - low > 1:
        middle = (low + high) // 2
        # of the exact bound: so many successes are rarer than 5 % at the threshold
        reached = incomplete_beta(middle, n - middle + 1, threshold) <= 0.05
        low, high = (low, middle) if reached else (middle, high)
    return _at_least(high, n, share)


def power_of_pairs(wins: float, losses: float, threshold: float, n: int) -> float:
    """Chance that the paired score bound of n items reaches a threshold of the difference.

    `wins` and `losses` are the shares of items that only the first, and only the second,
    gets right. Exact but for what has a chance under 1e-12: every count of losses has a
    least count of wins that will do.
    """
    chance = 0.0
    for lost in range(n + 1):
        there = _exactly(lost, n, losses)
        if there < NEVER:
            if lost > n * losses:
                break
            continue
        rest = n - lost
        low, high = -1, rest + 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _shown(middle, lost, n, threshold) else (middle, high)
        chance += there * _at_least(high, rest, wins / (1 - losses) if losses < 1 else 0.0)
    return chance


def items_for(chance: Callable[[int], float], power: float = POWER) -> int | None:
    """The least number of items whose chance is this high; None where no number's is.

    Searched as if the chance only grew with the items; as that of a count wavers, the
    last few numbers below are tried as well.
    """
    high = 1
    while chance(high) < power:
        high *= 2
        if high > MOST:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if chance(middle) >= power else (middle, high)
    below = range(max(1, high - WAVER), high)
    return next((n for n in below if chance(n) >= power), high)


def items_by_variance(distance: float, variance: float, power: float = POWER) -> int:
    """Items with which a one-sided 95 % bound would reach a threshold `distance` away.

    (z of the bound + z of the power)² Var / distance².

    Source: sample size of a one-sided non-inferiority test, normal approximation.
    """
    reach = NormalDist().inv_cdf(0.95) + NormalDist().inv_cdf(power)
    return math.ceil(reach * reach * variance / distance**2)


def _shown(wins: int, losses: int, n: int, threshold: float) -> bool:
    """Whether the one-sided score bound of these counts lies beyond the threshold."""
    seen = wins - losses - 0.5 - n * threshold
    return seen > NormalDist().inv_cdf(0.95) * math.sqrt(score_variance(wins, losses, n, threshold))


def _exactly(successes: int, n: int, share: float) -> float:
    """Chance of just so many successes."""
    if share <= 0 or share >= 1:
        return float(successes == (n if share >= 1 else 0))
    log = math.lgamma(n + 1) - math.lgamma(successes + 1) - math.lgamma(n - successes + 1)
    return math.exp(log + successes * math.log(share) + (n - successes) * math.log1p(-share))


def _at_least(successes: int, n: int, share: float) -> float:
    """Chance of so many successes or more."""
    if successes > n * share:
        return min(1.0, math.fsum(_exactly(k, n, share) for k in range(successes, n + 1)))
    return max(0.0, 1 - math.fsum(_exactly(k, n, share) for k in range(successes)))
