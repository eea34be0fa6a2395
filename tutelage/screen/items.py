"""Rows that ask much like an evaluation item: against few items every shingle is counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.screen.fixed import fixed_in_items, sample
from tutelage.screen.glance import Runs, runs_of, shingles_of
from tutelage.screen.near import ALIKE, SHINGLE, jaccards
from tutelage.screen.ngrams import Hashes, among, ngrams, without
from tutelage.screen.overlap import Items, overlaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Items, ready to be compared with any number of rows.

    Every shingle they share is counted, so that no pair is missed: a row of a Jaccard index holds
    its share of the item's shingles.
    """

    texts: Sequence[str]
    freed: Sequence[str]  # without fixed text
    spans: Hashes
    items: Items
    runs: Runs  # of which a row must hold most that is near an item, or one of fixed text

    @classmethod
    def of(cls, items: Sequence[str], rows: Sequence[str]) -> Wanted:
        """The items without what is fixed text where they are looked for in rows such as these.

        Both are texts that `comparable` has made.
        """
        looked = [rows[index] for index in sample(rows)]
        own, others = ngrams(items, SHINGLE), ngrams(looked, SHINGLE)
        spans = fixed_in_items(own, others, SHINGLE)
        freed = _freed(items, spans)
        wanted = Items.of(ngrams(freed, SHINGLE, whole_short=True))
        runs = [
            runs_of(texts, SHINGLE, grams.take(among(grams.hashes, spans)))
            for texts, grams in ((items, own), (looked, others))
        ]
        runs.append(shingles_of(freed, SHINGLE, ALIKE, wanted.spans))
        return cls(texts=items, freed=freed, spans=spans, items=wanted, runs=Runs.joined(runs))

    def near(
        self, rows: Sequence[str], threshold: float = ALIKE
    ) -> Iterator[tuple[int, int, float]]:
        """Each of some rows and item with a Jaccard index of `threshold` at least."""
        freed = _freed(rows, self.spans)
        grams = ngrams(freed, SHINGLE, whole_short=True)
        held = overlaps(grams, self.items, np.arange(len(rows)))
        some = held.coverage >= threshold
        pairs = np.stack([held.item[some], held.row[some] + len(self.texts)], axis=1)
        if not len(pairs):
            return
        least = np.minimum(
            jaccards([*self.freed, *freed], {}, pairs),
            jaccards([*self.texts, *rows], {}, pairs),
        )
        for (item, row), share in zip(pairs.tolist(), least.tolist(), strict=True):
            if share >= threshold:
                yield row - len(self.texts), item, share


def _freed(texts: Sequence[str], spans: Hashes) -> Sequence[str]:
    return without(texts, ngrams(texts, SHINGLE), spans, SHINGLE) if len(spans) else texts
