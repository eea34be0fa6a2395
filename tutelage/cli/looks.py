"""What `check` found, one look after another, and the error they come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tutelage.core.errors import BadRow, RowError, TutelageError

State = Literal["good", "note", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One thing looked at; where it is bad, the error a run would end with."""

    what: str
    state: State
    says: str
    error: TutelageError | None = None


def forms(looks: Sequence[Look]) -> list[dict[str, Any]]:
    """The looks as plain JSON."""
    return [
        {
            "what": look.what,
            "state": look.state,
            "says": look.says,
            "error": look.error.form() if look.error else None,
        }
        for look in looks
    ]


def whole(looks: Sequence[Look]) -> TutelageError | None:
    """The error of all that is bad; None where nothing is."""
    errors = [(look.what, look.error) for look in looks if look.error is not None]
    if len(errors) < 2:
        return errors[0][1] if errors else None
    rows = []
    for what, error in errors:
        where = error.where or what
        advice = "; ".join(part for part in (error.expected, error.hint) if part)
        rows.append(BadRow(where=where, problem=error.message + (f" ({advice})" if advice else "")))
        rows += error.rows
    return RowError(f"{len(errors)} things stand in the way of a run", rows=rows)
