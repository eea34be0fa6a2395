"""Near-duplicates: texts with several sides, every pair verified by its true Jaccard index.

Each side (a prompt, an answer) must be alike by itself. A side is looked at twice:
as it is, and without fixed text that many texts share (an instruction, a template).
Only both together say that texts repeat each other: fixed text alone makes unlike
texts look alike, and what is left of a text without it may be a single word.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.screen.fixed import fixed_text, sample
from tutelage.screen.minhash import (
    BANDS,
    HASHES,
    NOTHING,
    Sketch,
    bands,
    candidates,
    sketch,
)
from tutelage.screen.ngrams import (
    FIXED_SHARE,
    FIXED_TEXTS,
    Grams,
    Hashes,
    Indices,
    among,
    batches,
    fixed,
    folded,
    lengths,
    ngrams,
    once,
    without,
    words,
    words_of,
)

SHINGLE = 5  # words
ALIKE = 0.7  # Jaccard index from which requests are one: of leaks, and across the split
BATCH_CHARACTERS = 1 << 19  # of texts sketched together: what a core's cache holds
PAIRS_AT_ONCE = 1 << 14  # verified together
ENDINGS = " .!?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of every text in comparable words, and the runs of words that are fixed text."""

    texts: Sequence[str]
    spans: Hashes
    often: frozenset[str] = frozenset()  # texts that many have word for word


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
    return _comparable(text, words(text))


def comparables(texts: Sequence[str]) -> list[str]:
    """Each text as `comparable` gives it, made of many at once."""
    if not any(texts):
        return list(texts)
    return [
        _comparable(text, plain) if text else ""
        for text, plain in zip(texts, words_of(texts), strict=True)
    ]


def _comparable(text: str, plain: str) -> str:
    if plain.count(" ") >= SHINGLE - 1:
        return plain
    short = folded(text).replace(" ", "")
    return short.rstrip(ENDINGS) or short


def side(texts: Sequence[str], *, context: bool = False) -> Side:
    """One side of texts that `comparable` has made.

    Of a context, which whole data sets share word for word, all that many have is fixed text.
    """
    looked = [texts[index] for index in sample(texts)]
    grams = ngrams(looked, SHINGLE)
    least = max(FIXED_TEXTS, FIXED_SHARE * len(looked))
    often = frozenset(text for text, times in Counter(looked).items() if times >= least)
    spans = fixed(grams) if context else fixed_text(grams, SHINGLE, edited=True)
    return Side(texts=texts, spans=spans, often=often)


def near_pairs(sides: Sequence[Side], threshold: float) -> Pairs:
    """Pairs of texts of which every side has a Jaccard index of `threshold` at least."""
    return near_groups(sides, [range(len(sides))], threshold)[0]


def near_groups(
    sides: Sequence[Side], groups: Sequence[Sequence[int]], threshold: float
) -> list[Pairs]:
    """For each group of sides the pairs alike in every side of it; all from one set of sketches.

    Texts with equal sides are compared once: each is a pair with the first of them, and with
    what that one is like.

    Shapes: the sides have the same number of texts.
    """
    sketched = sketched_of(sides, groups)
    firsts = [_firsts(one.texts) for one in sides]
    found = []
    for number, group in enumerate(groups):
        chosen = [(sides[index].texts, sketched.bare[index]) for index in group]
        present = sketched.present[number]
        twins = twins_of([firsts[index] for index in group], present)
        own = np.flatnonzero(present & (twins == np.arange(len(twins))))
        pairs = candidates(sketched.banded[number], own)
        least = verified(chosen, pairs, threshold)
        alike = least >= threshold
        found.append(spread(pairs[alike], least[alike], twins))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketched:
    """Every group's bands `[BANDS, texts]` and which texts have a shingle `[texts]`."""

    banded: list[Sketch]
    present: list[NDArray[np.bool_]]
    bare: list[dict[int, str]]  # of each side, the texts that fixed text was taken from


def sketched_of(sides: Sequence[Side], groups: Sequence[Sequence[int]]) -> Sketched:
    """The bands of texts for each group of their sides."""
    texts = len(sides[0].texts)
    banded = [np.empty((BANDS, texts), dtype=np.uint32) for _ in groups]
    present = [np.zeros(texts, dtype=np.bool_) for _ in groups]
    bare: list[dict[int, str]] = [{} for _ in sides]
    begin = 0
    sizes = np.sum([lengths(one.texts) for one in sides], axis=0)
    for _, end in batches(sizes, BATCH_CHARACTERS):
        sketches: dict[int, Sketch] = {}  # of sides in which anything is said
        often: dict[int, NDArray[np.bool_]] = {}
        for index, one in enumerate(sides):
            if any(one.texts[begin:end]):
                sketches[index] = _bare_sketch(one, index, slice(begin, end), bare[index])
                told = [text in one.often and text != "" for text in one.texts[begin:end]]
                often[index] = np.array(told, dtype=np.bool_)
        for number, group in enumerate(groups):
            said = [index for index in group if index in sketches]
            least = np.full((HASHES, end - begin), NOTHING)
            if said:
                least = _union([sketches[one] for one in said], [often[one] for one in said])
            banded[number][:, begin:end] = bands(least)
            present[number][begin:end] = (least[0] != NOTHING) | (least[1] != NOTHING)
        begin = end
    return Sketched(banded=banded, present=present, bare=bare)


