"""Random streams by name: a new stream never moves another."""

from __future__ import annotations

import hashlib

import numpy as np


def seed_of(name: str, root: int) -> int:
    """A 63-bit seed for the stream `name` under the root seed; fits torch's generators."""
    digest = hashlib.sha256(f"{root}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(name: str, root: int) -> np.random.Generator:
    """A generator for the stream `name` under the root seed."""
    return np.random.default_rng(seed_of(name, root))
