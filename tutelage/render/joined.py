"""Markers a template puts together from its own text and a name or key of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.render.template import mapped
from tutelage.render.writer import Writer

KEPT = 4096  # words of which what was found is kept
STANDS = "qzj{:03d}zq"  # for a word that may be a part of a marker
# Words of JSON Schema and of chat APIs, by which templates find their way: they stay.
SCHEMA = frozenset(
    [
        "type",
        "function",
        "name",
        "description",
        "parameters",
        "properties",
        "required",
        "items",
        "enum",
        "arguments",
        "string",
        "number",
        "integer",
        "boolean",
        "object",
        "array",
        "null",
        "default",
        "anyOf",
        "allOf",
        "oneOf",
    ]
)


class Cuts:
    """All ways to cut a vocabulary's markers in two, by either part: some have thousands."""

    def __init__(self, markers: Sequence[str]) -> None:
        self._markers = [marker for marker in markers if marker]
        self._all = "\n".join(self._markers)
        self._heads: dict[str, list[str]] = {}  # how a marker begins, and what is left of it
        self._tails: dict[str, list[str]] = {}
        for marker in self._markers:
            for cut in range(1, len(marker)):
                self._heads.setdefault(marker[:cut], []).append(marker[cut:])
                self._tails.setdefault(marker[cut:], []).append(marker[:cut])
        self._longest = max(map(len, self._markers), default=0)

    def around(self, word: str) -> Iterator[tuple[str, str]]:
        """What before and after the word would make a marker of it."""
        if word and word in self._all:
            yield from self._inside(word)
        for length in range(1, min(len(word) + 1, self._longest)):
            for after in self._heads.get(word[-length:], ()):
                yield "", after
            for before in self._tails.get(word[:length], ()):
                yield before, ""

    def _inside(self, word: str) -> Iterator[tuple[str, str]]:
        for marker in self._markers:
            at = marker.find(word) if word != marker else -1
            while at >= 0:
                yield marker[:at], marker[at + len(word) :]
                at = marker.find(word, at + 1)


class Joined:
    """Refuses rows whose names, keys or arguments become a part of a marker.

    Where a template writes `<` and a key and `>`, the key `s` makes `<s>`. Only rows with a
    word that a marker could hold are written once more, with others in their place.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._cuts: Cuts | None = None  # made when a row first has tools or a name
        self._parts: dict[str, list[tuple[str, str]]] = {}

    def check(self, messages: Sequence[Message], tools: Sequence[Mapping[str, Any]]) -> None:
        """Raises ContractError where the template makes a marker of a word of these."""
        if not tools and not any(one.tool_calls or one.name for one in messages):
            return
        words = dict.fromkeys(one for one in _words(messages, tools) if self._around(one))
        if not words:
            return
        standing = {word: STANDS.format(at) for at, word in enumerate(words)}

        def other(text: str) -> str:
            return standing.get(text, text)

        forms = self._writer.forms([_other(message, other) for message in messages])
        declared = self._writer.tools([mapped(tool, other) for tool in tools])
        text = self._writer.text(forms, declared, ask=False)
        for word, stands in standing.items():
            for before, after in self._around(word):
                if before + stands + after in text:
                    raise ContractError(
                        f"`{word}` in a tool or a call becomes a part of a marker "
                        f"where the template writes it behind `{before}` and before `{after}`",
                        hint="give it another name",
                    )

    def _around(self, word: str) -> list[tuple[str, str]]:
        """What before and after the word would make a marker of it."""
        if word not in self._parts:
            if len(self._parts) >= KEPT:
                self._parts.clear()
            self._cuts = self._cuts or Cuts(self._writer.encoder.marker_texts)
            found = () if word in SCHEMA else self._cuts.around(word)
            self._parts[word] = list(dict.fromkeys(found))
        return self._parts[word]


def _words(messages: Sequence[Message], tools: Sequence[Any]) -> list[str]:
    """All strings of tools and calls, keys too, and the messages' names."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    mapped(list(tools), note)
    for message in messages:
        found += [message.name] if message.name else []
        for call in message.tool_calls:
            found.append(call.name)
            mapped(call.arguments, note)
    return found


def _other(message: Message, other: Any) -> Message:
    def of(text: str | None) -> str | None:
        return text and other(text)

    calls = tuple(
        ToolCall(name=other(one.name), arguments=mapped(one.arguments, other), id=one.id)
        for one in message.tool_calls
    )
    return replace(message, name=of(message.name), tool_calls=calls)
