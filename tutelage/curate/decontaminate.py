"""Leaks: rows that hold evaluation items, found by three looks.

The request itself; a near-duplicate of it, verified; the share of the item's 13-word
spans that stand anywhere in the row (a leak from `leakage.coverage` on, else a case
for review). Spans that several items share are instructions and template text: they are left
out first, and so is what a quarter of the rows has. An item of which fewer than 13 words are left
is looked for by its 8-word spans, and one of fewer than 8 by the first two looks alone; how many
these are is counted. Rows held out are compared with those to train on by 13-word spans: the split
keeps like requests together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.passes import Passes
from tutelage.curate.shelf import Packed, Rows
from tutelage.curate.sides import asked, questions, texts, turns
from tutelage.curate.sieve import entry
from tutelage.curate.sources import Asked
from tutelage.curate.traits import named, sampled
from tutelage.screen.fixed import fixed_in_items
from tutelage.screen.items import Wanted
from tutelage.screen.near import SHINGLE, comparable
from tutelage.screen.ngrams import (
    Grams,
    Hashes,
    Indices,
    among,
    ngrams,
    ngrams_of,
    without,
    words_of,
)
from tutelage.screen.overlap import SHORT_SPAN, SPAN, Items, overlaps

ROWS_AT_ONCE = 2048  # of which the spans stand in memory together


@dataclass(slots=True, kw_only=True)
class Leaks:
    """What was found, by the row's index, and the item it was found of."""

    drop: dict[int, LedgerEntry] = field(default_factory=dict)
    review: dict[int, LedgerEntry] = field(default_factory=dict)  # none of them is dropped
    items: dict[int, int] = field(default_factory=dict)  # by place among the tasks
    spanless: int = 0  # items without a span of their own, known by their request alone

    def note(self, index: int, told: LedgerEntry, item: int) -> None:
        """Keeps the first that is found of a row; a reason to drop it goes before a doubt."""
        if index in self.drop or (told.decision == Decision.REVIEW and index in self.review):
            return
        self.review.pop(index, None)
        (self.drop if told.decision == Decision.DROP else self.review)[index] = told
        self.items[index] = item


class Hit(NamedTuple):
    """A row that holds a share of an item's spans of n words."""

    row: int
    item: int
    share: float
    words: int


class Spans(NamedTuple):
    """The spans of n words by which items are looked for, and those that are fixed text."""

    words: int
    items: Items
    shared: Hashes
    whose: Indices  # the item each is of


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is found in a part of the rows, by index among all of them."""

    exact: list[tuple[int, int]] = field(default_factory=list)  # row and item
    near: list[tuple[int, int, float]] = field(default_factory=list)  # and Jaccard index
    hits: list[Hit] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Looks for items in rows: by what they ask, near-duplicates of it, and spans."""

    spans: tuple[Spans, ...]
    asks: Mapping[str, int] = field(default_factory=dict)  # items by what they ask
    wanted: Wanted | None = None

    def __call__(self, part: Packed) -> Found:
        examples, first, found = part.texts(), part.first, Found()
        if self.wanted is not None:
            keys = questions(examples)
            for index, own in enumerate(keys):
                hit = self.asks.get(own)
                hit = self._in_a_turn(examples[index]) if hit is None else hit
                if hit is not None:
                    found.exact.append((first + index, hit))
            for row, item, share in self.wanted.near(keys):
                found.near.append((first + row, item, share))
        for one in self.spans:
            found.hits.extend(_in_parts(examples, one, first))
        return found

    def _in_a_turn(self, example: Example) -> int | None:
        """The item that one of several turns asks; a greeting of a few words is no leak."""
        if len(example.messages) < 3 and not example.chosen:
            return None
        said = turns(example)
        for turn in said if len(said) > 1 else ():
            key = comparable(turn)
            if key in self.asks and key.count(" ") >= SHINGLE - 1:
                return self.asks[key]
        return None


def leaks(
    examples: Sequence[Example],
    suites: Sequence[Asked],
    section: Curate,
    passes: Passes | None = None,
) -> Leaks:
    """The rows that hold items of the suites and benchmarks, which are the tasks."""
    found, tasks = Leaks(), tasks_of(suites)
    if not tasks or not len(examples):
        return found
    rows, passes = Rows.of(examples), passes or Passes()
    looked, items = rows.some(sampled(rows)), questions(tasks)
    asks: dict[str, int] = {}
    for place, key in enumerate(items):
        asks.setdefault(key, place)
    spans, found.spanless = _spans(looked, tasks, (SPAN, SHORT_SPAN))
    work = Looking(spans=spans, asks=asks, wanted=Wanted.of(items, questions(looked)))
    parts: list[Found] = list(passes.each(work, rows))
    for row, item in (one for part in parts for one in part.exact):
        detail = f"asks what {tasks[item].source} asks"
        told = entry(named(rows, row), Decision.DROP, Reason.LEAK_EXACT, detail, tasks[item])
        found.note(row, told, item)
    for row, item, share in (one for part in parts for one in part.near):
        detail = f"asks much like {tasks[item].source}, Jaccard {share:.2f}"
        told = entry(named(rows, row), Decision.DROP, Reason.LEAK_NEAR, detail, tasks[item])
        found.note(row, told, item)
    _note_hits(rows, tasks, parts, section.leakage.coverage, found)
    return found


