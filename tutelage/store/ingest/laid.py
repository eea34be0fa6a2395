"""What a row says before it is an Example, and the parts that several layouts share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault, column, kind, listed, optional_text, text
from tutelage.store.ingest.messages import messages

INSTRUCTED = ("instruction", "input", "system", "history")  # columns of an Alpaca row's prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What a row says, before it is an Example."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    chosen: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def tags(row: dict[str, Any], used: Iterable[str], *, whole: bool = False) -> dict[str, str]:
    """The other columns as text, objects with dotted names; lists only if `whole`.

    Raises: Fault for a column that cannot be kept so.
    """
    taken = set(used)
    found: dict[str, str] = {}
    for name, value in row.items():
        for inner, item in _flat(name, value, whole):
            if inner not in taken and name not in taken:
                _tag(inner, item, found, whole)
    return found


def _flat(name: str, value: Any, whole: bool) -> Iterator[tuple[str, Any]]:
    """A column, or each of an object's by its dotted name."""
    if isinstance(value, dict) and value and not whole:
        for inner, item in value.items():
            yield from _flat(f"{name}.{inner}", item, whole)
    else:
        yield name, value


def _tag(name: str, value: Any, found: dict[str, str], whole: bool) -> None:
    if value is None or value == [] or value == {}:
        return
    if isinstance(value, list | dict) and not whole:
        raise Fault(
            Reason.UNKNOWN_FIELD,
            f"column `{name}` is {kind(value)}; expected a single value, kept as a tag",
        )
    if name in found:
        raise Fault(Reason.UNKNOWN_FIELD, f"column `{name}` is there twice")
    found[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()


def system_of(row: dict[str, Any]) -> tuple[Message, ...]:
    """The system prompt of a flat row, where it has one."""
    system = optional_text(row.get("system"), "`system`")
    return (Message(role="system", content=system),) if system else ()


def prompt_of(row: dict[str, Any]) -> tuple[Message, ...]:
    """The system prompt and the column `prompt`, a text or messages."""
    asked = column(row, "prompt")
    if isinstance(asked, list):
        return (*system_of(row), *messages(asked, "`prompt`"))
    return (*system_of(row), Message(role="user", content=text(asked, "`prompt`")))


def instructed(row: dict[str, Any]) -> tuple[Message, ...]:
    """All of an Alpaca row before its answer: `input` stands below the instruction."""
    turns = list(system_of(row))
    for turn in listed(row.get("history") or [], "`history`"):
        pair = listed(turn, "a turn of `history`")
        if len(pair) != 2:
            raise Fault(
                Reason.WRONG_TYPE,
                f"a turn of `history` has {len(pair)} texts; expected a request and its answer",
            )
        turns.append(Message(role="user", content=text(pair[0], "`history`")))
        turns.append(Message(role="assistant", content=text(pair[1], "`history`")))
    told = text(column(row, "instruction"), "`instruction`")
    given = optional_text(row.get("input"), "`input`")
    turns.append(Message(role="user", content=f"{told}\n\n{given}" if given else told))
    return tuple(turns)


def answer_of(row: dict[str, Any], name: str) -> Message:
    """The column as an answer.

    Raises: Fault if it is not there, empty or no text.
    """
    value = column(row, name)
    if value is None or value == "":
        raise Fault(
            Reason.EMPTY_RESPONSE, f"column `{name}` is empty; expected the answer to teach"
        )
    return Message(role="assistant", content=text(value, f"column `{name}`"))
