"""The runs of words by which evaluation items are looked for, without those that tell nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tutelage.core.row import Example
from tutelage.curate.sides import asked, texts
from tutelage.screen.fixed import fixed_in_items, fixed_of_items
from tutelage.screen.glance import Runs, runs_of
from tutelage.screen.ngrams import (
    Grams,
    Hashes,
    Indices,
    among,
    ngrams,
    ngrams_of,
    once,
    without,
    words_of,
)
from tutelage.screen.overlap import Items


class Spans(NamedTuple):
    """The spans of n words by which items are looked for, and those that are fixed text."""

    words: int
    items: Items
    shared: Hashes
    whose: Indices  # the item each is of
    runs: Runs  # one of which a row holds that holds a span, or fixed text


def spans_of(
    looked: Sequence[Example], tasks: Sequence[Example], sizes: tuple[int, ...]
) -> tuple[tuple[Spans, ...], int]:
    """The spans of items, which are looked for by the longest they have, and how many have none.

    An item of several turns is looked for turn by turn, and in all of them as one text.
    `looked` are rows.
    """
    whose, said = _looked_for(tasks)
    item_texts, item_of = owned(said)
    row_texts, row_of = owned(texts(example) for example in looked)
    left = np.ones(len(whose), dtype=np.bool_)
    found = []
    for size in sizes:
        owners = (whose[item_of], row_of)
        grams, in_rows = ngrams_of(item_texts, size), ngrams_of(row_texts, size)
        shared = fixed_in_items(grams, in_rows, size, owners)
        freed = freed_of(item_texts, grams, shared, size)
        for fixed, own in ((shared, freed), _crowded(item_texts, grams, shared, owners[0], size)):
            spans = _by_owner(own, item_of, len(whose))
            items = Items.of(spans.take(left[spans.text]))
            left &= items.spans == 0
            if len(items.hashes):
                runs = _runs((item_texts, grams), (row_texts, in_rows), fixed, size)
                found.append(Spans(size, items, fixed, whose, runs))
        if not left.any():
            break
    return tuple(found), len(tasks) - len(once(whose[~left]))


def _runs(
    items: tuple[list[str], Grams], rows: tuple[list[str], Grams], shared: Hashes, size: int
) -> Runs:
    """All runs of the items, with fixed text and without, and the fixed text of rows."""
    own, grams = items
    _, freed = _freed_texts(own, grams, shared, size)
    fixed = rows[1].take(among(rows[1].hashes, shared))
    held, text = np.unique(fixed.text, return_inverse=True)
    looked = words_of([rows[0][index] for index in held.tolist()])
    parts = [runs_of(words_of(own), size), runs_of(freed, size)]
    return Runs.joined([*parts, runs_of(looked, size, replace(fixed, text=text))])


def _crowded(
    own: Sequence[str], grams: Grams, shared: Hashes, whose: Indices, size: int
) -> tuple[Hashes, Grams]:
    """The spans of items of which no word is left without what is shared, and what else is fixed.

    That many rows hold the whole of an item makes them leaks, and it no instruction. Of an item of
    several turns that is all of them as one text, its last: a turn of it may be a greeting.
    """
    told = fixed_of_items(grams, size, whose)
    held = once(grams.text[among(grams.hashes, shared)])
    last = {item: text for text, item in enumerate(whose.tolist())}
    held = held[np.isin(held, list(last.values()))]
    some = words_of([own[index] for index in held.tolist()])
    left = without(some, ngrams(some, size), shared, size)
    gone = held[[not one for one in left]] if len(held) else held
    return told, freed_of(own, grams.take(np.isin(grams.text, gone)), told, size)


def _looked_for(tasks: Sequence[Example]) -> tuple[Indices, list[list[str]]]:
    """The texts that items are looked for by, and the item each is of."""
    found = [(place, asked(task)) for place, task in enumerate(tasks)]
    found += [(place, ["\n".join(said)]) for place, said in found if len(said) > 1]
    whose = np.array([place for place, _ in found], dtype=np.int64)
    return whose, [said for _, said in found]


def _freed_texts(
    own: Sequence[str], grams: Grams, shared: Hashes, size: int
) -> tuple[Indices, list[str]]:
    """Which texts hold spans that many share, and their words without these."""
    held = once(grams.text[among(grams.hashes, shared)])
    some = words_of([own[index] for index in held.tolist()])
    return held, without(some, ngrams(some, size), shared, size) if some else []


def freed_of(own: Sequence[str], grams: Grams, shared: Hashes, size: int) -> Grams:
    """The spans of texts without those that many share, neighbours of which then meet.

    Those of texts that hold some stand behind all others.
    """
    held, texts = _freed_texts(own, grams, shared, size)
    if not len(held):
        return grams
    left = ngrams(texts, size)
    rest = grams.take(~np.isin(grams.text, held))
    return Grams(
        hashes=np.concatenate([rest.hashes, left.hashes]),
        text=np.concatenate([rest.text, held[left.text]]),
        first=np.concatenate([rest.first, left.first]),
        texts=grams.texts,
    )


def owned(texts_of: Iterable[Iterable[str]]) -> tuple[list[str], Indices]:
    """All texts one after another, and the index of each one's owner."""
    found: list[str] = []
    sizes = []
    for own in texts_of:
        before = len(found)
        found += own
        sizes.append(len(found) - before)
    return found, np.repeat(np.arange(len(sizes)), sizes)


def _by_owner(grams: Grams, owner: Indices, owners: int) -> Grams:
    return Grams(hashes=grams.hashes, text=owner[grams.text], first=grams.first, texts=owners)
