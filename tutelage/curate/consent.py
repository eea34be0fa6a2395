"""Which rows may be used at all, by licence and consent, and under which names of people."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.licence import permitted
from tutelage.core.recipe import Curate, Recipe
from tutelage.core.row import Example
from tutelage.curate.sieve import entry
from tutelage.screen.people import disguised
from tutelage.store.opt_outs import OptOuts, read_opt_outs


@dataclass(slots=True, kw_only=True)
class Withheld:
    """Rows that may not be used, by their place among the rows of all files."""

    outs: OptOuts
    allowed: tuple[str, ...] | None
    licences: dict[int, LedgerEntry] = field(default_factory=dict)
    opted_out: dict[int, LedgerEntry] = field(default_factory=dict)  # their words are not kept

    @classmethod
    def by(cls, section: Curate, recipe: Recipe) -> Withheld:
        """Rows whose licence is not on the recipe's list, or that somebody has taken back.

        Raises: RowError for a list of opt-outs that cannot be read whole.
        """
        outs = OptOuts() if section.opt_out is None else read_opt_outs(section.opt_out, recipe)
        return cls(outs=outs, allowed=section.licences)

    def look(self, example: Example, place: int) -> None:
        """Notes the row if it may not be used."""
        if because := self.outs.because(example):
            detail = f"is taken back by {because}"
            self.opted_out[place] = entry(example, Decision.DROP, Reason.OPTED_OUT, detail)
        elif detail := _unlicensed(example, self.allowed):
            told = entry(example, Decision.DROP, Reason.LICENCE_NOT_ALLOWED, detail)
            self.licences[place] = told


def _unlicensed(example: Example, allowed: tuple[str, ...] | None) -> str:
    if allowed is None:
        return ""
    if not permitted(example.licence, allowed):
        return f"is under {example.licence}"
    made = example.generator
    if made is not None and made.licence is not None and not permitted(made.licence, allowed):
        return f"was written by {made.model}, whose answers are under {made.licence}"
    return ""


def under_pseudonyms(example: Example, key: bytes) -> Example:
    """The row with pseudonyms in the place of its author, editor and consent key."""

    def hidden(name: str | None) -> str | None:
        return disguised(name, key) if name else name

    return replace(
        example,
        author=hidden(example.author),
        editor=hidden(example.editor),
        reviews=tuple(
            replace(one, reviewer=disguised(one.reviewer, key)) for one in example.reviews
        ),
        consent_key=hidden(example.consent_key),
    )
