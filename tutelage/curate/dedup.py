"""Repeats among the rows: exact ones, and near-duplicates that are verified.

Of rows that repeat each other the one written by people stays, then the one read
first. A near-duplicate must be like the row that stays in request, context and
answer, each by itself: rows that differ in what is taught are kept. Answers in JSON
are alike only if they are the same value; numbers must be the same; and words may be
added or left out, but not exchanged for others, save one in twenty: shingles see little
of a change at the end of a text, and `the anthem of Malta` is not that of Portugal. A
row is dropped only for a row that stays, never for one that was dropped itself.
"""

from __future__ import annotations

from collections import Counter

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.row import ORIGINS, Example
from tutelage.curate.sides import Sides, answer_key, prompt_key, sides
from tutelage.curate.sieve import entry
from tutelage.screen.near import near_pairs, side

EXCHANGED = 0.05  # share of a text's words that may give way to others


def exact(examples: list[Example]) -> dict[int, LedgerEntry]:
    """Rows whose prompt and answer are those of another but for case and blanks, by index."""
    first: dict[tuple[str, str], Example] = {}
    found: dict[int, LedgerEntry] = {}
    for index in preference(examples):
        example = examples[index]
        stays = first.setdefault((prompt_key(example), answer_key(example)), example)
        if stays is not example:
            same = "repeats" if stays.id == example.id else "repeats, but for case and blanks,"
            detail = f"{same} {stays.source}"
            found[index] = entry(example, Decision.DROP, Reason.EXACT_DUPLICATE, detail, stays)
    return found


def near(examples: list[Example], threshold: float) -> dict[int, LedgerEntry]:
    """Rows that are like one that stays, by index."""
    order = preference(examples)
    looks = [sides(examples[index]) for index in order]
    pairs = near_pairs(
        [
            side([look.request for look in looks]),
            side([look.context for look in looks]),
            side([look.answer for look in looks]),
        ],
        threshold,
    )
    found: dict[int, LedgerEntry] = {}
    for first, second, share in zip(
        pairs.first.tolist(), pairs.second.tolist(), pairs.jaccard.tolist(), strict=True
    ):
        stays, goes = order[first], order[second]
        if stays in found or goes in found or differ(looks[first], looks[second]):
            continue
        detail = f"is like {examples[stays].source}, Jaccard {share:.2f}"
        found[goes] = entry(
            examples[goes], Decision.DROP, Reason.NEAR_DUPLICATE, detail, examples[stays]
        )
    return found


def differ(one: Sides, other: Sides) -> bool:
    """Whether rows that are alike by their shingles still say different things."""
    return (
        one.numbers != other.numbers
        or one.chosen != other.chosen  # a pair the other way round says the opposite
        or _exchanged(one.request, other.request) > EXCHANGED
        or _exchanged(one.answer, other.answer) > EXCHANGED
    )


def _exchanged(one: str, other: str) -> float:
    """The share of words that stand in one text and for which the other has different ones."""
    here, there = Counter(one.split()), Counter(other.split())
    swapped = min((here - there).total(), (there - here).total())
    return swapped / max(here.total(), there.total(), 1)


def preference(examples: list[Example]) -> list[int]:
    """Indices of the rows, those that rather stay first."""
    return sorted(range(len(examples)), key=lambda index: ORIGINS.index(examples[index].origin))
