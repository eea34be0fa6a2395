"""Leaks: rows that hold evaluation items, found by three looks.

The request itself; a near-duplicate of it, verified; the share of the item's 13-word
spans that stand anywhere in the row (a leak from `leakage.coverage` on, else a case
for review). Spans that many rows or many items share are instructions and template
text: they are left out first. An item of which fewer than 13 words are left is looked for by
its 8-word spans, and one of fewer than 8 by the first two looks alone. Rows held out are
compared with those to train on by 13-word spans: the split keeps like requests together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.sides import asked, questions, texts, turns
from tutelage.curate.sieve import entry
from tutelage.curate.sources import Asked
from tutelage.screen.near import SHINGLE, comparable, near_items, side
from tutelage.screen.ngrams import (
    Grams,
    Hashes,
    Indices,
    among,
    fixed,
    ngrams,
    ngrams_of,
    sample,
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


def leaks(
    examples: list[Example],
    suites: list[Asked],
    section: Curate,
    requests: list[str] | None = None,
) -> Leaks:
    """The rows that hold items of the suites and benchmarks, which are the tasks.

    `requests` is what `questions` gives of the rows, if it is known.
    """
    found = Leaks()
    tasks = tasks_of(suites)
    if tasks and examples:
        asked_for = questions(examples) if requests is None else requests
        items = questions(tasks)
        _exact(examples, tasks, (asked_for, items), found)
        _near(examples, tasks, (asked_for, items), section.duplicates.jaccard, found)
        _spans(examples, tasks, section.leakage.coverage, found)
    return found


def tasks_of(suites: Sequence[Asked]) -> list[Example]:
    """The items of all suites and benchmarks."""
    return [task for one in suites for task in one.tasks]


def apart(examples: Sequence[Example]) -> list[Example]:
    """The rows held out."""
    return [one for one in examples if one.split != "train"]


def held_out(examples: list[Example], section: Curate) -> Leaks:
    """The rows to train on that hold a row held out, which are the tasks.

    The split kept like requests together, so that long spans alone are looked for.
    """
    found = Leaks()
    train = [index for index, one in enumerate(examples) if one.split == "train"]
    tasks = apart(examples)
    if tasks and train:
        inner = Leaks()
        rows = [examples[index] for index in train]
        # a short request has too few words to tell a leak from a way of asking
        _spans(rows, tasks, section.leakage.coverage, inner, (SPAN,))
        found.drop = {train[index]: told for index, told in inner.drop.items()}
        found.items = {train[index]: item for index, item in inner.items.items()}
    return found


def _exact(
    examples: list[Example], tasks: list[Example], keys: tuple[list[str], list[str]], found: Leaks
) -> None:
    items: dict[str, int] = {}
    for place, key in enumerate(keys[1]):
        items.setdefault(key, place)
    for index, (example, own) in enumerate(zip(examples, keys[0], strict=True)):
        hit = items[own] if own in items else _in_a_turn(example, items)
        if hit is not None:
            detail = f"asks what {tasks[hit].source} asks"
            told = entry(example, Decision.DROP, Reason.LEAK_EXACT, detail, tasks[hit])
            found.note(index, told, hit)


def _in_a_turn(example: Example, items: Mapping[str, int]) -> int | None:
    """The item that one of several turns asks; a greeting of a few words is no leak by itself."""
    if len(example.messages) < 3 and not example.chosen:
        return None
    said = turns(example)
    for turn in said if len(said) > 1 else ():
        key = comparable(turn)
        if key in items and key.count(" ") >= SHINGLE - 1:
            return items[key]
    return None


def _spans(
    examples: list[Example],
    tasks: list[Example],
    share: float,
    found: Leaks,
    sizes: tuple[int, ...] = (SPAN, SHORT_SPAN),
) -> None:
    for hit in sorted(
        _hits(examples, tasks, sizes), key=lambda one: (one.row, -one.share, one.item)
    ):
        example, task = examples[hit.row], tasks[hit.item]
        decision = Decision.DROP if hit.share >= share else Decision.REVIEW
        detail = f"holds {hit.share:.0%} of the {hit.words}-word spans of {task.source}"
        found.note(hit.row, entry(example, decision, Reason.LEAK_NGRAM, detail, task), hit.item)


def _hits(examples: list[Example], tasks: list[Example], sizes: tuple[int, ...]) -> Iterator[Hit]:
    """Rows with a span of an item; the items are looked for by the longest spans they have."""
    item_texts, item_of = _owned([list(asked(task)) for task in tasks])
    looked = [list(texts(examples[index])) for index in sample(len(examples))]
    left = np.ones(len(tasks), dtype=np.bool_)
    for size in sizes:
        shared = np.union1d(_shared(*_owned(looked), size), _shared(item_texts, item_of, size))
        bare = _bare(item_texts, shared, size)
        spans = _by_owner(bare, item_of, len(tasks))
        items = Items.of(spans.take(left[spans.text]))
        left &= items.spans == 0
        if len(items.hashes):
            yield from _in_parts(examples, items, shared, size)
        if not left.any():
            return


def _in_parts(examples: list[Example], items: Items, shared: Hashes, size: int) -> Iterator[Hit]:
    for begin in range(0, len(examples), ROWS_AT_ONCE):
        part = examples[begin : begin + ROWS_AT_ONCE]
        row_texts, row_of = _owned([texts(example) for example in part])
        held = overlaps(_bare(row_texts, shared, size), items, row_of + begin)
        told = (held.row.tolist(), held.item.tolist(), held.coverage.tolist())
        for row, item, share in zip(*told, strict=True):
            yield Hit(row, item, share, size)


def _shared(own: Sequence[str], owner: Indices, size: int) -> Hashes:
    return fixed(_by_owner(ngrams_of(own, size), owner, int(owner.max(initial=-1)) + 1))


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


def _near(
    examples: list[Example],
    tasks: list[Example],
    keys: tuple[list[str], list[str]],
    threshold: float,
    found: Leaks,
) -> None:
    for row, item, share in near_items(side(keys[0]), side(keys[1]), threshold):
        detail = f"asks much like {tasks[item].source}, Jaccard {share:.2f}"
        told = entry(examples[row], Decision.DROP, Reason.LEAK_NEAR, detail, tasks[item])
        found.note(row, told, item)
