"""A row's fault, and the words in which it is told."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason

LIGHTEST, HEAVIEST = 1e-6, 1e6  # weights of rows and messages, which multiply
LISTED = 12  # so many column names at most in a message


class Fault(RowError):
    """What is wrong with one row; the reader collects it and goes on to the next."""

    def __init__(self, reason: Reason, problem: str) -> None:
        super().__init__(problem)
        self.reason = reason


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text"}
    names |= {list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)


def text(value: object, what: str) -> str:
    """The value if it is text.

    Raises: Fault that names `what` and the kind it has.
    """
    if not isinstance(value, str):
        raise Fault(Reason.WRONG_TYPE, f"{what} is {kind(value)}; expected text")
    return value


def optional_text(value: object, what: str) -> str | None:
    """The value if it is text or null."""
    return None if value is None else text(value, what)


def listed(value: object, what: str) -> list[Any]:
    """The value if it is a list."""
    if not isinstance(value, list):
        raise Fault(Reason.WRONG_TYPE, f"{what} is {kind(value)}; expected a list")
    return value


def mapping(value: object, what: str) -> dict[str, Any]:
    """The value if it is an object."""
    if not isinstance(value, dict):
        raise Fault(Reason.WRONG_TYPE, f"{what} is {kind(value)}; expected an object")
    return value


def weight(value: object, what: str) -> float:
    """The value if it is a number that a loss in fp32 can bear; 1 for null."""
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Fault(Reason.WRONG_TYPE, f"{what} is {kind(value)}; expected a number")
    if value < 0:
        raise Fault(Reason.WRONG_TYPE, f"{what} is {value}; expected 0 or more")
    if value and not LIGHTEST <= value <= HEAVIEST:
        expected = f"0, or {LIGHTEST:g} to {HEAVIEST:g}"
        raise Fault(Reason.WRONG_TYPE, f"{what} is {value}; expected {expected}")
    return float(value)


def flag(value: object, what: str) -> bool | None:
    """The value if it is true, false or null."""
    if value is not None and not isinstance(value, bool):
        raise Fault(Reason.WRONG_TYPE, f"{what} is {kind(value)}; expected true or false")
    return value


def column(row: dict[str, Any], name: str) -> Any:
    """The value of a column.

    Raises: Fault that names the columns the row has and the nearest one.
    """
    if name not in row:
        raise Fault(Reason.MISSING_FIELD, f"no column `{name}`; {nearest(name, row)}")
    return row[name]


def nearest(name: str, names: Iterable[str]) -> str:
    """Which of the names was meant, or else all of them."""
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"it has {', '.join(known[:LISTED]) or 'none'}{more}"


def refuse_unknown(form: dict[str, Any], known: Iterable[str], what: str) -> None:
    """Refuses keys that would be lost; null, `[]` and `{}` hold nothing and are let pass.

    Raises: Fault that names the first such key.
    """
    allowed = set(known)
    for name, value in form.items():
        if name not in allowed and value not in (None, [], {}):
            expected = ", ".join(known)
            raise Fault(
                Reason.UNKNOWN_FIELD, f"{what} has the key `{name}`; expected only {expected}"
            )
