"""Messages in the layout of chat APIs, checked key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from tutelage.core.conversation import ROLES, Message, Role, ToolCall, joined_parts
from tutelage.core.digest import Json
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import (
    Fault,
    flag,
    kind,
    listed,
    mapping,
    optional_text,
    refuse_unknown,
    text,
    weight,
)
from tutelage.store.ingest.strict import strict_json, strict_object

Value = TypeVar("Value", str, bool)
THOUGHT = ("reasoning", "reasoning_content", "thinking")  # one thing by three names
TRAINED = ("train", "training")
KEYS = (
    *("role", "content", *THOUGHT, "tool_calls", "function_call", "tool_call_id", "name"),
    *(*TRAINED, "weight"),
)
PLAIN = frozenset(("role", "content"))
ALIASES = {"developer": "system", "function": "tool"}  # roles of other times


def messages(value: object, what: str) -> tuple[Message, ...]:
    """The Messages of a list of role-tagged objects.

    Raises: Fault for the first that is not one.
    """
    forms = listed(value, what)
    return tuple(message(form, f"message {index}") for index, form in enumerate(forms, start=1))


def message(value: object, what: str) -> Message:
    """The Message of one role-tagged object.

    Raises: Fault.
    """
    form = mapping(value, what)
    if form.keys() == PLAIN and form["role"] in ROLES and isinstance(form["content"], str):
        return Message(role=form["role"], content=form["content"])  # as most messages are
    refuse_unknown(form, KEYS, what)
    if "role" not in form:
        raise Fault(Reason.MISSING_FIELD, f"{what} has no `role`")
    name = optional_text(form.get("name"), f"`name` of {what}")
    if form["role"] == "function" and not name:
        raise Fault(Reason.INVALID_TOOL_CALL, f"{what}, from `function`, has no `name`")
    return Message(
        role=role(form["role"]),
        content=_content(form.get("content"), what),
        reasoning=_reasoning(form, what),
        tool_calls=_calls(form, what),
        tool_call_id=optional_text(form.get("tool_call_id"), f"`tool_call_id` of {what}"),
        name=name,
        train=trained(form, what),
        weight=weight(form.get("weight"), f"`weight` of {what}"),
    )


def trained(form: dict[str, Any], what: str) -> bool | None:
    """Whether a message is marked as taught or not, by either name of the mark."""
    marks = {name: flag(form.get(name), f"`{name}` of {what}") for name in TRAINED}
    return _agreed(marks, what)


def _reasoning(form: dict[str, Any], what: str) -> str | None:
    thoughts = {name: optional_text(form.get(name), f"`{name}` of {what}") for name in THOUGHT}
    return _agreed({name: thought or None for name, thought in thoughts.items()}, what)


def _agreed(named: Mapping[str, Value | None], what: str) -> Value | None:
    """The one value that stands under any of the names.

    Raises: Fault where two of them differ.
    """
    given = {name: value for name, value in named.items() if value is not None}
    if len(set(given.values())) > 1:
        names = " and ".join(f"`{name}`" for name in given)
        raise Fault(Reason.UNKNOWN_FIELD, f"{what} has {names}, which differ; expected one")
    return next(iter(given.values()), None)


def role(value: object) -> Role:
    """The role a value names: `developer` says what `system` does, `function` what `tool` does."""
    named = text(value, "`role`")
    written = ALIASES.get(named, named)
    if written not in ROLES:
        expected = f"{', '.join(ROLES[:-1])} or {ROLES[-1]}"
        raise Fault(Reason.INVALID_ROLE, f"role `{written}`; expected {expected}")
    return written


def _content(value: object, what: str) -> str:
    """Text, or a list of text parts put together; null is no text."""
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        raise Fault(Reason.WRONG_TYPE, f"content of {what} is {kind(value)}; expected text")
    return joined_parts(_part(part, what) for part in value)


def _part(value: object, what: str) -> str:
    form = mapping(value, f"a part of {what}")
    if form.get("type") != "text":
        raise Fault(
            Reason.WRONG_TYPE,
            f"content of {what} has a part of type `{form.get('type')}`; expected text alone",
        )
    refuse_unknown(form, ("type", "text"), f"a part of {what}")
    return text(form.get("text"), f"a part of {what}")


def _calls(form: dict[str, Any], what: str) -> tuple[ToolCall, ...]:
    """The calls of one message, also one written as `function_call`; null is none."""
    value, single = form.get("tool_calls"), form.get("function_call")
    calls = [] if value is None else listed(value, f"`tool_calls` of {what}")
    if calls and single is not None:
        raise Fault(
            Reason.INVALID_TOOL_CALL,
            f"{what} has `tool_calls` and `function_call`; expected one of them",
        )
    calls = calls if single is None else [single]
    return tuple(tool_call(call, what) for call in calls)


def tool_call(value: object, what: str) -> ToolCall:
    """One call, its name and arguments inside `function` or not."""
    form = mapping(value, f"a tool call of {what}")
    inner = form
    if "function" in form:
        refuse_unknown(form, ("id", "type", "function"), f"a tool call of {what}")
        inner = mapping(form["function"], f"`function` of {what}")
        refuse_unknown(inner, ("name", "arguments"), f"`function` of {what}")
    else:
        refuse_unknown(form, ("id", "type", "name", "arguments"), f"a tool call of {what}")
    if form.get("type") not in (None, "function"):
        raise Fault(
            Reason.INVALID_TOOL_CALL,
            f"{what} has a tool call of type `{form['type']}`; expected function",
        )
    name = inner.get("name")
    if not isinstance(name, str) or not name:
        raise Fault(Reason.INVALID_TOOL_CALL, f"a tool call of {what} has no `name`")
    return ToolCall(
        name=name,
        arguments=_arguments(inner.get("arguments"), f"arguments of `{name}` in {what}"),
        id=optional_text(form.get("id"), f"`id` of a tool call of {what}"),
    )


def _arguments(value: object, what: str) -> dict[str, Json]:
    """An object, also as its JSON text; null and an empty text are none."""
    if value is None or value == "":
        return {}
    try:
        found = strict_object(value, what) if isinstance(value, str) else mapping(value, what)
    except Fault as fault:
        raise Fault(Reason.INVALID_TOOL_CALL, fault.message) from None
    return found


def tools_of(row: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The functions a conversation may call: its `tools`, or its `functions` of an older API.

    Each is a list or its JSON text; null is none.
    """
    named = _tools(row.get("tools"), "tools")
    older = _tools(row.get("functions"), "functions")
    if named and older:
        raise Fault(Reason.INVALID_TOOL_CALL, "it has `tools` and `functions`; expected one")
    return named or tuple({"type": "function", "function": tool} for tool in older)


def _tools(value: object, name: str) -> tuple[dict[str, Any], ...]:
    if value is None or value == "":
        return ()
    forms = strict_json(value, f"`{name}`") if isinstance(value, str) else value
    found = []
    for form in listed(forms, f"`{name}`"):
        tool = mapping(form, "a tool")
        inner = mapping(tool.get("function", tool), "`function` of a tool")
        if not isinstance(inner.get("name"), str):
            raise Fault(Reason.INVALID_TOOL_CALL, "a tool has no `name`")
        found.append(tool)
    return tuple(found)
