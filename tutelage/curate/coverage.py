"""How far the rows are from the prompts expected in production: histograms and their distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tutelage.core.row import Example
from tutelage.curate.measured import Measured, measured
from tutelage.curate.sides import request
from tutelage.curate.sources import TAGS
from tutelage.screen.ngrams import ngrams_of

Histogram = dict[str, int]


def coverage(rows: Measured, expected: Sequence[Example]) -> dict[str, Any]:
    """Rows by length and tags, beside the expected prompts; and their distances.

    The distance is total variation: the share of prompts that would have to be others. Two samples
    of one and the same traffic differ, too; `by_chance` is how much they would on average.
    """
    found: dict[str, Any] = {"expected": len(expected), "by": {}}
    asked = measured(expected, words=True)
    for name in ("length", *TAGS):
        own, wanted = _histogram(rows, name), _histogram(asked, name)
        if not own and not wanted:
            continue
        form: dict[str, Any] = {"rows": own}
        if wanted:
            form |= {"expected": wanted, "distance": distance(own, wanted)}
            form["by_chance"] = by_chance(own, wanted)
            form["only_expected"] = sorted(set(wanted) - set(own))
        found["by"][name] = form
    if expected:
        found["unknown_words"] = _unknown(rows, expected)
    return found


def distance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Total variation of two histograms: 0 for the same shares, 1 for none in common."""
    here, there = max(sum(one.values()), 1), max(sum(other.values()), 1)
    names = one.keys() | other.keys()
    return math.fsum(abs(one.get(at, 0) / here - other.get(at, 0) / there) for at in names) / 2


def by_chance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The mean distance of two samples so large of what both together are.

    Source: the mean of a normal value's size, the square root of 2/pi of its deviation.
    """
    here, there = sum(one.values()), sum(other.values())
    if not here or not there:
        return 0.0
    whole, scale = here + there, 1 / here + 1 / there
    shares = [(one.get(at, 0) + other.get(at, 0)) / whole for at in one.keys() | other.keys()]
    return math.fsum(math.sqrt(2 / math.pi * p * (1 - p) * scale) for p in shares) / 2


def _histogram(rows: Measured, name: str) -> Histogram:
    if name == "length":
        counts = rows.counted("lengths")
        return {at: counts[at] for at in sorted(counts, key=_begin)}
    return rows.counted(f"tag {name}")


def _begin(length: str) -> int:
    return int(length.rstrip("+").split("-")[0])


def _unknown(rows: Measured, expected: Sequence[Example]) -> float:
    """The share of the words of expected prompts that no request of the rows has."""
    asked = ngrams_of([request(one) for one in expected], 1).hashes
    return float(np.mean(~np.isin(asked, rows.words))) if len(asked) else 0.0
