"""Every text of a conversation that a prompt can hold, so that none goes by unlooked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from tutelage.core.conversation import Conversation, Message, ToolCall

Change = Callable[[str], str]


def texts_of(conversation: Conversation) -> list[str]:
    """Every text, in the order in which `reworded` changes them."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    reworded(conversation, note)
    return found


def reworded(conversation: Conversation, change: Change) -> Conversation:
    """The conversation with `change` made to each text: names, ids, calls and tools too."""
    return replace(
        conversation,
        messages=tuple(_message(one, change) for one in conversation.messages),
        tools=tuple(reworded_json(tool, change) for tool in conversation.tools),
    )


def reworded_json(value: Any, change: Change) -> Any:
    """Plain JSON like `value`, its texts, keys and numbers changed; a number may become a text.

    Two keys that come to the same word stay two.
    """
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for key, item in value.items():
            name = change(str(key))
            while name in found:
                name += "'"
            found[name] = reworded_json(item, change)
        return found
    if isinstance(value, list | tuple):
        return [reworded_json(item, change) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    written = msgspec.json.encode(value).decode()  # a card's number may come without quotes
    changed = change(written)
    return value if changed == written else changed


def _message(message: Message, change: Change) -> Message:
    return replace(
        message,
        content=change(message.content),
        reasoning=_changed(message.reasoning, change),
        tool_calls=tuple(_call(call, change) for call in message.tool_calls),
        tool_call_id=_changed(message.tool_call_id, change),
        name=_changed(message.name, change),
    )


def _call(call: ToolCall, change: Change) -> ToolCall:
    arguments = reworded_json(call.arguments, change)
    return ToolCall(name=change(call.name), arguments=arguments, id=_changed(call.id, change))


def _changed(text: str | None, change: Change) -> str | None:
    return None if text is None else change(text)
