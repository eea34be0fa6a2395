"""What is sifted out of drafts, by the same looks as curation's, and what people should know.

A draft goes where it repeats a row or another draft, holds an evaluation item, has an answer the
contract's schema does not allow, or answers the teacher gives differ too much. All else that is
noticed is a reason for the reviewer to look closely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tutelage.core.digest import Json
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Synthesis
from tutelage.core.row import Example, draft_digest
from tutelage.curate.checks import conflicts
from tutelage.curate.decontaminate import leaks
from tutelage.curate.dedup import exact, near
from tutelage.curate.sieve import entry
from tutelage.curate.synthesis.doubts import doubts
from tutelage.curate.synthesis.ground import Ground
from tutelage.curate.synthesis.looks import found_in
from tutelage.curate.synthesis.teacher import OF_DRAFT, STAGE, Made
from tutelage.score.schema import Schema
from tutelage.score.task import answer_text

SEEN = (Decision.REVIEW, Decision.REPORT, Decision.REDACT, Decision.PSEUDONYMISE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A row a model wrote that people are to review."""

    example: Example
    reasons: tuple[str, ...]  # to look closely
    alike: int
    samples: int

    @property
    def digest(self) -> str:
        """What names it: its content, and how it was made."""
        return draft_digest(self.example)

    def to_dict(self) -> dict[str, Json]:
        """The draft as plain JSON."""
        return {
            "draft": self.digest,
            "row": self.example.to_dict(),
            "reasons": list(self.reasons),
            "alike": self.alike,
            "samples": self.samples,
        }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Draft:
        """The draft of `to_dict`."""
        return cls(
            example=Example.from_dict(form["row"]),
            reasons=tuple(form["reasons"]),
            alike=form["alike"],
            samples=form["samples"],
        )


@dataclass(slots=True, kw_only=True)
class Sifted:
    """Drafts that stay and those that went, each with an entry of the ledger."""

    kept: list[Example] = field(default_factory=list)
    dropped: list[Example] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)  # of those dropped
    flags: list[LedgerEntry] = field(default_factory=list)

    def drop(self, left_out: Mapping[int, LedgerEntry]) -> None:
        """Takes drafts out by their place among those kept."""
        for place in sorted(left_out):
            self.dropped.append(self.kept[place])
            self.entries.append(_of_draft(left_out[place]))
        self.kept = [one for place, one in enumerate(self.kept) if place not in left_out]

    def flag(self, flags: Iterable[LedgerEntry]) -> None:
        """Notes reasons to look closely; those of other rows are none."""
        self.flags += [_of_draft(one) for one in flags if one.detail.startswith(OF_DRAFT)]

    def ledger(self) -> list[LedgerEntry]:
        """All that was decided of the drafts, and noticed about those that stay."""
        places = {str(one.source) for one in self.kept}
        flags = [one for one in self.flags if one.detail.partition(" ")[0] in places]
        clean = [
            _of_draft(entry(one, Decision.KEEP, Reason.CLEAN, "waits for review"))
            for one in self.kept
        ]
        return [*self.entries, *flags, *clean]


def sift(made: Sequence[Made], ground: Ground, keys: Synthesis, schema: Json) -> Sifted:
    """The drafts sifted, in the order they were made."""
    sifted = Sifted(entries=[_none(one) for one in made if one.example is None])
    whole = [one for one in made if one.example is not None]
    sifted.kept = [one.example for one in whole if one.example is not None]
    sifted.drop(_unsteady(whole, keys.agreement))
    if schema is not None:
        sifted.drop(_invalid(sifted.kept, Schema(schema)))
    _screened(sifted, ground)
    sifted.flag(doubts(sifted.kept, keys, ground))
    _repeats(sifted, ground)
    found = leaks(sifted.kept, list(ground.suites), ground.section)
    sifted.flag(found.review.values())
    sifted.drop(found.drop)
    sifted.flag(conflicts([*ground.every, *sifted.kept]))
    return sifted


def drafts_of(sifted: Sifted, made: Sequence[Made]) -> list[Draft]:
    """The drafts people are to review, with the reasons to look closely."""
    drawn = {one.name: one for one in made}
    reasons: dict[str, list[str]] = {}
    for flag in sifted.ledger():
        place, _, told = flag.detail.partition(" ")
        if flag.decision in SEEN:
            reasons.setdefault(place, []).append(f"{flag.reason}: {told}".rstrip(": "))
    return [
        Draft(
            example=one,
            reasons=tuple(reasons.get(str(one.source), ())),
            alike=drawn[str(one.source)].alike,
            samples=drawn[str(one.source)].samples,
        )
        for one in sifted.kept
    ]


def _none(made: Made) -> LedgerEntry:
    return LedgerEntry(
        row=made.name,
        stage=STAGE,
        decision=Decision.DROP,
        reason=made.reason or Reason.NO_ANSWER,
        detail=f"{made.name} {made.detail}",
    )


def _of_draft(told: LedgerEntry) -> LedgerEntry:
    return replace(told, stage=STAGE)


def _unsteady(made: Sequence[Made], least: float) -> dict[int, LedgerEntry]:
    """Drafts the answers to which differ too much."""
    found = {}
    for place, one in enumerate(made):
        if one.example is not None and one.alike / one.samples < least:
            told = f"{one.alike} of {one.samples} answers are one; expected {least:.0%}"
            found[place] = entry(one.example, Decision.DROP, Reason.INCONSISTENT, told)
    return found


def _invalid(drafts: Sequence[Example], schema: Schema) -> dict[int, LedgerEntry]:
    told = "answers what contract.output_schema does not allow"
    return {
        place: entry(one, Decision.DROP, Reason.INVALID_OUTPUT, told)
        for place, one in enumerate(drafts)
        if not schema.valid(answer_text(one.messages[-1]))
    }


def _screened(sifted: Sifted, ground: Ground) -> None:
    """Findings in the texts: what the recipe wants taken out is, before anybody reads it."""
    looked = found_in(sifted.kept, ground.section.screen, ground.key)
    sifted.kept = looked.examples
    sifted.flag(looked.flags)
    sifted.drop(looked.drop)


def _repeats(sifted: Sifted, ground: Ground) -> None:
    """Drafts that repeat a row of the sources, or another draft."""
    rows = ground.every
    sifted.drop(_among(exact([*rows, *sifted.kept]), len(rows)))
    section = ground.section.duplicates
    if section.near:
        found = near([*rows, *sifted.kept], section)
        sifted.flag(found.flags)
        sifted.drop(_among(found.rows | found.alone, len(rows)))


def _among(found: Mapping[int, LedgerEntry], rows: int) -> dict[int, LedgerEntry]:
    """What was found of the drafts, which stand behind so many rows."""
    return {place - rows: told for place, told in found.items() if place >= rows}
