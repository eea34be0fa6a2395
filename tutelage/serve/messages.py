"""Messages and tools as OpenAI's clients write them, read as a Conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from tutelage.core.conversation import Conversation, Message, Role, ToolCall, joined_parts
from tutelage.serve.refusal import Refusal, invalid

ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",  # what newer clients call it
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
KEYS: Mapping[Role, frozenset[str]] = {
    "system": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "tool_calls", "reasoning_content"}),
    "tool": frozenset({"role", "content", "name", "tool_call_id"}),
}
ASKS: tuple[Literal["user"], Literal["tool"]] = ("user", "tool")


def read_conversation(messages: Any, tools: Any) -> Conversation:
    """The conversation of a request.

    Raises: Refusal naming the first message or tool that cannot be taken.
    """
    if not isinstance(messages, list) or not messages:
        raise invalid("messages", "a list of one message or more")
    turns = tuple(_message(one, f"messages[{at}]") for at, one in enumerate(messages))
    if turns[-1].role not in ASKS:
        raise invalid(f"messages[{len(turns) - 1}]", "of `user` or `tool`: there is an answer to")
    return Conversation(messages=turns, tools=_tools(tools))


def _message(form: Any, at: str) -> Message:
    if not isinstance(form, dict):
        raise invalid(at, "an object with `role` and `content`")
    given = {key: value for key, value in form.items() if value is not None and value != []}
    role = ROLES.get(given.get("role", "")) if isinstance(given.get("role"), str) else None
    if role is None:
        raise invalid(f"{at}.role", "system, developer, user, assistant or tool")
    strange = sorted(given.keys() - KEYS[role])
    if strange:
        raise Refusal(
            f"`{strange[0]}` of a message of `{role}` is not supported",
            code="unsupported_parameter",
            param=f"{at}.{strange[0]}",
        )
    calls = tuple(
        _call(one, f"{at}.tool_calls[{number}]")
        for number, one in enumerate(_list(given.get("tool_calls", []), f"{at}.tool_calls"))
    )
    if "content" not in given and not calls:
        raise invalid(f"{at}.content", "a text")
    if role == "tool" and "tool_call_id" not in given:
        raise invalid(f"{at}.tool_call_id", "the id of the call it answers")
    return Message(
        role=role,
        content=_content(given.get("content", ""), f"{at}.content"),
        reasoning=_optional(given, "reasoning_content", at),
        tool_calls=calls,
        tool_call_id=_optional(given, "tool_call_id", at),
        name=_optional(given, "name", at),
    )


def _content(value: Any, at: str) -> str:
    """A text, or parts of text, which stand on lines of their own."""
    if isinstance(value, str):
        return value
    texts = []
    for number, part in enumerate(_list(value, at)):
        plain = isinstance(part, dict) and part.keys() == {"type", "text"}
        if not plain or part["type"] != "text" or not isinstance(part["text"], str):
            raise Refusal(
                "only parts of text are supported: {type: text, text: …}",
                code="unsupported_content",
                param=f"{at}[{number}]",
            )
        texts.append(part["text"])
    return joined_parts(texts)


def _call(form: Any, at: str) -> ToolCall:
    function = form.get("function") if isinstance(form, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise invalid(at, '{id, type: "function", function: {name, arguments}}')
    id = form.get("id")
    if id is not None and not isinstance(id, str):
        raise invalid(f"{at}.id", "a text")
    written = function.get("arguments", "{}")
    try:
        arguments = msgspec.json.decode(written or "{}", type=dict[str, Any])
    except (msgspec.MsgspecError, TypeError, RecursionError):
        raise invalid(f"{at}.function.arguments", "the text of a JSON object") from None
    return ToolCall(name=function["name"], arguments=arguments, id=id)


def _tools(listed: Any) -> tuple[Mapping[str, Any], ...]:
    for at, tool in enumerate(_list(listed or [], "tools")):
        function = tool.get("function") if isinstance(tool, dict) else None
        named = isinstance(function, dict) and isinstance(function.get("name"), str)
        if not named or tool.get("type") != "function":
            raise invalid(f"tools[{at}]", '{type: "function", function: {name, parameters}}')
    return tuple(listed or ())


def _list(value: Any, at: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid(at, "a list")
    return value


def _optional(form: Mapping[str, Any], key: str, at: str) -> str | None:
    value = form.get(key)
    if value is not None and not isinstance(value, str):
        raise invalid(f"{at}.{key}", "a text")
    return value
