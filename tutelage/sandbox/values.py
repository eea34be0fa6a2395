"""Values as canonical JSON of exact types, out of a program that may lie about them.

Only the plain types of Python are written, each told apart from every other; an object of any
other class, a subclass of a plain one included, has no value but the name of its class. What
is read back is made of plain types alone, so nothing of the program decides what equals what.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

DEEPEST = 100
MOST = 100_000  # values within a value
HASHED = 10_000  # keys and members of all its sets and dicts: chosen to collide, they cost much


class Unreadable(ValueError):
    """Text that no program of ours has written."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """In the place of a value of another class."""

    kind: str


@dataclass(frozen=True, slots=True)
class Raised:
    """In the place of a value there is not, for this was raised."""

    kind: str


def encode(value: object) -> str:
    """The canonical text of a value."""
    return dump(_form(value, 0, [0]))


def raised(error: BaseException) -> str:
    """The text of a value there is not."""
    return dump({"x": type(error).__name__})


def dump(form: object) -> str:
    """A form as text, the same for the same value."""
    return json.dumps(form, separators=(",", ":"))


def _form(value: Any, depth: int, count: list[int]) -> object:
    kind = type(value)
    count[0] += 1
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        return {"i": hex(value)}
    if kind is float:
        return {"f": value.hex()}
    if kind is complex:
        return {"c": [value.real.hex(), value.imag.hex()]}
    if kind is bytes or kind is bytearray:
        return {"b": value.hex()}
    if depth >= DEEPEST or count[0] > MOST:
        return {"o": f"{kind.__name__}, too large"}
    if kind is list or kind is tuple:
        inner = [_form(one, depth + 1, count) for one in value]
        return {"l" if kind is list else "t": inner}
    if kind is set or kind is frozenset:
        return {"s": sorted((_form(one, depth + 1, count) for one in value), key=dump)}
    if kind is dict or kind in (OrderedDict, defaultdict, Counter):
        pairs = dict.items(value)
        return {"d": [[_form(one, depth + 1, count) for one in pair] for pair in pairs]}
    return {"o": kind.__name__}


def decode(text: str) -> object:
    """The value of a canonical text, made of plain types, `Opaque` and `Raised`.

    Raises: Unreadable for any other text.
    """
    try:
        return _Reader().value(json.loads(text))
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise Unreadable(str(error)) from error


def plain(value: object) -> bool:
    """Whether a value that was read holds nothing opaque or raised."""
    if isinstance(value, Opaque | Raised):
        return False
    if isinstance(value, dict):
        return all(plain(key) and plain(one) for key, one in value.items())
    if isinstance(value, list | tuple | set):
        return all(plain(one) for one in value)
    return True


class _Reader:
    def __init__(self) -> None:
        self.hashed = 0
        self.readers: dict[str, Callable[[Any], object]] = {
            "i": lambda text: int(text, 16),
            "f": float.fromhex,
            "c": lambda pair: complex(float.fromhex(pair[0]), float.fromhex(pair[1])),
            "b": bytes.fromhex,
            "l": lambda items: [self.value(one) for one in items],
            "t": lambda items: tuple(self.value(one) for one in items),
            "s": lambda items: {self.value(one) for one in self.counted(items)},
            "d": lambda items: {
                self.value(key): self.value(one) for key, one in self.counted(items)
            },
            "o": lambda name: Opaque(str(name)),
            "x": lambda name: Raised(str(name)),
        }

    def value(self, form: object) -> object:
        if form is None or isinstance(form, bool | str):
            return form
        if not isinstance(form, dict) or len(form) != 1:
            raise Unreadable("a value of no type")
        ((kind, inner),) = form.items()
        if kind not in self.readers:
            raise Unreadable("a value of no type")
        return self.readers[kind](inner)

    def counted(self, items: Any) -> Any:
        self.hashed += len(items)
        if self.hashed > HASHED:
            raise Unreadable("more keys and members than are compared")
        return items
