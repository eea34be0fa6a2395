"""What a step of curation leaves: rows kept, rows dropped, and the ledger so far."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import READ_AS, Decision, LedgerEntry, Reason, tally
from tutelage.curate.shelf import Rows
from tutelage.curate.traits import known
from tutelage.screen.ngrams import Indices

STAGE = "curate"
PLACE = re.compile(r"event:\S+|.*?:\d+(?= |$)")  # with which a detail begins


class Nameable(Protocol):
    """An Example, or what is left of one in memory."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def source(self) -> object:
        """Where it was read."""


@dataclass(slots=True, kw_only=True)
class Sieve:
    """Rows in the order they were read, and what was decided about them so far."""

    kept: Rows
    dropped: list[int] = field(default_factory=list)  # by place on the shelf
    entries: list[LedgerEntry] = field(default_factory=list)
    flags: list[LedgerEntry] = field(default_factory=list)  # for review
    # of rewritten rows that others were made from, by id: where each was read, and under which id
    read_as: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def drop(self, left_out: Mapping[int, LedgerEntry]) -> None:
        """Takes rows out by their index in `kept`; their entries go to the ledger."""
        gone = sorted(left_out)
        self.entries += [left_out[index] for index in gone]
        self.dropped += self.kept.places[gone].tolist() if gone else []
        stays = np.ones(len(self.kept), dtype=np.bool_)
        stays[gone] = False
        self.kept = self.kept.take(stays)

    def withdraw(self, left_out: Mapping[int, LedgerEntry]) -> None:
        """Takes rows out that may not even be kept among those dropped."""
        before = len(self.dropped)
        self.drop(left_out)
        del self.dropped[before:]

    def decided(self) -> list[LedgerEntry]:
        """The entries of rows dropped, and the flags of the rows kept."""
        asked = {flag.row for flag in self.flags}
        read: dict[str, list[str]] = {}
        for row, place in zip(*self.clean(), strict=True) if asked else ():
            if row in asked:
                read.setdefault(row, []).append(place)
        flags = (
            flag for flag in self.flags if any(_at(flag, one) for one in read.get(flag.row, ()))
        )
        return [self._as_read(one) for one in (*self.entries, *flags)]

    def _as_read(self, told: LedgerEntry) -> LedgerEntry:
        """The entry with the id by which others name its row, where that is another."""
        places = self.read_as.get(told.row, ()) if told.reason != Reason.OPTED_OUT else ()
        old = next((old for place, old in places if _at(told, place)), None)
        if old is None or told.detail.endswith(f"{READ_AS}{old}"):
            return told
        return replace(told, detail=f"{told.detail}{READ_AS}{old}")

    def clean(self) -> tuple[list[str], list[str]]:
        """The id of each row that is kept, and where it was read: repeated rows share an id."""
        return known(self.kept).names(self.kept.places)

    def left_out(self) -> Rows:
        """The rows dropped, in the order they were."""
        places: Indices = np.array(self.dropped, dtype=np.int64)
        return Rows(self.kept.shelf, places)


def refuse_empty(sieve: Sieve) -> None:
    """Raises: RowError with every entry where no row is left."""
    if not sieve.kept:
        counts = ", ".join(f"{name} {count:,}" for name, count in tally(sieve.entries).items())
        rows = [BadRow(where=one.row, problem=one.detail) for one in sieve.entries]
        raise RowError(
            f"no row is left to teach: {counts}",
            where="curate",
            rows=rows,
            hint="the rows of `curate.sources` must differ from the suites', and some must be good",
        )


def place_of(told: LedgerEntry) -> str:
    """Where the row of an entry was read."""
    found = PLACE.match(told.detail)
    return found[0] if found else ""


def _at(told: LedgerEntry, place: str) -> bool:
    """Whether the row of an entry was read there: a file may be called anything."""
    return told.detail == place or told.detail.startswith(f"{place} ")


def entry(
    example: Nameable,
    decision: Decision,
    reason: Reason,
    detail: str = "",
    other: Nameable | None = None,
) -> LedgerEntry:
    """What was decided about a row, and which other one it was for.

    Repeated rows share an id, so the detail names the place where each was read.
    """
    return LedgerEntry(
        row=example.id,
        stage=STAGE,
        decision=decision,
        reason=reason,
        detail=f"{example.source} {detail}".strip(),
        other_row=other.id if other else None,
    )
