"""Layouts of a row and how each becomes a conversation with its tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tutelage.core.conversation import Message
from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Fields, Format
from tutelage.store.ingest.fault import (
    Fault,
    column,
    kind,
    listed,
    mapping,
    optional_text,
    refuse_unknown,
    text,
    weight,
)
from tutelage.store.ingest.messages import messages, tool_call, tools
from tutelage.store.ingest.records import strict_json

SPEAKERS = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "function_call": "assistant",
    "observation": "tool",
    "function_response": "tool",
    "tool": "tool",
}
ROW = (  # what our own rows may hold; `curate` gives a row its split
    *("id", "messages", "tools", "chosen", "rejected", "origin", "licence", "source", "author"),
    *("consent_key", "generator", "editor", "parents", "tags", "weight"),
)
MARKS: tuple[tuple[Format, tuple[str, ...]], ...] = (
    ("row", ("id", "messages", "origin", "licence", "source")),
    ("messages", ("messages",)),
    ("sharegpt", ("conversations",)),
    ("alpaca", ("instruction", "output")),
    ("prompt_completion", ("prompt", "completion")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """What a row says, before it is an Example."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    chosen: tuple[Message, ...] = ()
    rejected: tuple[Message, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


def detect(rows: Iterable[dict[str, Any]], name: str) -> Format:
    """The layout most of these rows have, by their columns; there is one row at least.

    Raises: RowError if it is none.
    """
    seen = list(rows)
    votes = Counter(
        next((layout for layout, marks in MARKS if all(mark in row for mark in marks)), None)
        for row in seen
    )
    layout = votes.most_common(1)[0][0]
    if layout is None:
        known = "; ".join(f"{' and '.join(marks)} ({layout})" for layout, marks in MARKS)
        columns = ", ".join(seen[0])
        raise RowError(
            f"the layout of its rows is not known: {columns}",
            where=name,
            expected=f"the columns {known}",
            hint="name your own columns: `format: fields` and "
            "`fields: {user: COLUMN, assistant: COLUMN}`",
        )
    return layout


def lay(row: dict[str, Any], layout: Format, fields: Fields | None, kept: set[str]) -> Laid:
    """The conversation and tags of a row; `kept` are columns the caller has read.

    Raises: Fault for what is wrong with it.
    """
    if layout == "fields" and fields is not None:
        return _fields(row, fields, kept)
    layouts = {
        "row": _row,
        "messages": _messages,
        "sharegpt": _sharegpt,
        "alpaca": _alpaca,
        "prompt_completion": _prompt_completion,
    }
    return layouts[layout](row, kept)


def tags(row: dict[str, Any], used: Iterable[str], *, whole: bool = False) -> dict[str, str]:
    """The other columns as text, objects with dotted names; lists only if `whole`.

    Raises: Fault for a column that cannot be kept so.
    """
    taken = set(used)
    found: dict[str, str] = {}
    for name, value in row.items():
        if name not in taken:
            _tag(name, value, found, whole)
    return found


def _tag(name: str, value: Any, found: dict[str, str], whole: bool) -> None:
    if value is None or value == [] or value == {}:
        return
    if isinstance(value, dict) and not whole:
        for inner, item in value.items():
            _tag(f"{name}.{inner}", item, found, whole)
        return
    if isinstance(value, list | dict) and not whole:
        raise Fault(
            Reason.UNKNOWN_FIELD,
            f"column `{name}` is {kind(value)}; expected a single value, kept as a tag",
        )
    if name in found:
        raise Fault(Reason.UNKNOWN_FIELD, f"column `{name}` is there twice")
    found[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _messages(row: dict[str, Any], kept: set[str]) -> Laid:
    chosen = row.get("chosen")
    rejected = row.get("rejected")
    if (chosen is None) != (rejected is None):
        missing = "chosen" if chosen is None else "rejected"
        raise Fault(Reason.MISSING_FIELD, f"no column `{missing}`; a preference needs both")
    written = tags(row, ("messages", "tools", "chosen", "rejected", "tags", *kept))
    for name, value in tags(mapping(row.get("tags") or {}, "`tags`"), ()).items():
        if name in written:
            raise Fault(Reason.UNKNOWN_FIELD, f"column `{name}` is also one of its `tags`")
        written[name] = value
    return _laid(row, written)


def _row(row: dict[str, Any], kept: set[str]) -> Laid:
    """One of our own rows: `kept` holds its columns beside the conversation and tags."""
    refuse_unknown(row, ROW, "the row")
    for name in ("origin", "licence"):
        text(column(row, name), f"`{name}`")
    written = mapping(row.get("tags") or {}, "`tags`")
    return _laid(row, {name: text(value, f"tag `{name}`") for name, value in written.items()})


def _laid(row: dict[str, Any], written: Mapping[str, str]) -> Laid:
    return Laid(
        messages=messages(column(row, "messages"), "`messages`"),
        tools=tools(row.get("tools")),
        chosen=messages(row.get("chosen") or [], "`chosen`"),
        rejected=messages(row.get("rejected") or [], "`rejected`"),
        tags=written,
    )


def _sharegpt(row: dict[str, Any], kept: set[str]) -> Laid:
    turns = listed(column(row, "conversations"), "`conversations`")
    spoken = [_turn(turn, f"message {index}") for index, turn in enumerate(turns, start=1)]
    return Laid(
        messages=(*_system(row), *spoken),
        tools=tools(row.get("tools")),
        tags=tags(row, ("conversations", "system", "tools", *kept)),
    )


def _turn(value: object, what: str) -> Message:
    form = mapping(value, what)
    refuse_unknown(form, ("from", "value", "weight"), what)
    speaker = text(form.get("from"), f"`from` of {what}")
    if speaker not in SPEAKERS:
        expected = ", ".join(SPEAKERS)
        raise Fault(Reason.INVALID_ROLE, f"role `{speaker}`; expected {expected}")
    said = text(form.get("value"), f"`value` of {what}")
    size = weight(form.get("weight"), f"`weight` of {what}")
    if speaker == "function_call":
        value = strict_json(said, f"the call in {what}")
        forms = value if isinstance(value, list) else [value]
        calls = tuple(tool_call(one, what) for one in forms)
        return Message(role="assistant", tool_calls=calls, weight=size)
    return Message.from_dict({"role": SPEAKERS[speaker], "content": said, "weight": size})


def _alpaca(row: dict[str, Any], kept: set[str]) -> Laid:
    told = text(column(row, "instruction"), "`instruction`")
    given = optional_text(row.get("input"), "`input`")
    turns = list(_system(row))
    for turn in listed(row.get("history") or [], "`history`"):
        pair = listed(turn, "a turn of `history`")
        if len(pair) != 2:
            raise Fault(
                Reason.WRONG_TYPE,
                f"a turn of `history` has {len(pair)} texts; expected a request and its answer",
            )
        turns.append(Message(role="user", content=text(pair[0], "`history`")))
        turns.append(Message(role="assistant", content=text(pair[1], "`history`")))
    turns.append(Message(role="user", content=f"{told}\n\n{given}" if given else told))
    turns.append(_answer(row, "output"))
    used = ("instruction", "input", "output", "system", "history", *kept)
    return Laid(messages=tuple(turns), tags=tags(row, used))


def _prompt_completion(row: dict[str, Any], kept: set[str]) -> Laid:
    asked, said = column(row, "prompt"), column(row, "completion")
    before = (
        messages(asked, "`prompt`")
        if isinstance(asked, list)
        else (Message(role="user", content=text(asked, "`prompt`")),)
    )
    after = (
        messages(said, "`completion`") if isinstance(said, list) else (_answer(row, "completion"),)
    )
    return Laid(
        messages=(*_system(row), *before, *after),
        tools=tools(row.get("tools")),
        tags=tags(row, ("prompt", "completion", "system", "tools", *kept)),
    )


def _fields(row: dict[str, Any], fields: Fields, kept: set[str]) -> Laid:
    turns = []
    if fields.system is not None:
        system = optional_text(column(row, fields.system), f"column `{fields.system}`")
        turns += [Message(role="system", content=system)] if system else []
    asked = text(column(row, fields.user), f"column `{fields.user}`")
    turns.append(Message(role="user", content=asked))
    turns.append(_answer(row, fields.assistant))
    used = (fields.user, fields.assistant, fields.system or "", *kept)
    # whoever names the columns knows the others: also lists are kept, as JSON text
    return Laid(messages=tuple(turns), tags=tags(row, used, whole=True))


def _system(row: dict[str, Any]) -> tuple[Message, ...]:
    system = optional_text(row.get("system"), "`system`")
    return (Message(role="system", content=system),) if system else ()


def _answer(row: dict[str, Any], name: str) -> Message:
    value = column(row, name)
    if value is None or value == "":
        raise Fault(
            Reason.EMPTY_RESPONSE, f"column `{name}` is empty; expected the answer to teach"
        )
    return Message(role="assistant", content=text(value, f"column `{name}`"))
