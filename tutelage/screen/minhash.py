"""Pairs of texts worth comparing: MinHash sketches cut into bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.ngrams import Grams, Hashes, Indices, mix

BANDS = 40
HASHES_PER_BAND = 6
ANCHORS = 32  # of a bucket, its first members, with which all its others are paired


def candidates(grams: Grams) -> NDArray[np.int64]:
    """Pairs of texts that agree in one band of their sketches at least.

    Texts at Jaccard 0.7 are found with probability 0.993, at 0.8 with 0.99999; most
    pairs found lie lower, so each must be verified. In a bucket of more than `ANCHORS`
    texts only the first are paired with the rest, which bounds the work: put texts
    that others should be compared with first.

    Shapes: `grams` distinct; returns `[P, 2]`, the earlier text first.
    Source: Broder 1997 (min-wise hashing); 40 bands of 6 out of 240 hashes, see
        the design's measurements of recall.
    """
    present, starts = np.unique(grams.text, return_index=True)
    if not len(present):
        return np.zeros((0, 2), dtype=np.int64)
    found: Indices = np.zeros(0, dtype=np.int64)
    for band in range(BANDS):
        pairs = _agreeing(_band(grams.hashes, starts, band))
        coded = present[pairs[:, 0]] * grams.texts + present[pairs[:, 1]]
        found = np.union1d(found, coded)
    return np.stack([found // grams.texts, found % grams.texts], axis=1)


def _band(hashes: Hashes, starts: Indices, band: int) -> Hashes:
    """One value a text for this band: of its six smallest hashes, mixed. Shapes: `[texts]`."""
    value = np.zeros(len(starts), dtype=np.uint64)
    first = band * HASHES_PER_BAND
    for index in range(first, first + HASHES_PER_BAND):
        seeds = mix(np.array([2 * index + 1, 2 * index + 2], dtype=np.uint64))
        # an odd factor makes x -> ax + b a permutation of all hashes
        permuted = hashes * (seeds[0] | np.uint64(1)) + seeds[1]
        value = mix(value * np.uint64(3) + np.minimum.reduceat(permuted, starts))
    return value


def _agreeing(values: Hashes) -> NDArray[np.int64]:
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    opens = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    places = np.arange(len(ordered))
    head = np.maximum.accumulate(np.where(opens, places, 0))
    pairs = []
    for anchor in range(ANCHORS):
        later = places[places - head > anchor]
        if not len(later):
            break
        pairs.append(np.stack([order[head[later] + anchor], order[later]], axis=1))
    return np.concatenate(pairs) if pairs else np.zeros((0, 2), dtype=np.int64)
