"""Which rows may be used at all, by licence and consent, and under which names of people."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.licence import permitted
from tutelage.core.recipe import Curate, Recipe
from tutelage.core.row import Example
from tutelage.curate.sieve import entry
from tutelage.screen.people import disguised
from tutelage.store.ingest import Ingested
from tutelage.store.opt_outs import OptOuts, read_opt_outs


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Rows that may not be used, by their place among the rows of all files."""

    licences: dict[int, LedgerEntry] = field(default_factory=dict)
    opted_out: dict[int, LedgerEntry] = field(default_factory=dict)  # their words are not kept


def withheld(files: list[Ingested], section: Curate, recipe: Recipe) -> Withheld:
    """Rows whose licence is not on the recipe's list, or that somebody has taken back.

    Raises: RowError for a list of opt-outs that cannot be read whole.
    """
    outs = OptOuts() if section.opt_out is None else read_opt_outs(section.opt_out, recipe)
    found = Withheld()
    examples = (example for file in files for example in file.examples)
    for place, example in enumerate(examples):
        if because := outs.because(example):
            detail = f"is taken back by {because}"
            told = entry(example, Decision.DROP, Reason.OPTED_OUT, detail)
            found.opted_out[place] = told
        elif detail := _unlicensed(example, section.licences):
            told = entry(example, Decision.DROP, Reason.LICENCE_NOT_ALLOWED, detail)
            found.licences[place] = told
    return found


def _unlicensed(example: Example, allowed: tuple[str, ...] | None) -> str:
    if allowed is None:
        return ""
    if not permitted(example.licence, allowed):
        return f"is under {example.licence}"
    made = example.generator
    if made is not None and made.licence is not None and not permitted(made.licence, allowed):
        return f"was written by {made.model}, whose answers are under {made.licence}"
    return ""


def under_pseudonyms(files: list[Ingested], key: bytes) -> list[Ingested]:
    """The files with pseudonyms in the place of authors, editors and consent keys."""
    return [
        replace(file, examples=[_disguised(example, key) for example in file.examples])
        for file in files
    ]


def _disguised(example: Example, key: bytes) -> Example:
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
