"""An Event: something that happened while serving, one line of the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tutelage.core.digest import Json, strong_digest

EventKind = Literal["completion", "feedback"]
Rating = Literal["up", "down"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One served request, or feedback on one.

    `subject` of a feedback is the id of the completion it is about; a completion has
    none. `prev` is the digest of the event before it, so that one taken out or
    changed is noticed.
    """

    seq: int  # counted from 1, without gaps
    id: str
    ts: str  # UTC, ISO 8601, microseconds
    kind: EventKind
    release: str  # digest
    subject: str = ""
    payload: Mapping[str, Json]
    prev: str = ""

    @property
    def digest(self) -> str:
        """SHA-256 of all of it."""
        return strong_digest(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The event as plain JSON."""
        return {
            "seq": self.seq,
            "id": self.id,
            "ts": self.ts,
            "kind": self.kind,
            "release": self.release,
            "subject": self.subject,
            "payload": dict(self.payload),
            "prev": self.prev,
        }
