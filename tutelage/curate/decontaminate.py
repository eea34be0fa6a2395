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

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.packed import Packed
from tutelage.curate.passes import Passes
from tutelage.curate.shelf import Rows
from tutelage.curate.sides import exchanged, questions, request, signs, texts, turns
from tutelage.curate.sieve import entry
from tutelage.curate.sources import Asked
from tutelage.curate.spans import Spans, freed_of, owned, spans_of
from tutelage.curate.traits import named, sampled, with_words, worded
from tutelage.screen.items import Wanted
from tutelage.screen.near import SHINGLE, comparable
from tutelage.screen.ngrams import (
    Indices,
    ngrams_each,
)
from tutelage.screen.overlap import SHORT_SPAN, SPAN, overlaps

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is found in a part of the rows, by index among all of them."""

    exact: list[tuple[int, int]] = field(default_factory=list)  # row and item
    apart: set[tuple[int, int]] = field(default_factory=set)  # row and item, signs exchanged
    near: list[tuple[int, int, float]] = field(default_factory=list)  # and Jaccard index
    hits: list[Hit] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Looks for items in rows: by what they ask, near-duplicates of it, and spans."""

    spans: tuple[Spans, ...]
    asks: Mapping[str, Sequence[int]] = field(default_factory=dict)  # items by what they ask
    signed: Sequence[Counter[str]] = ()  # the signs in what each item asks
    wanted: Wanted | None = None

    def __call__(self, part: Packed) -> Found:
        examples, first, found = part.texts(), part.first, Found()
        if self.wanted is not None:
            keys = [one.request for one in part.beside()]
            for index, own in enumerate(keys):
                said, hits = request(examples[index]), self.asks.get(own, ())
                if not hits:
                    said, hits = self._in_a_turn(examples[index])
                if hits:
                    own_signs = signs(said)
                    away = [one for one in hits if exchanged(own_signs, self.signed[one])]
                    found.apart.update((first + index, one) for one in away)
                    hit = next((one for one in hits if one not in away), hits[0])
                    found.exact.append((first + index, hit))
            for row, item, share in self.wanted.near(keys):
                found.near.append((first + row, item, share))
                if exchanged(signs(request(examples[row])), self.signed[item]):
                    found.apart.add((first + row, item))
        for begin in range(0, len(examples) if self.spans else 0, ROWS_AT_ONCE):
            row_texts, row_of = owned(map(texts, examples[begin : begin + ROWS_AT_ONCE]))
            each = ngrams_each(row_texts, [one.words for one in self.spans])
            for one, grams in zip(self.spans, each, strict=True):
                bare = freed_of(row_texts, grams, one.shared, one.words)
                held = overlaps(bare, one.items, row_of + first + begin)
                told = (held.row.tolist(), one.whose[held.item].tolist(), held.coverage.tolist())
                found.hits.extend(
                    Hit(row, item, share, one.words) for row, item, share in zip(*told, strict=True)
                )
        return found

    def _in_a_turn(self, example: Example) -> tuple[str, Sequence[int]]:
        """One of several turns and the items it asks; a greeting of a few words is no leak."""
        if len(example.messages) < 3 and not example.chosen:
            return "", ()
        said = turns(example)
        for turn in said if len(said) > 1 else ():
            key = comparable(turn)
            if key in self.asks and key.count(" ") >= SHINGLE - 1:
                return turn, self.asks[key]
        return "", ()


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
    some, items = sampled(rows), questions(tasks)
    looked = rows.packed(some).texts()
    asks: dict[str, list[int]] = {}
    for place, key in enumerate(items):
        asks.setdefault(key, []).append(place)
    spans, found.spanless = spans_of(looked, tasks, (SPAN, SHORT_SPAN))
    signed = [signs(request(task)) for task in tasks]
    work = Looking(
        spans=spans, asks=asks, signed=signed, wanted=Wanted.of(items, _asked(rows, some))
    )
    parts: list[Found] = list(passes.each(work, rows, with_words(rows, passes.part_rows)))
    apart = {pair for part in parts for pair in part.apart}
    for row, item in (one for part in parts for one in part.exact):
        detail = f"asks what {tasks[item].source} asks"
        decision = _decision(apart, row, item)
        told = entry(named(rows, row), decision, Reason.LEAK_EXACT, detail, tasks[item])
        found.note(row, told, item)
    for row, item, share in (one for part in parts for one in part.near):
        detail = f"asks much like {tasks[item].source}, Jaccard {share:.2f}"
        decision = _decision(apart, row, item)
        told = entry(named(rows, row), decision, Reason.LEAK_NEAR, detail, tasks[item])
        found.note(row, told, item)
    _note_hits(rows, tasks, parts, section.leakage.coverage, found)
    return found


def _decision(apart: Set[tuple[int, int]], row: int, item: int) -> Decision:
    """A row that asks the item's words with other signs, such as another operator, is a doubt."""
    return Decision.REVIEW if (row, item) in apart else Decision.DROP


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
        spans, _ = spans_of(train.packed(sampled(train)).texts(), apart, (SPAN,))
        work = Looking(spans=spans)
        parts: list[Found] = list(passes.each(work, train))
        _note_hits(train, apart, parts, section.leakage.coverage, found)
    return Leaks(drop=found.drop, items={row: found.items[row] for row in found.drop})


def _note_hits(
    rows: Rows, tasks: Sequence[Example], parts: Sequence[Found], share: float, found: Leaks
) -> None:
    hits = [hit for part in parts for hit in part.hits]
    apart = {pair for part in parts for pair in part.apart}
    names = {item: tasks[item] for item in {hit.item for hit in hits}}
    for hit in sorted(hits, key=lambda one: (one.row, -one.share, one.item)):
        task = names[hit.item]
        low = hit.share < share or (hit.row, hit.item) in apart
        decision = Decision.REVIEW if low else Decision.DROP
        detail = f"holds {hit.share:.0%} of the {hit.words}-word spans of {task.source}"
        told = entry(named(rows, hit.row), decision, Reason.LEAK_NGRAM, detail, task)
        found.note(hit.row, told, hit.item)


def _asked(rows: Rows, some: Indices) -> list[str]:
    """What some of the rows ask, in comparable words."""
    return [one.request for one in worded(rows).packed(some).words()]
