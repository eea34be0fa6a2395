"""How much of an evaluation item stands in a row, word for word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.ngrams import Grams, Indices

SPAN = 13  # words


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """Items of which a row holds a span. Shapes: each `[P]`, ordered by row, then item."""

    row: Indices
    item: Indices
    coverage: NDArray[np.float64]  # share of the item's spans


def overlaps(rows: Grams, items: Grams, owner: Indices) -> Overlaps:
    """The share of each item's spans that stand in each row, where there is one at all.

    The share counts the item's spans and not the row's: a leak stays one however much
    is wrapped around it.

    Shapes: `owner` `[rows.texts]`, the row each text belongs to.
    """
    wanted = items.distinct()
    order = np.argsort(wanted.hashes, kind="stable")
    hashes, holder = wanted.hashes[order], wanted.text[order]
    hit = rows.take(np.isin(rows.hashes, hashes))
    low = np.searchsorted(hashes, hit.hashes, side="left")
    counts = np.searchsorted(hashes, hit.hashes, side="right") - low
    each = np.repeat(np.arange(len(hit.hashes)), counts)
    place = low[each] + np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts)
    # a span that a row holds twice counts once
    found = np.unique(np.stack([owner[hit.text[each]], holder[place], place], axis=1), axis=0)
    pairs, shared = np.unique(found[:, :2], axis=0, return_counts=True)
    spans = np.bincount(wanted.text, minlength=items.texts)
    return Overlaps(row=pairs[:, 0], item=pairs[:, 1], coverage=shared / spans[pairs[:, 1]])
