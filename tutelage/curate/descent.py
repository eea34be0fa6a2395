"""Rows made from others, such as drafts and corrections: both stand on one side of the split.

A row says much of what it was made from, in whatever words. Joining it to all of its parents
would chain the drafts of several seeds into one group, so that the split is made first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.curate.shelf import PART_ROWS, Rows
from tutelage.curate.sieve import entry
from tutelage.curate.split import Placed
from tutelage.curate.traits import Named, known, named
from tutelage.screen.ngrams import Indices

SAME = (Reason.EXACT_DUPLICATE, Reason.NEAR_DUPLICATE)  # why another row stands for one
MOST_HELD = 0.2  # share of the rows that one family may be, to be held out as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """What the rows of a shelf were made from, by id."""

    above: Mapping[str, set[str]] = field(default_factory=dict)
    now: Mapping[str, str] = field(default_factory=dict)  # ids that other ids stand for

    @classmethod
    def of(
        cls,
        rows: Rows,
        parents: Mapping[int, Sequence[str]],
        was: Mapping[int, str],
        entries: Iterable[LedgerEntry],
    ) -> Descent:
        """That of rows with parents, by place; `was` are ids that some rows were read under.

        Of `entries`, those of repeats tell which row stands for them.
        """
        if not parents:
            return cls()
        told = known(rows)
        above: dict[str, set[str]] = {}
        for place, over in parents.items():
            above.setdefault(told.name(place).id, set()).update(over)
        now = {
            one.row: one.other_row
            for one in entries
            if one.reason in SAME and one.decision == Decision.DROP and one.other_row is not None
        }
        for row, stands in now.items():  # which says the same, so was made from the same
            if row in above:
                above.setdefault(stands, set()).update(above[row])
        now |= {old: told.name(place).id for place, old in was.items()}
        return cls(above=above, now=now)

    def ancestors(self, row: str) -> set[str]:
        """The ids of all rows it was made from, however far up."""
        found: set[str] = set()
        waiting = [row]
        while waiting:
            one = waiting.pop()
            fresh = self.above.get(one, set()) | {self.now.get(one, one)}
            waiting += fresh - found
            found |= fresh
        return found - {row}

    def roots(self, rows: Set[str]) -> list[str]:
        """Those of some rows of which it is not known what they were made from, in order."""
        return sorted(one for one in rows if one not in self.above)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The rows that stand and were made from others, by index."""

    above: Mapping[int, Sequence[int]]
    ids: Mapping[int, str] = field(default_factory=dict)  # of those made from others
    beside: Mapping[int, int] = field(default_factory=dict)  # made from one that does not stand

    @classmethod
    def of(cls, rows: Rows, descent: Descent) -> Family:
        """That of rows, some of which were made from others."""
        if not descent.above:
            return cls(above={})
        ids = {at: row for at, row in _ids(rows) if row in descent.above}
        found = {at: descent.ancestors(row) for at, row in ids.items()}
        wanted: set[str] = set().union(*found.values())
        stands: dict[str, list[int]] = {}
        for at, row in _ids(rows):
            if row in wanted:
                stands.setdefault(row, []).append(at)
        made = {
            at: sorted({place for row in over for place in stands.get(row, ()) if place != at})
            for at, over in found.items()
        }
        alone = {at: descent.roots(found[at]) for at, over in made.items() if not over}
        above = {at: over for at, over in made.items() if over}
        return cls(above=above, ids=ids, beside=_siblings(alone, len(rows)))

    def sided(self, placed: Placed) -> Placed:
        """The split with groups on the side of what every row of theirs was made from.

        Where that leaves no row held out, one that was is, with all it was made from: a few rows
        are often what all others were made from.
        """
        held = placed.held.copy()
        for side in (False, True):
            self._follow(held, placed.member, side)
        if not held.any() and (first := self._first(placed)) is not None:
            groups = placed.member[[first, *self.above[first]]]
            family = np.isin(placed.member, groups)
            self._follow(family, placed.member, True)
            if family.sum() <= MOST_HELD * len(family):
                held = family
        return Placed.by(held, placed.member, placed.kinds, placed.named)

    def _follow(self, held: NDArray[np.bool_], member: Indices, side: bool) -> None:
        """Puts groups on a side of which every row was made from rows there alone."""
        sizes = np.bincount(member, minlength=len(held))
        while True:
            follows = [
                at
                for at, over in self.above.items()
                if held[at] != side
                and all(held[one] == side or member[one] == member[at] for one in over)
                and any(held[one] == side for one in over)
            ]
            groups, counts = np.unique(member[np.array(follows, np.int64)], return_counts=True)
            whole = groups[counts == sizes[groups]]
            if not len(whole):
                return
            held[np.isin(member, whole)] = side

    def _first(self, placed: Placed) -> int | None:
        """Of the rows held out that were made from others that with the least id."""
        return min(
            (at for at in self.above if placed.held[at]), key=self.ids.__getitem__, default=None
        )

    def across(self, rows: Rows, placed: Placed) -> dict[int, LedgerEntry]:
        """Rows, by index, made from one on the other side: those to train on first.

        A row held out goes only for one that is still taught.
        """
        found: dict[int, LedgerEntry] = {}
        for side, told in ((False, "is held out"), (True, "is taught")):
            gone = {}
            for at, over in self.above.items():
                others = [one for one in over if placed.held[one] != side and one not in found]
                if others and placed.held[at] == side:
                    gone[at] = _entry(named(rows, at), named(rows, others[0]), told)
            found |= gone
        return found


def _siblings(roots: Mapping[int, Sequence[str]], rows: int) -> dict[int, int]:
    """Of rows made from one that does not stand the first: the split takes them as one group.

    A family that is most of a dataset, as of one document, is left to its requests.
    """
    families: dict[str, list[int]] = {}
    for at, over in sorted(roots.items()):
        if over:
            families.setdefault(over[0], []).append(at)
    return {
        at: family[0]
        for family in families.values()
        if len(family) <= MOST_HELD * rows
        for at in family[1:]
    }


def _entry(row: Named, other: Named, told: str) -> LedgerEntry:
    detail = f"was made from {other.source}, which {told}"
    return entry(row, Decision.DROP, Reason.ACROSS_SPLIT, detail, other)


def _ids(rows: Rows) -> Iterator[tuple[int, str]]:
    """The index and id of each row, few of them in memory."""
    told = known(rows)
    for begin in range(0, len(rows), PART_ROWS):
        ids, _ = told.names(rows.places[begin : begin + PART_ROWS])
        yield from enumerate(ids, start=begin)
