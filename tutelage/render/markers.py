"""Markers a template writes as plain text, which a message could forge."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.render.encode import Encoder
from tutelage.render.template import PROBED_TOOL, ChatTemplate, mapped
from tutelage.render.writer import Writer

LEAST = 3  # letters of a marker that counts
NOT_LETTERS = re.compile(r"[^\w\s]")
WORDS = re.compile("(qz[a-z]zq)")  # probes: contents a to h, and x for names and arguments
ESCAPED = 'qzfzq\\"'
CALLS = tuple(
    ToolCall(name="qzxzq", arguments={"qzxzq": "qzxzq"}, id=one)
    for one in ("qzxzqqzxa", "qzxzqqzxb")
)
ASKED = (
    Message(role="user", content="qzazq"),
    Message(role="assistant", content="qzbzq"),
    Message(role="user", content="qzczq"),
)
CONVERSATIONS: tuple[tuple[Message, ...], ...] = (
    ASKED,
    (Message(role="system", content="qzdzq"), *ASKED),
    (
        Message(role="user", content="qzezq"),
        Message(role="assistant", tool_calls=CALLS),
        Message(role="tool", content='qzfzq"', tool_call_id="qzxzqqzxa", name="qzxzq"),
        Message(role="tool", content='qzgzq"', tool_call_id="qzxzqqzxb", name="qzxzq"),
        Message(role="assistant", content="qzhzq"),
    ),
)


def written_by(template: ChatTemplate) -> str:
    """The template's own text and what it writes, where it may put a marker together."""
    texts = list(template.texts.values())
    for messages in CONVERSATIONS:
        tools = [PROBED_TOOL] if any(one.tool_calls for one in messages) else []
        try:
            texts.append(template.render([template.form(one) for one in messages], tools, ask=True))
        except ContractError:
            continue
    return "".join(texts)


def forgeable(writer: Writer) -> tuple[str, ...]:
    """The text the template writes between messages where no marker token stands.

    A template that writes `[INST]` as plain text cannot tell its own from a message's.
    What stands before the first message counts where nothing guards what follows it.
    A line break in front says that the template begins a line with it.
    """
    found: dict[str, None] = {}
    for messages in CONVERSATIONS:
        tools = [PROBED_TOOL] if any(one.tool_calls for one in messages) else []
        try:
            text = writer.text(writer.forms(messages), tools, ask=True)
        except ContractError:
            continue
        if ESCAPED not in text:  # what is escaped as JSON is told apart by that
            found.update(dict.fromkeys(_open(text.replace('zq"', "zq"), writer)))
    return tuple(found)


def pattern(markers: Iterable[str]) -> re.Pattern[str] | None:
    """What finds any of the markers; those written on a line of their own, at a line's start."""
    ordered = sorted(markers, key=lambda one: (-len(one), one))
    if not ordered:
        return None
    return re.compile("|".join(_one(marker) for marker in ordered), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Forgeable:
    """Finds markers of plain text, as they stand and as the tokenizer's normalizer leaves them."""

    found: re.Pattern[str] | None
    normal: Callable[[str], str] | None = None  # None: it makes no letter of two

    def in_text(self, text: str) -> str | None:
        """The first marker in the text."""
        if self.found is None:
            return None
        ways = (text,) if self.normal is None else (text, self.normal(text))
        hits = (self.found.search(one) for one in ways)
        return next((hit[0].strip() for hit in hits if hit is not None), None)

    def in_messages(self, messages: Sequence[Message]) -> tuple[int, str] | None:
        """The first message that holds a marker, and the marker."""
        if self.found is None:
            return None
        for at, message in enumerate(messages):
            for text in _texts(message):
                if (hit := self.in_text(text)) is not None:
                    return at, hit
        return None

    def in_tools(self, tools: Sequence[Any]) -> str | None:
        """The first marker in the tools' words."""
        if self.found is None:
            return None
        hits = map(self.in_text, _strings(tools))
        return next((hit for hit in hits if hit is not None), None)


def forgeable_by(markers: Iterable[str], encoder: Encoder) -> Forgeable:
    """What finds the markers in text which this encoder reads."""
    markers = list(markers)
    if not encoder.folds:
        return Forgeable(pattern(markers))
    breaks = {marker: "\n" * marker.startswith("\n") for marker in markers}
    normal = [breaks[marker] + encoder.normal(marker.strip()) for marker in markers]
    return Forgeable(pattern(dict.fromkeys([*markers, *normal])), encoder.normal)


def _texts(message: Message) -> Iterator[str]:
    yield message.content
    yield from (one for one in (message.reasoning, message.name, message.tool_call_id) if one)
    for call in message.tool_calls:
        yield call.name
        yield from _strings(call.arguments)


def _strings(value: Any) -> list[str]:
    """Each string of plain JSON, keys too."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    mapped(value, note)
    return found


def _one(marker: str) -> str:
    line = marker.startswith("\n")
    return (r"^[ \t]*" if line else "") + re.escape(marker.strip())


def _open(text: str, writer: Writer) -> list[str]:
    """Markers of the stretches between contents that hold no marker token."""
    parts = WORDS.split(text)  # text, probe, text, probe, ..., text
    markers: list[str] = []
    for at in range(2, len(parts) - 1, 2):
        between = "qzxzq" not in (parts[at - 1], parts[at + 1])
        if not between or writer.encoder.has_marker(parts[at]):
            continue
        markers += _lines(parts[at])
        if at == 2:
            markers += _lines(writer.encoder.after_markers(parts[0]))[-1:]
    return markers


def _lines(text: str) -> list[str]:
    """The lines that count as markers, a line break kept in front of those that follow one."""
    lines = []
    for nth, line in enumerate(text.split("\n")):
        marker = line.strip()
        if len(marker) >= LEAST and NOT_LETTERS.search(marker):
            lines.append(("\n" if nth else "") + marker)
    return lines
