"""Whether a text holds a message's words, in the ways in which templates may write them."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tutelage.core.conversation import Message
from tutelage.core.errors import ContractError
from tutelage.render.answer import SPACES
from tutelage.render.encode import SEAM
from tutelage.render.writer import Forms

OPENED_REASONING, CLOSED_REASONING = "<think>", "</think>"


def words_left_out(
    messages: Sequence[Message], forms: Forms, tools: Sequence[Any], text: str
) -> ContractError | None:
    """The first message or tool whose words, as they were shielded, the text does not hold.

    It may hold a message's as they stand, as often as messages say them, escaped as in JSON,
    or spaced otherwise; of a tool at least its name.
    """
    spaced: str | None = None
    said: dict[str, list[int]] = {}
    for at, (message, form) in enumerate(zip(messages, forms, strict=True)):
        content = form["content"] or ""
        own = message.role == "assistant" and CLOSED_REASONING in content
        if not own:
            said.setdefault(content.strip(), []).append(at)
        if content in text:
            continue
        part = (content.rpartition(CLOSED_REASONING)[2] if own else content).strip()
        if says(text, part):
            continue
        spaced = SPACES.sub(" ", text) if spaced is None else spaced
        if SPACES.sub(" ", part) not in spaced:
            return left_out(at, message, "content")
    for part, places in said.items():
        if len(places) > 1 and not _as_often(text, part, len(places)):
            return left_out(places[-1], messages[places[-1]], "content")
    for tool in tools:
        name = tool["function"].get("name", "")
        if not says(text, name):
            return ContractError(f"the template leaves out the tool `{name}`", where="tools")
    return None


def _as_often(text: str, part: str, times: int) -> bool:
    """Whether the text has the part so many times; one that JSON would escape is not counted."""
    if not part or text.count(part) >= times or json.dumps(part)[1:-1] != part:
        return True
    return SPACES.sub(" ", text).count(SPACES.sub(" ", part)) >= times


def says(text: str, part: str) -> bool:
    """Whether the text has the part as it stands but for spaces at its ends, or as JSON has it.

    A letter and its accent may be put together in the one and apart in the other, as
    tokenizers do that write the canonical composition (NFC): to Unicode it is the same text.
    """
    part = part.strip()
    if part in text:
        return True
    plain, ascii_only = (json.dumps(part, ensure_ascii=one)[1:-1] for one in (False, True))
    if plain in text or ascii_only.replace(f"\\u{ord(SEAM):04x}", SEAM) in text:
        return True
    return not part.isascii() and any(composed(one) in composed(text) for one in (part, plain))


def composed(text: str) -> str:
    """The text in Unicode's canonical composition."""
    return unicodedata.normalize("NFC", text)


def reasoned(content: str) -> tuple[str, str] | None:
    """Reasoning that the content opens with, and the rest; None where it opens with none."""
    opened, _, rest = content.partition(OPENED_REASONING)
    if opened.strip() or rest.count(CLOSED_REASONING) != 1:
        return None
    reasoning, _, rest = rest.partition(CLOSED_REASONING)
    return reasoning, rest


def values(arguments: Any) -> Iterator[tuple[str, ...]]:
    """Keys and values of a call's arguments, each in the ways a template may write it."""
    if isinstance(arguments, Mapping):
        for key, value in arguments.items():
            yield (str(key),)
            yield from values(value)
    elif isinstance(arguments, (list, tuple)):
        for value in arguments:
            yield from values(value)
    elif isinstance(arguments, str):
        yield (arguments,)
    else:
        yield (json.dumps(arguments), str(arguments))


def squeezed(text: str) -> str:
    """The text without spaces and seams."""
    return "".join(text.replace(SEAM, "").split())


def letters(text: str) -> int:
    """How many characters, spaces and seams not counted."""
    return len(squeezed(text))


def left_out(at: int, message: Message, what: str) -> ContractError:
    """The error of a message a part of which is not in the text."""
    return ContractError(
        f"the template leaves out the {what} of the {message.role} message", where=str(at)
    )
