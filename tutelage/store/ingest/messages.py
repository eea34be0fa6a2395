"""Messages in the layout of chat APIs, checked key by key."""

from __future__ import annotations

from typing import Any

from tutelage.core.conversation import ROLES, Message, Role, ToolCall
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
from tutelage.store.ingest.records import strict_json, strict_object

KEYS = (
    "role",
    "content",
    "reasoning",
    "reasoning_content",
    "tool_calls",
    "tool_call_id",
    "name",
    "train",
    "weight",
)


def messages(value: object, what: str) -> tuple[Message, ...]:
    """The Messages of a list of role-tagged objects.

    Raises: Fault for the first that is not one.
    """
    forms = listed(value, what)
    return tuple(_message(form, f"message {index}") for index, form in enumerate(forms, start=1))


def _message(value: object, what: str) -> Message:
    form = mapping(value, what)
    refuse_unknown(form, KEYS, what)
    if "role" not in form:
        raise Fault(Reason.MISSING_FIELD, f"{what} has no `role`")
    if form.get("reasoning") is not None and form.get("reasoning_content") is not None:
        raise Fault(Reason.UNKNOWN_FIELD, f"{what} has `reasoning` and `reasoning_content`")
    reasoning = form.get("reasoning") or form.get("reasoning_content")
    return Message(
        role=role(form["role"]),
        content=_content(form.get("content"), what),
        reasoning=optional_text(reasoning, f"`reasoning` of {what}"),
        tool_calls=tool_calls(form.get("tool_calls"), what),
        tool_call_id=optional_text(form.get("tool_call_id"), f"`tool_call_id` of {what}"),
        name=optional_text(form.get("name"), f"`name` of {what}"),
        train=flag(form.get("train"), f"`train` of {what}"),
        weight=weight(form.get("weight"), f"`weight` of {what}"),
    )


def role(value: object) -> Role:
    """The value if it is a role."""
    written = text(value, "`role`")
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
    return "".join(_part(part, what) for part in value)


def _part(value: object, what: str) -> str:
    form = mapping(value, f"a part of {what}")
    if form.get("type") != "text":
        raise Fault(
            Reason.WRONG_TYPE,
            f"content of {what} has a part of type `{form.get('type')}`; expected text alone",
        )
    refuse_unknown(form, ("type", "text"), f"a part of {what}")
    return text(form.get("text"), f"a part of {what}")


def tool_calls(value: object, what: str) -> tuple[ToolCall, ...]:
    """The calls of one message; null is none."""
    forms = [] if value is None else listed(value, f"`tool_calls` of {what}")
    return tuple(tool_call(form, what) for form in forms)


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
    """An object, also as its JSON text; null is none."""
    if value is None:
        return {}
    try:
        found = strict_object(value, what) if isinstance(value, str) else mapping(value, what)
    except Fault as fault:
        raise Fault(Reason.INVALID_TOOL_CALL, fault.message) from None
    return found


def tools(value: object) -> tuple[dict[str, Any], ...]:
    """The functions a conversation may call, as a list or its JSON text; null is none."""
    if value is None or value == "":
        return ()
    forms = strict_json(value, "`tools`") if isinstance(value, str) else value
    found = []
    for form in listed(forms, "`tools`"):
        tool = mapping(form, "a tool")
        inner = mapping(tool.get("function", tool), "`function` of a tool")
        if not isinstance(inner.get("name"), str):
            raise Fault(Reason.INVALID_TOOL_CALL, "a tool has no `name`")
        found.append(tool)
    return tuple(found)
