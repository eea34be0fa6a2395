"""Repeats among the rows: exact ones, and near-duplicates that are verified.

Of rows that repeat each other the one written by people stays, then the one of better quality,
then the one read first. A near-duplicate must be like the row that stays in request, context and
answer, each by itself: rows that differ in what is taught are kept. Answers in JSON are alike
only if they are the same value; numbers must be the same; and words may be added or left out,
but not exchanged for others, save one in twenty: shingles see little of a change at the end of
a text, and `the anthem of Malta` is not that of Portugal. Where the answer is a few words or a
value, what it answers may differ in no word. A row is dropped only for a row that stays, never
for one that was dropped itself.

Prompts and answers are compared on their own as well. Rows of which only one side repeats
another's are counted; the recipe may ask for a review, or for one row of each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Duplicates
from tutelage.core.row import Example
from tutelage.curate.alike import alike, unlike
from tutelage.curate.passes import Passes
from tutelage.curate.shelf import Rows
from tutelage.curate.sieve import entry
from tutelage.curate.traits import firsts, known, named, preference
from tutelage.screen.near import Pairs
from tutelage.screen.ngrams import Indices

GROUPS = ((0, 1, 2), (0, 1), (2,))  # whole rows, prompts, answers


def exact(examples: Sequence[Example]) -> dict[int, LedgerEntry]:
    """Rows whose prompt and answer are those of another but for case and blanks, by index."""
    rows = Rows.of(examples)
    told, order = known(rows), preference(rows)
    places = rows.places[order]
    first = firsts(np.concatenate([told.prompts[places], told.answers[places]], axis=1))
    found: dict[int, LedgerEntry] = {}
    for at in np.flatnonzero(first != np.arange(len(first))).tolist():
        index, example = int(order[at]), named(rows, int(order[at]))
        stays = named(rows, int(order[first[at]]))
        same = "repeats" if stays.id == example.id else "repeats, but for case and blanks,"
        detail = f"{same} {stays.source}"
        found[index] = entry(example, Decision.DROP, Reason.EXACT_DUPLICATE, detail, stays)
    return found


@dataclass(slots=True, kw_only=True)
class Repeats:
    """Rows found to repeat others, by index, and how many do in one side alone."""

    rows: dict[int, LedgerEntry] = field(default_factory=dict)  # to drop
    alone: dict[int, LedgerEntry] = field(default_factory=dict)  # to drop, for one side
    flags: list[LedgerEntry] = field(default_factory=list)  # for review
    counts: dict[str, int] = field(default_factory=dict)


def near(examples: Sequence[Example], section: Duplicates, passes: Passes | None = None) -> Repeats:
    """Rows that are like one that stays, in every side or in one."""
    rows, passes = Rows.of(examples), passes or Passes()
    order = preference(rows)
    ranked = rows.take(order)
    whole, prompts, answers = alike(ranked, GROUPS, section.jaccard, passes, "sketches")
    found = Repeats()
    different = unlike(ranked, np.stack([whole.first, whole.second], axis=1), passes)
    said_otherwise = 0
    for at, (first, second, share) in enumerate(_each(whole, order)):
        if first in found.rows or second in found.rows:
            continue
        if different[at]:
            said_otherwise += 1
            continue
        stays, goes = named(rows, first), named(rows, second)
        detail = f"is like {stays.source}, Jaccard {share:.2f}"
        found.rows[second] = entry(goes, Decision.DROP, Reason.NEAR_DUPLICATE, detail, stays)
    found.counts["pairs alike that say different things"] = said_otherwise
    one_side = (
        ("prompt", prompts, section.prompts, Reason.REPEATED_PROMPT),
        ("answer", answers, section.answers, Reason.REPEATED_ANSWER),
    )
    for name, pairs, wanted, reason in one_side:
        gone: dict[int, LedgerEntry] = {}
        for first, second, share in _each(pairs, order):
            left = (found.rows, found.alone, gone)
            if any(first in one or second in one for one in left):
                continue
            stays, goes = named(rows, first), named(rows, second)
            detail = f"has the {name} of {stays.source}, Jaccard {share:.2f}"
            decision = Decision.DROP if wanted == "drop" else Decision.REVIEW
            gone[second] = entry(goes, decision, reason, detail, stays)
        found.counts[f"rows whose {name} repeats another's"] = len(gone)
        if wanted == "drop":
            found.alone |= gone
        elif wanted == "review":
            found.flags += gone.values()
    return found


def _each(pairs: Pairs, order: Indices) -> Iterator[tuple[int, int, float]]:
    first, second = order[pairs.first].tolist(), order[pairs.second].tolist()
    return zip(first, second, pairs.jaccard.tolist(), strict=True)
