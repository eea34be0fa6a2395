"""An answer as JSON: strictly, the whole of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tutelage.core.digest import Json, canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What an answer is as JSON, and whether it is any."""

    ok: bool
    value: Json = None


def parse(answer: str) -> Parsed:
    """The answer as JSON by RFC 8259; a code fence or a word beside it is not JSON."""
    try:
        value: Any = msgspec.json.decode(answer)
        canonical(value)  # a number out of range cannot be compared
    except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
        return Parsed(ok=False)
    return Parsed(ok=True, value=value)


def same_form(value: Json) -> bytes:
    """Bytes that are equal for equal JSON: keys in any order, 1 and 1.0 alike."""
    return canonical(_plain(value))


def _plain(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def as_text(value: Json) -> str:
    """The value as it would stand in a text."""
    return value if isinstance(value, str) else same_form(value).decode()
