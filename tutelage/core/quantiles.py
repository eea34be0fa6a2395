"""Quantiles of Student's t and of the beta distribution, so that the core needs no scipy."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

LARGE = 1e6  # degrees of freedom from which t is the normal to 6 digits
TERMS = 400  # of the continued fraction; a few dozen are enough
TINY = 1e-300
PRECISION = 1e-15


@lru_cache(maxsize=4096)
def student_t(probability: float, freedom: float) -> float:
    """The value that Student's t with `freedom` degrees stays under with `probability`."""
    if not 0 < probability < 1 or freedom <= 0:
        raise ValueError(f"no quantile at {probability} with {freedom} degrees of freedom")
    if probability < 0.5:
        return -student_t(1 - probability, freedom)
    if freedom > LARGE:
        return NormalDist().inv_cdf(probability)
    high = 1.0
    while t_below(high, freedom) < probability:
        high *= 2
    return _where(lambda value: t_below(value, freedom), probability, 0.0, high)


@lru_cache(maxsize=4096)
def beta_quantile(probability: float, a: float, b: float) -> float:
    """The value that a beta variable of shapes a and b stays under with `probability`."""
    return _where(lambda value: incomplete_beta(a, b, value), probability, 0.0, 1.0)


def t_below(value: float, freedom: float) -> float:
    """Probability that Student's t with `freedom` degrees stays under a value."""
    share = freedom / (freedom + value * value)
    tail = incomplete_beta(freedom / 2, 0.5, share) / 2
    return 1 - tail if value > 0 else tail


def _where(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where a rising function comes to the target, between two values."""
    for _ in range(100):
        middle = (low + high) / 2
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b).

    Source: Press et al., "Numerical Recipes", 6.4; Lentz's continued fraction.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    log_beta = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_beta + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / _apart(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / _apart(1 + term * d)
            c = _apart(1 + term / c)
            fraction *= c * d
        if abs(c * d - 1) < PRECISION:
            break
    return front * fraction


def _apart(value: float) -> float:
    """The value, kept away from zero by which the fraction divides."""
    return value if abs(value) > TINY else TINY
