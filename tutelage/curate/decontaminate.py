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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.packed import Packed
from tutelage.curate.passes import Passes
from tutelage.curate.shelf import Rows
from tutelage.curate.sides import questions, request, texts, turns, written
from tutelage.curate.sieve import entry
from tutelage.curate.signs import Signs, exchanged, signs
from tutelage.curate.sources import Asked
from tutelage.curate.spans import Spans, freed_of, owned, spans_of
from tutelage.curate.traits import named, sampled, with_words, worded
from tutelage.screen.glance import Glance, Runs
from tutelage.screen.items import Wanted
from tutelage.screen.near import ALIKE, SHINGLE, comparable
from tutelage.screen.ngrams import (
    Indices,
    ngrams_each,
)
from tutelage.screen.overlap import SHORT_SPAN, SPAN, overlaps

ROWS_AT_ONCE = 2048  # of which the spans stand in memory together
NAMED = 3  # signs that a detail names

Apart = dict[tuple[int, int], list[tuple[str, str]]]  # of row and item, the signs exchanged


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
    spans: int  # of the item

    def clear(self, apart: Apart) -> float:
        """The share that is sure to be of runs in which no sign is another."""
        away = len(apart.get((self.row, self.item), ())) * (self.words - 1)
        return self.share - away / self.spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is found in a part of the rows, by index among all of them."""

    exact: list[tuple[int, int]] = field(default_factory=list)  # row and item
    apart: Apart = field(default_factory=dict)
    near: list[tuple[int, int, float]] = field(default_factory=list)  # and Jaccard index
    hits: list[Hit] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Looks for items in rows: by what they ask, near-duplicates of it, and spans."""

    spans: tuple[Spans, ...]
    asks: Mapping[str, Sequence[int]] = field(default_factory=dict)  # items by what they ask
    signed: Sequence[Signs] = ()  # the signs in what each item asks
    wanted: Wanted | None = None

    def __call__(self, part: Packed) -> Found:
        examples, first, found = part.texts(), part.first, Found()
        if self.wanted is not None:
            self._asked(part, examples, found)
        for begin in range(0, len(examples) if self.spans else 0, ROWS_AT_ONCE):
            row_texts, row_of = owned(map(texts, examples[begin : begin + ROWS_AT_ONCE]))
            each = ngrams_each(row_texts, [one.words for one in self.spans])
            for one, grams in zip(self.spans, each, strict=True):
                bare = freed_of(row_texts, grams, one.shared, one.words)
                held = overlaps(bare, one.items, row_of + first + begin)
                spans = one.items.spans[held.item].tolist()
                told = (held.row.tolist(), one.whose[held.item].tolist(), held.coverage.tolist())
                found.hits.extend(
                    Hit(row, item, share, one.words, count)
                    for row, item, share, count in zip(*told, spans, strict=True)
                )
        return found

    def _asked(self, part: Packed, examples: Sequence[Example], found: Found) -> None:
        """Notes the items that rows ask, or nearly, and which of them with other signs."""
        keys = [one.request for one in part.beside()]
        near = list(self.wanted.near(keys)) if self.wanted is not None else []
        hits: dict[int, list[int]] = {}
        for index, own in enumerate(keys):
            asks = [*self.asks.get(own, ()), *self._in_turns(examples[index])]
            hits.update({index: asks} if asks else {})
        both = {row: list(asks) for row, asks in hits.items()}
        for row, item, share in near:
            found.near.append((part.first + row, item, share))
            both.setdefault(row, []).append(item)
        for row, items in both.items():
            own_signs = signs("\n".join(written(examples[row])))
            for item in items:
                if away := exchanged(own_signs, self.signed[item]):
                    found.apart[part.first + row, item] = away
        for row, asks in hits.items():
            place = part.first + row
            same = (one for one in asks if (place, one) not in found.apart)
            found.exact.append((place, next(same, asks[0])))

    def _in_turns(self, example: Example) -> list[int]:
        """The items that one of several turns asks; a greeting of a few words is no leak."""
        if len(example.messages) < 3 and not example.chosen:
            return []
        said = turns(example)
        keys = [comparable(turn) for turn in said] if len(said) > 1 else []
        return [
            one for key in keys if key.count(" ") >= SHINGLE - 1 for one in self.asks.get(key, ())
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glancing:
    """Tells the rows of which a closer look may find something, by their sides alone.

    Of a row that says more than its sides tell it cannot, nor of one whose request is too short
    to have a run of words.
    """

    requests: Glance
    others: Glance
    asks: frozenset[str]

    @classmethod
    def of(cls, spans: Sequence[Spans], wanted: Wanted) -> Glancing:
        """For these spans, and for what nearly asks the items."""
        held: dict[int, Runs] = {}
        for one in spans:
            other = held.get(one.words)
            held[one.words] = one.runs if other is None else Runs.joined([other, one.runs])
        runs = tuple(held.values())
        requests = Glance(spans=runs, shingles=wanted.runs, share=ALIKE)
        return cls(requests=requests, others=Glance(spans=runs), asks=frozenset(wanted.texts))

    def __call__(self, part: Packed) -> Indices:
        words = part.words()
        some = np.array([not one.whole or one.request in self.asks for one in words], np.bool_)
        looked = [one for one in words if one.whole]
        found = self.requests.some([one.request for one in looked])
        for side in ([one.context for one in looked], [one.answer for one in looked]):
            found |= self.others.some(side)
        some[np.flatnonzero([one.whole for one in words])[found]] = True
        return part.first + np.flatnonzero(some)


def leaks(
    examples: Sequence[Example],
    suites: Sequence[Asked],
    section: Curate,
    passes: Passes | None = None,
) -> Leaks:
    """The rows that hold items of the suites and benchmarks, which are the tasks."""
    tasks = tasks_of(suites)
    if not tasks or not len(examples):
        return Leaks()
    rows, passes = Rows.of(examples), passes or Passes()
    some, items = sampled(rows), questions(tasks)
    looked = rows.packed(some).texts()
    asks: dict[str, list[int]] = {}
    for place, key in enumerate(items):
        asks.setdefault(key, []).append(place)
    spans, spanless = spans_of(looked, tasks, (SPAN, SHORT_SPAN))
    signed = [signs(request(task)) for task in tasks]
    wanted = Wanted.of(items, _requests(rows, some))
    work = Looking(spans=spans, asks=asks, signed=signed, wanted=wanted)
    worth = _worth_a_look(rows, Glancing.of(spans, wanted), passes)
    found = _found(rows.take(worth), tasks, work, section.leakage.coverage, passes)
    at = worth.tolist()
    return Leaks(
        drop={at[row]: told for row, told in found.drop.items()},
        review={at[row]: told for row, told in found.review.items()},
        items={at[row]: item for row, item in found.items.items()},
        spanless=spanless,
    )


def _worth_a_look(rows: Rows, glancing: Glancing, passes: Passes) -> Indices:
    """The rows that may hold an item; of most it is told at a glance that they do not."""
    words = worded(rows)
    told = passes.each(glancing, words)
    return np.concatenate([np.zeros(0, dtype=np.int64), *told])


def _found(
    rows: Rows, tasks: Sequence[Example], work: Looking, coverage: float, passes: Passes
) -> Leaks:
    """What a closer look finds."""
    found = Leaks()
    parts: list[Found] = list(passes.over(work, with_words(rows, passes.part_rows)))
    apart = _apart(parts)
    for row, item in (one for part in parts for one in part.exact):
        detail = f"asks what {tasks[item].source} asks{_but(apart, row, item)}"
        told = entry(
            named(rows, row), _decision(apart, row, item), Reason.LEAK_EXACT, detail, tasks[item]
        )
        found.note(row, told, item)
    for row, item, share in (one for part in parts for one in part.near):
        alike = f"Jaccard {share:.2f}{_but(apart, row, item)}"
        detail = f"asks much like {tasks[item].source}, {alike}"
        told = entry(
            named(rows, row), _decision(apart, row, item), Reason.LEAK_NEAR, detail, tasks[item]
        )
        found.note(row, told, item)
    _note_hits(rows, tasks, parts, coverage, found)
    return found


def _apart(parts: Sequence[Found]) -> Apart:
    return {pair: away for part in parts for pair, away in part.apart.items()}


def _decision(apart: Apart, row: int, item: int) -> Decision:
    """A row that asks the item's words with other signs, such as another operator, is a doubt."""
    return Decision.REVIEW if (row, item) in apart else Decision.DROP


def _but(apart: Apart, row: int, item: int) -> str:
    """The signs a row has in place of the item's, where it has others."""
    away = dict.fromkeys(apart.get((row, item), ()))
    listed = ", ".join(f"`{own}` for `{other}`" for own, other in list(away)[:NAMED])
    return f", but with {listed}" if listed else ""


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
    apart = _apart(parts)
    names = {item: tasks[item] for item in {hit.item for hit in hits}}
    for hit in sorted(hits, key=lambda one: (one.row, -one.share, one.item)):
        task = names[hit.item]
        sure = hit.clear(apart) >= share
        decision = Decision.DROP if sure else Decision.REVIEW
        detail = f"holds {hit.share:.0%} of the {hit.words}-word spans of {task.source}"
        detail += "" if sure else _but(apart, hit.row, hit.item)
        told = entry(named(rows, hit.row), decision, Reason.LEAK_NGRAM, detail, task)
        found.note(hit.row, told, hit.item)


def _requests(rows: Rows, some: Indices) -> list[str]:
    """What some of the rows ask, in comparable words."""
    return [one.request for one in worded(rows).packed(some).words()]
