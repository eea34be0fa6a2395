"""How likely chance alone makes one of two systems look so much better on the same items."""

from __future__ import annotations

import numpy as np

from tutelage.core.intervals import (
    NO_SPREAD,
    Clusters,
    Values,
    clustered_error,
    standard_error,
    sum_by_cluster,
)
from tutelage.core.quantiles import t_below

EXACT = 14  # items up to which every sign is tried
DRAWS = 20_000
CELLS = 4_000_000  # of a block of signs


def paired_t(differences: Values, clusters: Clusters | None = None) -> float:
    """Two-sided p of Student's t on paired differences, clustered where clusters are given.

    Where all agree t has no spread to go by: signs are a coin's then, as in `permutation`,
    which for clusters that agree is 2 to the power of 1 minus their number.
    """
    values = np.asarray(differences, np.float64)
    independent = len(values) if clusters is None else len(np.unique(np.asarray(clusters)))
    error = standard_error(values) if clusters is None else clustered_error(values, clusters)
    if not error > NO_SPREAD:
        alike = abs(float(values.mean())) > NO_SPREAD if len(values) else False
        return min(1.0, 2.0 ** (1 - independent)) if alike else 1.0
    return 2 * t_below(-abs(float(values.mean())) / error, independent - 1)


def permutation(
    differences: Values, generator: np.random.Generator, clusters: Clusters | None = None
) -> float:
    """Two-sided p of the sum of differences when each one's sign is a coin's.

    Exact up to 14 items, drawn beyond; a cluster's items turn together. It needs no
    distribution, so it stands in for t where there are few items.

    Source: Fisher, "The design of experiments", 1935; Phipson & Smyth, "Permutation
        p-values should never be zero", 2010.
    """
    values = np.asarray(differences, np.float64)
    if clusters is not None:
        values = sum_by_cluster(values[:, None], clusters)[:, 0]
    values = values[values != 0]
    if not len(values):
        return 1.0
    seen = abs(float(values.sum())) - 1e-12 * float(np.abs(values).sum())
    if len(values) <= EXACT:
        signs = 1 - 2 * ((np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1)
        return float((np.abs(signs @ values) >= seen).mean())
    more, block = 0, max(1, CELLS // len(values))
    for begin in range(0, DRAWS, block):
        signs = generator.choice((-1.0, 1.0), (min(block, DRAWS - begin), len(values)))
        more += int((np.abs(signs @ values) >= seen).sum())
    return (more + 1) / (DRAWS + 1)
