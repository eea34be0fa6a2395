"""Pairs of texts worth comparing: MinHash sketches cut into bands."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.ngrams import Grams, Indices, mix, once

BANDS = 40
HASHES_PER_BAND = 6
HASHES = BANDS * HASHES_PER_BAND
PAIRS_AT_ONCE = 1 << 22  # that may wait to be told apart
ANCHORS = 32  # of a bucket, its first members, with which all its others are paired
SPREAD = np.uint32(0x9E3779B1)  # odd: no two values of a band become one
NOTHING = np.uint32(0xFFFFFFFF)  # where a text has no shingle

Sketch = NDArray[np.uint32]


def sketch(grams: Grams, salt: int = 0) -> Sketch:
    """The smallest value of each text's hashes under each of 240 permutations.

    Equal shingles under different salts are different. Two texts agree in one value with the
    probability of their Jaccard index, and the sketch of a union is the smaller of two sketches,
    value by value. Made of as many texts as fit in a core's cache at once; thirty-two bits are
    enough to choose pairs, for each is verified.

    Shapes: `grams` ordered by text; returns `[HASHES, texts]`.
    Source: Broder 1997 (min-wise hashing).
    """
    opens = np.concatenate([[True], grams.text[1:] != grams.text[:-1]])[: len(grams.text)]
    starts = np.flatnonzero(opens)
    if not len(starts):
        return np.full((HASHES, grams.texts), NOTHING, dtype=np.uint32)
    salted = mix(grams.hashes + np.uint64(salt)) if salt else grams.hashes
    values = (salted >> np.uint64(32)).astype(np.uint32)
    permuted = np.empty_like(values)
    found = np.empty((HASHES, len(starts)), dtype=np.uint32)
    for index, factor in enumerate(_factors()):
        np.multiply(values, factor, out=permuted)
        np.minimum.reduceat(permuted, starts, out=found[index])
    if len(starts) == grams.texts:
        return found
    least = np.full((HASHES, grams.texts), NOTHING, dtype=np.uint32)
    least[:, grams.text[starts]] = found
    return least


@cache
def _factors() -> tuple[np.uint32, ...]:
    """Odd, so that each makes a permutation of all values."""
    drawn = mix(np.arange(1, HASHES + 1, dtype=np.uint64)) >> np.uint64(32)
    return tuple(np.uint32(factor | 1) for factor in drawn.tolist())


def bands(sketched: Sketch) -> Sketch:
    """One value a band, of its six. Shapes: `[HASHES, texts]`; returns `[BANDS, texts]`."""
    values = np.zeros((BANDS, sketched.shape[1]), dtype=np.uint32)
    for index in range(HASHES_PER_BAND):
        values *= SPREAD
        values ^= values >> np.uint32(15)
        values += sketched[index::HASHES_PER_BAND]
    return values


def candidates(banded: Iterable[Sketch], texts: Indices) -> Indices:
    """Pairs of texts that agree in one band at least, the earlier text first.

    Texts at Jaccard 0.7 are found with probability 0.993, at 0.8 with 0.99999; most
    pairs found lie lower, so each must be verified. In a bucket of more than `ANCHORS`
    texts only the first are paired with the rest, which bounds the work: put texts
    that others should be compared with first.

    A band is looked at and let go before the next one is asked for.

    Shapes: `banded` gives `[T]` for each band, `texts` `[N]` are the columns to look at,
        ascending; returns `[P, 2]`.
    Source: 40 bands of 6 out of 240 hashes, see the design's measurements of recall.
    """
    waiting: list[Indices] = [np.zeros(0, dtype=np.int64)]
    columns = int(texts[-1]) + 1 if len(texts) else 0
    for band in banded:
        first, second = _agreeing(band[texts], texts)
        waiting.append(first * columns + second)
        if sum(map(len, waiting)) > PAIRS_AT_ONCE:
            waiting = [once(np.concatenate(waiting))]
    found = once(np.concatenate(waiting))
    return np.stack([found // columns, found % columns], axis=1) if columns else found.reshape(0, 2)


def _agreeing(values: Sketch, texts: Indices) -> tuple[Indices, Indices]:
    # value and place in one number: a sort that is fast and keeps the order of equal values
    ordered = np.arange(len(values), dtype=np.uint64)
    ordered |= values.astype(np.uint64) << np.uint64(32)
    ordered.sort()
    own = ordered >> np.uint64(32)
    same = own[1:] == own[:-1]
    shared = np.zeros(len(own), dtype=np.bool_)  # buckets of one text have no pair
    shared[1:] = same
    shared[:-1] |= same
    named = texts[(ordered[shared] & np.uint64(0xFFFFFFFF)).astype(np.int64)]
    own = own[shared]
    places = np.arange(len(own))
    opens = np.concatenate([[True], own[1:] != own[:-1]])[: len(own)]
    head = np.maximum.accumulate(np.where(opens, places, 0))
    within = places - head  # a bucket
    later = places
    firsts, seconds = [named[:0]], [named[:0]]
    for anchor in range(ANCHORS):
        later = later[within[later] > anchor]
        if not len(later):
            break
        firsts.append(named[head[later] + anchor])
        seconds.append(named[later])
    return np.concatenate(firsts), np.concatenate(seconds)
