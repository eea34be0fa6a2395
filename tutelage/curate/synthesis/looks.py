"""Curation's own looks at rows in memory: licence and consent, and what is found in texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.ledger import Decision, LedgerEntry
from tutelage.core.recipe import Curate, Recipe, Screen
from tutelage.core.row import Example
from tutelage.curate.consent import Withheld
from tutelage.curate.passes import Passes
from tutelage.curate.screening import Annotating, screen
from tutelage.curate.shelf import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Rows as the screen leaves them, and what is decided about them by index."""

    examples: list[Example]
    drop: dict[int, LedgerEntry]
    flags: list[LedgerEntry]


def found_in(examples: Sequence[Example], section: Screen, key: bytes) -> Looked:
    """What the detectors find in the rows; what is to be taken out of them is."""
    rows = Rows.of(examples)
    work = Annotating(section=section, key=key)
    looked = screen(rows.shelf, [len(rows)], work, Passes())
    return Looked(examples=list(rows), drop=looked.drop, flags=looked.flags)


def not_allowed(
    examples: Sequence[Example], section: Curate, recipe: Recipe
) -> dict[int, LedgerEntry]:
    """The rows that licence or consent keep out, by index."""
    rows, back = Rows.of(examples), Withheld.by(section, recipe)
    for place, one in enumerate(examples):
        back.look(one, place)
    told = back.by_licence(rows, {}) | back.opted_out(rows, {})
    return {place: one for place, one in told.items() if one.decision == Decision.DROP}
