"""Which rows may be used at all, by licence and consent, and under which names of people."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tutelage.core.ledger import READ_AS, Decision, LedgerEntry, Reason
from tutelage.core.licence import permitted
from tutelage.core.progress import Progress
from tutelage.core.recipe import Curate, Recipe
from tutelage.core.row import Example
from tutelage.curate.screening import Outcome
from tutelage.curate.shelf import Rows
from tutelage.curate.sieve import Sieve, entry
from tutelage.curate.traits import known
from tutelage.screen.people import disguised
from tutelage.store.opt_outs import PARENT, OptOuts, plain, read_opt_outs, with_children


@dataclass(slots=True, kw_only=True)
class Withheld:
    """Rows that may not be used, by their place on the shelf.

    A row is asked for twice: as it was read, and as it may be kept, for people know it by the id
    and the names that a dataset shows.
    """

    outs: OptOuts
    allowed: tuple[str, ...] | None = None
    has_list: bool = False
    parents: dict[int, tuple[str, ...]] = field(default_factory=dict)
    because: dict[int, str] = field(default_factory=dict)  # why a row is taken back
    unlicensed: dict[int, tuple[Reason, str]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)  # entries of the list that mean a row

    @classmethod
    def by(cls, section: Curate, recipe: Recipe, key: bytes = b"") -> Withheld:
        """What the recipe's list takes back and its licences leave out; nothing is looked at yet.

        Raises: RowError for a list of opt-outs that cannot be read whole.
        """
        if section.opt_out is None:
            return cls(outs=OptOuts(), allowed=section.licences)
        hide = (lambda name: [disguised(name, key)]) if key else None
        outs = read_opt_outs(section.opt_out, recipe, hide)
        return cls(outs=outs, allowed=section.licences, has_list=True)

    def look(self, example: Example, place: int) -> None:
        """Notes a row as it was read."""
        if example.parents:
            self.parents[place] = example.parents
        if self.allowed is not None and (told := _unlicensed(example, self.allowed)):
            self.unlicensed[place] = told
        self.look_again(example, place)

    def look_again(self, example: Example, place: int) -> None:
        """Notes a row as it may be kept."""
        if because := self.outs.because(example):
            self.because.setdefault(place, because)
            self.met |= self.outs.met(example)

    def counts(self, progress: Progress) -> dict[str, int]:
        """Entries of the list and those that mean no row, of which people are warned.

        Empty where there is no list.
        """
        if not self.has_list:
            return {}
        listed, unmet = self.outs.unmet(()), self.outs.unmet(self.met)
        if not listed:
            progress.warn("`curate.opt_out` names nobody: the list is empty")
        elif unmet:
            progress.warn(f"{unmet:,} of {listed:,} entries of `curate.opt_out` mean no row")
        return {"listed": listed, "without_row": unmet}

    def opted_out(self, rows: Rows, was: Mapping[int, str]) -> dict[int, LedgerEntry]:
        """Rows that were taken back, and those made from one; their words are not kept.

        `rows` are all of a shelf, `was` the ids that some of them were read under.
        """
        told = known(rows)

        def ids(place: int) -> set[str]:
            return {now := told.name(place).id, was.get(place, now)}

        taken = {one: why for at, why in self.because.items() for one in ids(at)}
        above = [(one, over) for place, over in self.parents.items() for one in ids(place)]
        found = with_children(taken, above) if taken and above else taken
        made = {at: PARENT for at, over in self.parents.items() if found.keys() & over}
        return {
            at: entry(told.name(at), Decision.DROP, Reason.OPTED_OUT, f"is taken back by {why}")
            for at, why in sorted((made | self.because).items())
        }

    def read_as(self, rows: Rows, was: Mapping[int, str]) -> dict[str, list[tuple[str, str]]]:
        """Of rows that others were made from, by their id: where each was read, and under which."""
        told, found = known(rows), dict[str, list[tuple[str, str]]]()
        wanted = {row for above in self.parents.values() for row in above}
        for place, old in was.items():
            if old in wanted:
                row = told.name(place)
                found.setdefault(row.id, []).append((str(row.source), old))
        return found

    def by_licence(self, rows: Rows, was: Mapping[int, str]) -> dict[int, LedgerEntry]:
        """Rows whose licence is not on the recipe's list, by the id they are kept under, and
        those to review of which nobody says what a model's answers are under."""
        found, told = {}, known(rows)
        for place, (reason, detail) in self.unlicensed.items():
            example, old = told.name(place), was.get(place)
            dropped = reason is Reason.LICENCE_NOT_ALLOWED
            as_read = f"{READ_AS}{old}" if dropped and old not in (None, example.id) else ""
            decision = Decision.DROP if dropped else Decision.REVIEW
            found[place] = entry(example, decision, reason, detail + as_read)
        return found


def withhold(sieve: Sieve, kept_back: Withheld, looked: Outcome) -> None:
    """Takes out what was taken back, then what licence or findings forbid."""
    rows, again = sieve.kept, kept_back.outs != OptOuts()
    rewritten = sorted(looked.was) if again else []
    for place, example in zip(rewritten, rows.take(rewritten) if rewritten else (), strict=True):
        kept_back.look_again(example, place)
    sieve.read_as = kept_back.read_as(rows, looked.was)
    taken = kept_back.opted_out(rows, looked.was)
    unlicensed = kept_back.by_licence(rows, looked.was)
    sieve.flags += [one for one in unlicensed.values() if one.decision == Decision.REVIEW]
    others = looked.drop | {
        at: one for at, one in unlicensed.items() if one.decision == Decision.DROP
    }
    gone = sorted(taken)
    others = {
        place - bisect_left(gone, place): told
        for place, told in others.items()
        if place not in taken
    }
    sieve.withdraw(taken)
    sieve.drop(others)


def _unlicensed(example: Example, allowed: tuple[str, ...]) -> tuple[Reason, str] | None:
    """Why a row's licence is not enough, or not known."""
    made = example.generator
    if detail := _forbidden(example, allowed):
        return Reason.LICENCE_NOT_ALLOWED, detail
    if made is not None and made.licence is None:
        detail = f"was written by {made.model}, whose answers have no licence"
        return Reason.GENERATOR_UNLICENSED, detail
    return None


def _forbidden(example: Example, allowed: tuple[str, ...]) -> str:
    if not permitted(example.licence, allowed):
        return f"is under {example.licence}"
    made = example.generator
    if made is not None and made.licence is not None and not permitted(made.licence, allowed):
        return f"was written by {made.model}, whose answers are under {made.licence}"
    return ""


def under_pseudonyms(example: Example, key: bytes) -> Example:
    """The row with pseudonyms in the place of its author, editor and consent key.

    A name has one, whatever blanks stand around it and however its signs are composed.
    """

    def hidden(name: str | None) -> str | None:
        bare = plain(name)
        return disguised(bare, key) if bare else name

    return replace(
        example,
        author=hidden(example.author),
        editor=hidden(example.editor),
        reviews=tuple(
            replace(one, reviewer=disguised(one.reviewer, key)) for one in example.reviews
        ),
        consent_key=hidden(example.consent_key),
    )
