"""Leaks: rows that hold evaluation items, found by four looks.

The request itself; a near-duplicate of it, verified; the share of the item's 13-word
spans that stand anywhere in the row (a leak from `leakage.coverage` on, else a case
for review). Spans that many rows or many items share are instructions and template
text: they are left out first, and an item of which fewer than 13 words are left is
compared by the first two looks alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.sides import asked, question, texts, turns
from tutelage.curate.sieve import entry
from tutelage.curate.sources import Asked
from tutelage.screen.near import SHINGLE, comparable, near_pairs, side
from tutelage.screen.ngrams import Grams, Indices, fixed, ngrams, without, words
from tutelage.screen.overlap import SPAN, Overlaps, overlaps


@dataclass(slots=True, kw_only=True)
class Leaks:
    """What was found, by the row's index."""

    drop: dict[int, LedgerEntry] = field(default_factory=dict)
    review: dict[int, LedgerEntry] = field(default_factory=dict)  # none of them is dropped


def leaks(examples: list[Example], suites: list[Asked], section: Curate) -> Leaks:
    """The rows that hold items of the suites."""
    found = Leaks()
    tasks = [task for one in suites for task in one.tasks]
    if not tasks or not examples:
        return found
    _exact(examples, tasks, found)
    _spans(examples, tasks, section.leakage.coverage, found)
    _near(examples, tasks, section.duplicates.jaccard, found)
    found.review = {row: one for row, one in found.review.items() if row not in found.drop}
    return found


def _exact(examples: list[Example], tasks: list[Example], found: Leaks) -> None:
    items: dict[str, Example] = {}
    for task in tasks:
        items.setdefault(question(task), task)
    for index, example in enumerate(examples):
        # a turn of a few words, such as a greeting, is no leak by itself
        said = [key for key in map(comparable, turns(example)) if key.count(" ") >= SHINGLE - 1]
        hit = next((items[key] for key in (question(example), *said) if key in items), None)
        if hit is not None:
            detail = f"asks what {hit.source} asks"
            found.drop[index] = entry(example, Decision.DROP, Reason.LEAK_EXACT, detail, hit)


def _spans(examples: list[Example], tasks: list[Example], share: float, found: Leaks) -> None:
    held = _overlaps(examples, tasks)
    worst_first = np.lexsort((held.item, -held.coverage, held.row))
    for at in worst_first.tolist():
        row, task = int(held.row[at]), tasks[held.item[at]]
        if row in found.drop or row in found.review:
            continue
        detail = f"holds {held.coverage[at]:.0%} of the {SPAN}-word spans of {task.source}"
        if held.coverage[at] >= share:
            found.drop[row] = entry(examples[row], Decision.DROP, Reason.LEAK_NGRAM, detail, task)
        else:
            found.review[row] = entry(
                examples[row], Decision.REVIEW, Reason.LEAK_NGRAM, detail, task
            )


def _overlaps(examples: list[Example], tasks: list[Example]) -> Overlaps:
    row_texts, row_of = _owned(texts(example) for example in examples)
    item_texts, item_of = _owned(asked(task) for task in tasks)
    rows, items = ngrams(row_texts, SPAN), ngrams(item_texts, SPAN)
    shared = np.union1d(
        fixed(_by_owner(rows, row_of, len(examples))),
        fixed(_by_owner(items, item_of, len(tasks))),
    )
    rows = ngrams(without(row_texts, rows, shared, SPAN), SPAN)
    items = ngrams(without(item_texts, items, shared, SPAN), SPAN)
    return overlaps(rows, _by_owner(items, item_of, len(tasks)), row_of)


def _owned(texts_of: Iterable[Iterable[str]]) -> tuple[list[str], Indices]:
    """All texts one after another, as words, and the index of each one's owner."""
    found = [(words(text), index) for index, own in enumerate(texts_of) for text in own]
    owners = np.array([index for _, index in found], dtype=np.int64)
    return [text for text, _ in found], owners


def _by_owner(grams: Grams, owner: Indices, owners: int) -> Grams:
    return Grams(hashes=grams.hashes, text=owner[grams.text], first=grams.first, texts=owners)


def _near(examples: list[Example], tasks: list[Example], threshold: float, found: Leaks) -> None:
    # items first: every row of a crowded bucket is compared with them
    pairs = near_pairs([side([question(one) for one in (*tasks, *examples)])], threshold)
    for first, second, share in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.jaccard.tolist(), strict=True
    ):
        row = second - len(tasks)
        if first < len(tasks) <= second and row not in found.drop:
            detail = f"asks much like {tasks[first].source}, Jaccard {share:.2f}"
            found.drop[row] = entry(
                examples[row], Decision.DROP, Reason.LEAK_NEAR, detail, tasks[first]
            )
