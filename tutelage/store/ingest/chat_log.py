"""A request to a chat API and its response, as gateways log them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault, column, listed, mapping
from tutelage.store.ingest.laid import Laid, tags
from tutelage.store.ingest.messages import message, messages, tools_of

ENDED_EARLY = {  # by `finish_reason`
    "length": "it was cut at the most tokens it might have",
    "content_filter": "a filter ended it",
}
ASKED = ("messages", "tools", "functions")


def chat_log(row: dict[str, Any], kept: set[str]) -> Laid:
    """The conversation of a logged exchange; all else it says is kept as tags.

    Raises: Fault for what is wrong with it, such as a response that is an error, or
        an answer that did not come to its end.
    """
    request = mapping(column(row, "request"), "`request`")
    response = mapping(column(row, "response"), "`response`")
    choices = listed(column(response, "choices"), "`choices`")
    if len(choices) != 1:
        raise Fault(
            Reason.WRONG_TYPE, f"the response has {len(choices)} choices; expected one answer"
        )
    choice = mapping(choices[0], "the choice")
    if why := ENDED_EARLY.get(str(choice.get("finish_reason"))):
        raise Fault(Reason.NO_ANSWER, f"the answer is not whole: {why}")
    said = message(column(choice, "message"), "the answer")
    written = tags(row, ("request", "response", *kept), whole=True)
    for name, form, used in (
        ("request", request, ASKED),
        ("response", response, ("choices",)),
        ("choice", choice, ("message", "index")),
    ):
        written |= _inside(name, form, used, kept)
    return Laid(
        messages=(*messages(column(request, "messages"), "`messages`"), said),
        tools=tools_of(request),
        tags=written,
    )


def _inside(
    name: str, form: Mapping[str, Any], used: tuple[str, ...], kept: set[str]
) -> dict[str, str]:
    found = {f"{name}.{key}": value for key, value in form.items() if key not in used}
    return tags(found, kept, whole=True)
