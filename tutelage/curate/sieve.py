"""What a step of curation leaves: Examples kept, Examples dropped, and the ledger so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.row import Example

STAGE = "curate"


@dataclass(slots=True, kw_only=True)
class Sieve:
    """Examples in the order they were read, and what was decided about them so far."""

    kept: list[Example]
    asked: list[str] = field(default_factory=list)  # of those kept what they ask, once it is known
    dropped: list[Example] = field(default_factory=list)
    entries: list[LedgerEntry] = field(default_factory=list)
    flags: list[LedgerEntry] = field(default_factory=list)  # for review

    def drop(self, left_out: Mapping[int, LedgerEntry]) -> None:
        """Takes Examples out by their index in `kept`; their entries go to the ledger."""
        for index in sorted(left_out):
            self.entries.append(left_out[index])
            self.dropped.append(self.kept[index])
        self.kept = [one for index, one in enumerate(self.kept) if index not in left_out]
        self.asked = [one for index, one in enumerate(self.asked) if index not in left_out]

    def withdraw(self, left_out: Mapping[int, LedgerEntry]) -> None:
        """Takes Examples out that may not even be kept among those dropped."""
        before = len(self.dropped)
        self.drop(left_out)
        del self.dropped[before:]

    def ledger(self) -> list[LedgerEntry]:
        """One entry for each row, kept or dropped, and the flags of the rows kept."""
        kept = {example.id for example in self.kept}
        flags = [flag for flag in self.flags if flag.row in kept]
        clean = [entry(example, Decision.KEEP, Reason.CLEAN) for example in self.kept]
        return [*self.entries, *flags, *clean]


def entry(
    example: Example,
    decision: Decision,
    reason: Reason,
    detail: str = "",
    other: Example | None = None,
) -> LedgerEntry:
    """What was decided about an Example, and which other one it was for.

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
