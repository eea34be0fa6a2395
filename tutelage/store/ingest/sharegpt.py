"""Turns named by their speaker, `from` and `value`, as ShareGPT writes them."""

from __future__ import annotations

from typing import Any

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import (
    Fault,
    column,
    listed,
    mapping,
    refuse_unknown,
    text,
    weight,
)
from tutelage.store.ingest.laid import Laid, system_of, tags
from tutelage.store.ingest.messages import TRAINED, message, tool_call, tools_of, trained
from tutelage.store.ingest.strict import strict_json

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


def sharegpt(row: dict[str, Any], kept: set[str]) -> Laid:
    """The conversation of a row with `conversations`.

    Raises: Fault for the first turn that is not one.
    """
    return Laid(
        messages=(*system_of(row), *turns(column(row, "conversations"), "`conversations`")),
        tools=tools_of(row),
        tags=tags(row, ("conversations", "system", "tools", "functions", *kept)),
    )


def turns(value: object, what: str) -> tuple[Message, ...]:
    """The Messages of a list of turns, each named by its speaker or by its role."""
    forms = listed(value, what)
    return tuple(turn(form, f"message {index}") for index, form in enumerate(forms, start=1))


def turn(value: object, what: str) -> Message:
    """The Message of one turn."""
    form = mapping(value, what)
    if "from" not in form and "role" in form:
        return message(form, what)
    refuse_unknown(form, ("from", "value", *TRAINED, "weight"), what)
    speaker = text(form.get("from"), f"`from` of {what}")
    if speaker not in SPEAKERS:
        expected = ", ".join(SPEAKERS)
        raise Fault(Reason.INVALID_ROLE, f"role `{speaker}`; expected {expected}")
    said = text(form.get("value"), f"`value` of {what}")
    size = weight(form.get("weight"), f"`weight` of {what}")
    train = trained(form, what)
    if speaker == "function_call":
        called = strict_json(said, f"the call in {what}")
        forms = called if isinstance(called, list) else [called]
        calls = tuple(tool_call(one, what) for one in forms)
        return Message(role="assistant", tool_calls=calls, train=train, weight=size)
    return Message.from_dict(
        {"role": SPEAKERS[speaker], "content": said, "train": train, "weight": size}
    )
