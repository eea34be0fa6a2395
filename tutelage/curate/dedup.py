"""Repeats among the rows: exact ones, and near-duplicates that are verified.

Of rows that repeat each other the one written by people stays, then the one of better quality,
then the one read first. A near-duplicate must be like the row that stays in request, context and
answer, each by itself: rows that differ in what is taught are kept. Answers in JSON are alike
only if they are the same value; numbers must be the same; and words may be added or left out,
but not exchanged for others, save one in twenty: shingles see little of a change at the end of
a text, and `the anthem of Malta` is not that of Portugal. A row is dropped only for a row that
stays, never for one that was dropped itself.

Prompts and answers are compared on their own as well. Rows of which only one side repeats
another's are counted; the recipe may ask for a review, or for one row of each.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Duplicates
from tutelage.core.row import Example, Origin
from tutelage.curate.sides import Sides, answer_key, numbers, prompt_key, questions, sides
from tutelage.curate.sieve import entry
from tutelage.screen.near import Pairs, near_groups, side

EXCHANGED = 0.05  # share of a text's words that may give way to others
PREFERRED: tuple[Origin, ...] = ("human", "human_edited", "log", "synthetic")


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


@dataclass(slots=True, kw_only=True)
class Repeats:
    """Rows found to repeat others, by index, and how many do in one side alone."""

    rows: dict[int, LedgerEntry] = field(default_factory=dict)  # to drop
    alone: dict[int, LedgerEntry] = field(default_factory=dict)  # to drop, for one side
    flags: list[LedgerEntry] = field(default_factory=list)  # for review
    counts: dict[str, int] = field(default_factory=dict)


def near(
    examples: list[Example], section: Duplicates, requests: Sequence[str] | None = None
) -> Repeats:
    """Rows that are like one that stays, in every side or in one.

    `requests` is what `questions` gives, if it is known.
    """
    order = preference(examples)
    asked = questions(examples) if requests is None else requests
    looks = sides([examples[index] for index in order], [asked[index] for index in order])
    compared = [side(looks.request), side(looks.context), side(looks.answer)]
    whole, prompts, answers = near_groups(compared, ((0, 1, 2), (0, 1), (2,)), section.jaccard)
    found, unlike = Repeats(), 0
    for first, second, share in _each(whole):
        stays, goes = order[first], order[second]
        if stays in found.rows or goes in found.rows:
            continue
        same = numbers(examples[stays]) == numbers(examples[goes])
        if not same or differ(looks, first, second):
            unlike += 1
            continue
        detail = f"is like {examples[stays].source}, Jaccard {share:.2f}"
        found.rows[goes] = entry(
            examples[goes], Decision.DROP, Reason.NEAR_DUPLICATE, detail, examples[stays]
        )
    found.counts["pairs alike that say different things"] = unlike
    one_side = (
        ("prompt", prompts, section.prompts, Reason.REPEATED_PROMPT),
        ("answer", answers, section.answers, Reason.REPEATED_ANSWER),
    )
    for name, pairs, wanted, reason in one_side:
        gone: dict[int, LedgerEntry] = {}
        for first, second, share in _each(pairs):
            stays, goes = order[first], order[second]
            left = (found.rows, found.alone, gone)
            if any(stays in one or goes in one for one in left):
                continue
            detail = f"has the {name} of {examples[stays].source}, Jaccard {share:.2f}"
            decision = Decision.DROP if wanted == "drop" else Decision.REVIEW
            gone[goes] = entry(examples[goes], decision, reason, detail, examples[stays])
        found.counts[f"rows whose {name} repeats another's"] = len(gone)
        if wanted == "drop":
            found.alone |= gone
        elif wanted == "review":
            found.flags += gone.values()
    return found


def _each(pairs: Pairs) -> Iterator[tuple[int, int, float]]:
    return zip(pairs.first.tolist(), pairs.second.tolist(), pairs.jaccard.tolist(), strict=True)


def differ(looks: Sides, one: int, other: int) -> bool:
    """Whether rows that are alike by shingles and numbers still say different things."""
    return (
        looks.chosen[one] != looks.chosen[other]  # a pair the other way round says the opposite
        or _exchanged(looks.request[one], looks.request[other]) > EXCHANGED
        or _exchanged(looks.answer[one], looks.answer[other]) > EXCHANGED
    )


def _exchanged(one: str, other: str) -> float:
    """The share of words that stand in one text and for which the other has different ones."""
    here, there = Counter(one.split()), Counter(other.split())
    swapped = min((here - there).total(), (there - here).total())
    return swapped / max(here.total(), there.total(), 1)


def preference(examples: list[Example]) -> list[int]:
    """Indices of the rows, those that rather stay first."""
    ranks = {origin: rank for rank, origin in enumerate(PREFERRED)}
    keys = [(ranks[one.origin], -_quality(one) if one.tags else -one.weight) for one in examples]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _quality(example: Example) -> float:
    """The number of the tag `quality` where a row has one; else what its weight says."""
    written = example.tags.get("quality")
    if written is None:
        return example.weight
    try:
        value = float(written)
    except ValueError:
        return example.weight
    return value if math.isfinite(value) else example.weight
