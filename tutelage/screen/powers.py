"""Powers of the base by which runs of words are hashed, modulo 2^64."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
KEPT = 1 << 18  # so many of each are kept: of all texts hashed at once but the longest


def powers(count: int) -> tuple[Hashes, Hashes]:
    """Of the base and of its inverse, so many at least."""
    return _kept() if count <= KEPT else _ladders(count)


@cache
def _kept() -> tuple[Hashes, Hashes]:
    return _ladders(KEPT)


def _ladders(count: int) -> tuple[Hashes, Hashes]:
    steps = np.array([BASE, pow(BASE, -1, 1 << 64)], dtype=np.uint64)
    ladders = np.repeat(steps[:, None], count, axis=1)
    ladders[:, :1] = 1
    one, other = np.cumprod(ladders, axis=1, dtype=np.uint64)
    return one, other