def _union(sketches: Sequence[Sketch], often: Sequence[NDArray[np.bool_]]) -> Sketch:
    """The sketch of several sides, so that no pair is lost: if every side reaches a threshold, so
    does their union. An answer that many give word for word tells no two rows apart, and is left
    out where another side does."""
    whole = functools.reduce(np.minimum, sketches)
    some = np.flatnonzero(functools.reduce(np.logical_or, often)) if len(sketches) > 1 else ()
    if not len(some):
        return whole
    rare = functools.reduce(
        np.minimum,
        [
            np.where(own[some], NOTHING, one[:, some])
            for one, own in zip(sketches, often, strict=True)
        ],
    )
    left = (rare[0] != NOTHING) | (rare[1] != NOTHING)
    whole[:, some[left]] = rare[:, left]
    return whole


def _bare_sketch(one: Side, salt: int, part: slice, bare: dict[int, str]) -> Sketch:
    """The sketch of some texts without fixed text; those that hold any are noted."""
    texts = one.texts[part]
    grams = ngrams(texts, SHINGLE, whole_short=True)
    held, freed = _freed_some(texts, grams, one.spans)
    if not len(held):
        return sketch(grams, salt)
    bare |= {part.start + index: text for index, text in zip(held.tolist(), freed, strict=True)}
    clean = ~np.isin(grams.text, held)
    least = sketch(grams.take(clean), salt)
    least[:, held] = sketch(ngrams(freed, SHINGLE, whole_short=True), salt)
    return least


def bare_of(one: Side) -> dict[int, str]:
    """The texts of a side that hold fixed text, without it."""
    grams = ngrams(one.texts, SHINGLE, whole_short=True)
    held, freed = _freed_some(one.texts, grams, one.spans)
    return dict(zip(held.tolist(), freed, strict=True))


def _freed_some(texts: Sequence[str], grams: Grams, spans: Hashes) -> tuple[Indices, list[str]]:
    held = once(grams.text[among(grams.hashes, spans)])
    chosen = [texts[index] for index in held.tolist()]
    return held, without(chosen, ngrams(chosen, SHINGLE), spans, SHINGLE)


def _firsts(texts: Sequence[str]) -> Indices:
    """The index of the first text that is equal to each."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(text, index) for index, text in enumerate(texts)], np.int64)


def twins_of(firsts: Sequence[Indices], present: NDArray[np.bool_]) -> Indices:
    """The first text with the same sides as each; a text without a shingle is its own."""
    same = firsts[0]
    for other in firsts[1:]:
        _, opens, which = np.unique(
            same * len(same) + other, return_index=True, return_inverse=True
        )
        same = opens[which]
    return np.where(present, same, np.arange(len(present)))


def spread(pairs: Indices, least: NDArray[np.float64], twins: Indices) -> Pairs:
    """The pairs with the twins of both texts, ordered."""
    others = np.flatnonzero(twins != np.arange(len(twins)))
    order = others[np.argsort(twins[others], kind="stable")]  # by the text they repeat
    low = np.searchsorted(twins[order], pairs[:, 1], side="left")
    counts = np.searchsorted(twins[order], pairs[:, 1], side="right") - low
    which = np.repeat(np.arange(len(pairs)), counts)
    step = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.concatenate([pairs[:, 0], twins[others], pairs[which, 0]])
    second = np.concatenate([pairs[:, 1], others, order[low[which] + step]])
    value = np.concatenate([least, np.ones(len(others)), least[which]])
    ordered = np.lexsort((first, second))
    return Pairs(first=first[ordered], second=second[ordered], jaccard=value[ordered])


def verified(
    sides: Sequence[tuple[Sequence[str], Mapping[int, str]]], pairs: Indices, threshold: float
) -> NDArray[np.float64]:
    """The Jaccard index of each pair in the side least alike; of no use below the threshold."""
    least = np.ones(len(pairs))
    for begin in range(0, len(pairs), PAIRS_AT_ONCE):
        part = slice(begin, begin + PAIRS_AT_ONCE)
        for whole, bare in sides:
            for freed in ({}, bare) if bare else ({},):
                still = begin + np.flatnonzero(least[part] >= threshold)
                least[still] = np.minimum(least[still], jaccards(whole, freed, pairs[still]))
    return least


def jaccards(texts: Sequence[str], bare: Mapping[int, str], pairs: Indices) -> NDArray[np.float64]:
    """The Jaccard index of pairs of texts, some of which `bare` replaces."""
    named, places = np.unique(pairs, return_inverse=True)
    looked = [bare.get(index, texts[index]) for index in named.tolist()]
    if not any(looked):
        return np.ones(len(pairs))
    grams = ngrams(looked, SHINGLE, whole_short=True)
    first, second = places.reshape(pairs.shape).T
    return jaccard(grams, first, second)


def jaccard(grams: Grams, first: Indices, second: Indices) -> NDArray[np.float64]:
    """The Jaccard index of each pair of texts; 1 where both have no shingle.

    Shapes: `first` and `second` `[P]`; returns `[P]`.
    """
    kinds, names = np.unique(grams.hashes, return_inverse=True)
    keys = once(grams.text * len(kinds) + names)  # by text, then by hash
    text, names = np.divmod(keys, max(len(kinds), 1))
    sizes = np.bincount(text, minlength=grams.texts)
    offsets = np.cumsum(sizes) - sizes
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
