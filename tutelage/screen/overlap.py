"""How much of an evaluation item stands in a row, word for word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.ngrams import Grams, Hashes, Indices, among, once

SPAN = 13  # words
SHORT_SPAN = 8  # words, for items that have no span of 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlaps:
    """Items of which a row holds a span. Shapes: each `[P]`, ordered by row, then item."""

    row: Indices
    item: Indices
    coverage: NDArray[np.float64]  # share of the item's spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """The spans of evaluation items, ordered by hash. Shapes: `hashes`, `holder` `[S]`."""

    hashes: Hashes
    holder: Indices  # the item each span is of
    spans: Indices  # `[items]`, how many each has

    @classmethod
    def of(cls, grams: Grams) -> Items:
        """Those of all items; `grams.text` is the item."""
        wanted = grams.distinct()
        order = np.argsort(wanted.hashes, kind="stable")
        return cls(
            hashes=wanted.hashes[order],
            holder=wanted.text[order],
            spans=np.bincount(wanted.text, minlength=grams.texts),
        )


def overlaps(rows: Grams, items: Items, owner: Indices) -> Overlaps:
    """The share of each item's spans that stand in each row, where there is one at all.

    The share counts the item's spans and not the row's: a leak stays one however much
    is wrapped around it.

    Shapes: `owner` `[rows.texts]`, the row each text belongs to.
    """
    hit = rows.take(among(rows.hashes, items.hashes))
    low = np.searchsorted(items.hashes, hit.hashes, side="left")
    counts = np.searchsorted(items.hashes, hit.hashes, side="right") - low
    each = np.repeat(np.arange(len(hit.hashes)), counts)
    place = low[each] + np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts)
    # a span that a row holds twice counts once
    told = once(owner[hit.text[each]] * max(len(items.holder), 1) + place)
    row, span = np.divmod(told, max(len(items.holder), 1))
    pairs, shared = np.unique(row * len(items.spans) + items.holder[span], return_counts=True)
    row, item = np.divmod(pairs, max(len(items.spans), 1))
    return Overlaps(row=row, item=item, coverage=shared / items.spans[item])
