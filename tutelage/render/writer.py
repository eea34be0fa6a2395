"""Conversations as the template writes them, markers in messages taken apart by seams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tutelage.core.conversation import Message
from tutelage.core.digest import Json
from tutelage.render.encode import SEAM, Encoder
from tutelage.render.template import ChatTemplate, mapped

Forms = list[dict[str, Any]]
ESCAPED = f"\\u{ord(SEAM):04x}"  # a template may ask for JSON in ASCII
WORDS = ("content", "thinking", "reasoning_content")


class Writer:
    """A template and the encoder that keeps the words of messages apart from its markers."""

    def __init__(self, template: ChatTemplate, encoder: Encoder) -> None:
        self.template = template
        self.encoder = encoder

    def form(self, message: Message) -> dict[str, Any]:
        """The message as the template reads it, its words shielded."""
        form = self.template.form(message)
        shielded = partial(self.encoder.shielded, spoken=message.role == "assistant")
        for key in WORDS:
            if form.get(key):
                form[key] = shielded(form[key])
        for key in ("tool_calls", "tool_call_id", "name"):
            if key in form:
                form[key] = mapped(form[key], shielded)
        return form

    def forms(self, messages: Sequence[Message]) -> Forms:
        """`form` of each message."""
        return [self.form(message) for message in messages]

    def tools(self, tools: Sequence[Mapping[str, Json]]) -> list[Any]:
        """The tools as the template reads them: in the form in which a server is sent them."""
        return [mapped(_as_sent(tool), self.encoder.shielded) for tool in tools]

    def text(self, forms: Forms, tools: Sequence[Any], *, ask: bool) -> str:
        """What the template writes; with `ask`, up to where the model answers."""
        text = self.template.render(forms, tools, ask=ask)
        return text.replace(ESCAPED, SEAM) if "\\u" in text else text


def _as_sent(tool: Mapping[str, Json]) -> Mapping[str, Json]:
    """The tool in the one form that chat APIs take; a row may hold its function alone."""
    if "function" not in tool:
        alone = {key: value for key, value in tool.items() if key != "type"}
        return {"type": "function", "function": alone}
    return tool if "type" in tool else {"type": "function", **tool}
