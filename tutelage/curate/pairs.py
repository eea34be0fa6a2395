"""Rows and the evaluation items they hold, side by side, for a person to judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from tutelage.core.ledger import LedgerEntry
from tutelage.core.row import Example
from tutelage.curate.decontaminate import Leaks
from tutelage.curate.sides import asked, texts
from tutelage.screen.ngrams import words

SHOWN = 10  # of the rows dropped, and as many of those to review
CHARACTERS = 400  # of each text


class Pair(TypedDict):
    """A row and an item, with what was decided and why."""

    row: str  # where it was read
    item: str
    decision: str
    reason: str
    detail: str
    row_text: str
    item_text: str


def side_by_side(examples: Sequence[Example], tasks: Sequence[Example], found: Leaks) -> list[Pair]:
    """The first pairs found; every one of them is in the ledger."""
    listed: list[Pair] = []
    for entries in (found.drop, found.review):
        for index in sorted(entries)[:SHOWN]:
            listed.append(_pair(examples[index], tasks[found.items[index]], entries[index]))
    return listed


def _pair(example: Example, item: Example, told: LedgerEntry) -> Pair:
    return Pair(
        row=str(example.source),
        item=str(item.source),
        decision=told.decision.value,
        reason=told.reason.value,
        detail=told.detail,
        row_text=_shown([_closest(example, " ".join(asked(item)))]),
        item_text=_shown(list(asked(item))),
    )


def _closest(example: Example, wanted: str) -> str:
    """The text of a row with most of the item's words."""
    known = set(words(wanted).split())
    return max(texts(example), key=lambda text: len(known & set(words(text).split())))


def _shown(said: Sequence[str]) -> str:
    whole = " ".join(" ".join(said).split())
    return whole if len(whole) <= CHARACTERS else f"{whole[:CHARACTERS]}…"