def tasks_of(suites: Sequence[Asked]) -> list[Example]:
    """The items of all suites and benchmarks."""
    return [task for one in suites for task in one.tasks]


def held_out(train: Rows, apart: Rows, section: Curate, passes: Passes) -> Leaks:
    """The rows to train on that hold a row held out, by index; the tasks are those held out.

    The split kept like requests together, so that long spans alone are looked for: a short
    request has too few words to tell a leak from a way of asking.
    """
    found = Leaks()
    if len(train) and len(apart):
        spans, _ = _spans(train.some(sampled(train)), apart, (SPAN,))
        work = Looking(spans=spans)
        parts: list[Found] = list(passes.each(work, train))
        _note_hits(train, apart, parts, section.leakage.coverage, found)
    return Leaks(drop=found.drop, items={row: found.items[row] for row in found.drop})


def _note_hits(
    rows: Rows, tasks: Sequence[Example], parts: Sequence[Found], share: float, found: Leaks
) -> None:
    hits = [hit for part in parts for hit in part.hits]
    names = {item: tasks[item] for item in {hit.item for hit in hits}}
    for hit in sorted(hits, key=lambda one: (one.row, -one.share, one.item)):
        task = names[hit.item]
        decision = Decision.DROP if hit.share >= share else Decision.REVIEW
        detail = f"holds {hit.share:.0%} of the {hit.words}-word spans of {task.source}"
        told = entry(named(rows, hit.row), decision, Reason.LEAK_NGRAM, detail, task)
        found.note(hit.row, told, hit.item)


def _spans(
    looked: Sequence[Example], tasks: Sequence[Example], sizes: tuple[int, ...]
) -> tuple[tuple[Spans, ...], int]:
    """The spans of items, which are looked for by the longest they have, and how many have none.

    An item of several turns is looked for turn by turn, and in all of them as one text.
    `looked` are rows.
    """
    whose, said = _looked_for(tasks)
    item_texts, item_of = _owned(said)
    row_texts, row_of = _owned(texts(example) for example in looked)
    left = np.ones(len(whose), dtype=np.bool_)
    found = []
    for size in sizes:
        owners = (whose[item_of], row_of)
        grams = ngrams_of(item_texts, size)
        shared = fixed_in_items(grams, ngrams_of(row_texts, size), size, owners)
        spans = _by_owner(_bare(item_texts, shared, size), item_of, len(whose))
        items = Items.of(spans.take(left[spans.text]))
        left &= items.spans == 0
        if len(items.hashes):
            found.append(Spans(words=size, items=items, shared=shared, whose=whose))
        if not left.any():
            break
    return tuple(found), len(tasks) - len(np.unique(whose[~left]))


def _looked_for(tasks: Sequence[Example]) -> tuple[Indices, list[list[str]]]:
    """The texts that items are looked for by, and the item each is of."""
    found = [(place, asked(task)) for place, task in enumerate(tasks)]
    found += [(place, ["\n".join(said)]) for place, said in found if len(said) > 1]
    whose = np.array([place for place, _ in found], dtype=np.int64)
    return whose, [said for _, said in found]


def _in_parts(examples: Sequence[Example], spans: Spans, first: int) -> Iterator[Hit]:
    for begin in range(0, len(examples), ROWS_AT_ONCE):
        part = examples[begin : begin + ROWS_AT_ONCE]
        row_texts, row_of = _owned(texts(example) for example in part)
        bare = _bare(row_texts, spans.shared, spans.words)
        held = overlaps(bare, spans.items, row_of + first + begin)
        told = (held.row.tolist(), spans.whose[held.item].tolist(), held.coverage.tolist())
        for row, item, share in zip(*told, strict=True):
            yield Hit(row, item, share, spans.words)


def _bare(own: Sequence[str], shared: Hashes, size: int) -> Grams:
    """The spans of texts without those that many share, neighbours of which then meet."""
    grams = ngrams_of(own, size)
    if not among(grams.hashes, shared).any():
        return grams
    return ngrams(without(words_of(own), grams, shared, size), size)


def _owned(texts_of: Iterable[Iterable[str]]) -> tuple[list[str], Indices]:
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
