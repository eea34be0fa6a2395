"""Near-duplicates: texts with several sides, every pair verified by its true Jaccard index.

Each side (a prompt, an answer) must be alike by itself. A side is looked at twice:
as it is, and without fixed text that many texts share (an instruction, a template).
Only both together say that texts repeat each other: fixed text alone makes unlike
texts look alike, and what is left of a text without it may be a single word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.minhash import candidates
from tutelage.screen.ngrams import Grams, Indices, fixed, folded, mix, ngrams, without, words

SHINGLE = 5  # words
ENDINGS = " .!?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of every text: its shingles, with fixed text and without."""

    whole: Grams
    bare: Grams


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Verified pairs. Shapes: each `[P]`; `first < second`, ordered by `second`, `first`."""

    first: Indices
    second: Indices
    jaccard: NDArray[np.float64]  # of the side least alike


def comparable(text: str) -> str:
    """The words by which a text is compared; a short text is one word, compared whole.

    So `-5` differs from `5`, and `C` from `C++`: of a short text the signs count too,
    save those that end a sentence.
    """
    plain = words(text)
    if plain.count(" ") + 1 >= SHINGLE:
        return plain
    short = "".join(folded(text).split(" "))
    return short.rstrip(ENDINGS) or short


def side(texts: Sequence[str]) -> Side:
    """The shingles of texts that `comparable` has made."""
    runs = ngrams(texts, SHINGLE)
    bare = without(texts, runs, fixed(runs), SHINGLE)
    return Side(
        whole=ngrams(texts, SHINGLE, whole_short=True).distinct(),
        bare=ngrams(bare, SHINGLE, whole_short=True).distinct(),
    )


def near_pairs(sides: Sequence[Side], threshold: float) -> Pairs:
    """Pairs of texts of which every side has a Jaccard index of `threshold` at least.

    Shapes: the sides have the same number of texts.
    """
    pairs = candidates(_together([one.bare for one in sides]))
    first, second = pairs[:, 0], pairs[:, 1]
    least = np.ones(len(first))
    for one in sides:
        for grams in (one.bare, one.whole):
            least = np.minimum(least, jaccard(grams, first, second))
    alike = least >= threshold
    first, second, least = first[alike], second[alike], least[alike]
    order = np.lexsort((first, second))
    return Pairs(first=first[order], second=second[order], jaccard=least[order])


def jaccard(grams: Grams, first: Indices, second: Indices) -> NDArray[np.float64]:
    """The Jaccard index of each pair of texts; 1 where both have no shingle.

    Shapes: `grams` distinct, `first` and `second` `[P]`; returns `[P]`.
    """
    sizes = np.bincount(grams.text, minlength=grams.texts)
    offsets = np.cumsum(sizes) - sizes
    kinds, names = np.unique(grams.hashes, return_inverse=True)
    keys = grams.text * len(kinds) + names  # ascending: grams are ordered by text and hash
    counts = sizes[first]
    pair = np.repeat(np.arange(len(first)), counts)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(counts) - counts, counts)
    wanted = second[pair] * len(kinds) + names[offsets[first][pair] + within]
    place = np.searchsorted(keys, wanted)
    held = place < len(keys)
    held[held] = keys[place[held]] == wanted[held]
    common = np.bincount(pair[held], minlength=len(first))
    union = sizes[first] + sizes[second] - common
    return np.where(union == 0, 1.0, common / np.maximum(union, 1))


def _together(sides: Sequence[Grams]) -> Grams:
    """One set of shingles a text, equal words of different sides kept apart.

    If every side of a pair reaches a threshold, so do the sets together: no pair is lost.
    """
    salts = mix(np.arange(1, len(sides) + 1, dtype=np.uint64))
    return Grams(
        hashes=np.concatenate(
            [mix(one.hashes ^ salt) for one, salt in zip(sides, salts, strict=True)]
        ),
        text=np.concatenate([one.text for one in sides]),
        first=np.concatenate([one.first for one in sides]),
        texts=sides[0].texts,
    ).distinct()
