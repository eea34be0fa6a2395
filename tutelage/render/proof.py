"""Proof that a template writes all of a conversation, by probes in the place of its words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.render.answer import SPACES
from tutelage.render.encode import SEAM
from tutelage.render.spans import span_of
from tutelage.render.template import PROBED_CALL, PROBED_TOOL
from tutelage.render.writer import Forms, Writer

SHAPES = 4096  # of which what was found is kept
SPOKEN = 2  # of a turn's words: its content and its reasoning
CALL_ID = 9  # letters of a probe for a call's id
AS_IT_STANDS = re.compile(r"[A-Za-z]\w*([ .,-]+\w+)*", re.ASCII)  # no way of writing changes it
CLOSED_REASONING = "</think>"
Shape = tuple[Any, ...]


@dataclass(slots=True)
class Probes:
    """A message whose words are probes, and which probes it was given."""

    message: Message
    content: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)  # keys and values of their arguments
    reasoning: list[str] = field(default_factory=list)

    def lost(self, text: str, *, reasoning: bool) -> list[str]:
        """Which of its parts the text does not hold."""
        called = [call.name for call in self.message.tool_calls]
        parts = {"content": self.content, "tool call": [*called, *self.calls]}
        parts |= {"reasoning": self.reasoning} if reasoning else {}
        return [name for name, words in parts.items() if not all(one in text for one in words)]

    def repeated(self, text: str) -> list[str]:
        """Which of its parts the text holds more than once."""
        parts = {"content": self.content, "reasoning": self.reasoning}
        return [name for name, words in parts.items() if any(text.count(one) > 1 for one in words)]

    def any_in(self, text: str) -> bool:
        """Whether one of its words is in the text."""
        return any(one in text for one in (*self.content, *self.calls, *self.reasoning))


@dataclass(frozen=True, slots=True)
class Frame:
    """What the template writes around a turn's words: so many letters, and each so many times."""

    letters: int
    times: tuple[int, ...]

    @classmethod
    def of(cls, probed: Message, answer: str) -> Frame:
        """The frame of the probed message's text."""
        words = [word or "" for word in _words(probed)]
        times = tuple(1 if at < SPOKEN else answer.count(one) for at, one in enumerate(words))
        said = sum(count * _letters(one) for count, one in zip(times, words, strict=True))
        return cls(_letters(answer) - said, times)

    def holds(self, message: Message, answer: str) -> bool:
        """Whether the message's text has just the frame and its words.

        True, too, where a call has words which templates write in several ways.
        """
        left = _letters(answer) - self.letters
        for count, word in zip(self.times, _words(message), strict=True):
            if word is None and count:
                return True
            left -= count * _letters(word or "")
        return left == 0


class Proof:
    """What of a conversation a template leaves out.

    A conversation's shape (roles, and which fields are set) is rendered once with probes
    for its words, so that no word is found by chance; then the words themselves are looked
    for. Earlier reasoning may be gone: templates drop it on purpose.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._prompts: dict[Shape, ContractError | None] = {}
        self._turns: dict[Shape, ContractError | None] = {}
        self._frames: dict[Shape, Frame] = {}

    def prompt(self, messages: Sequence[Message], tools: bool) -> None:
        """Raises ContractError where the template leaves out a message, or the tools."""
        key = (tools, *_shape(messages))
        _raise(_known(self._prompts, key, lambda: self._prompt(messages, tools)))

    def turn(self, messages: Sequence[Message], tools: bool, answer: str) -> None:
        """Raises ContractError where the last message's text lacks a part, or has another's."""
        key = (tools, *_shape(messages))
        _raise(_known(self._turns, key, lambda: self._turn(messages, tools, key)))
        frame = self._frames.get(key)
        # A message that says `</think>` is not there because the template writes that.
        if frame is not None and not frame.holds(messages[-1], answer):
            raise ContractError(
                "the message's content is not in the taught text: the template changes it",
                where=str(len(messages) - 1),
            )

    def _prompt(self, messages: Sequence[Message], tools: bool) -> ContractError | None:
        probed = list(_probed(messages))
        declared = [PROBED_TOOL] if tools else []
        try:
            text = self._writer.text(self._forms(probed), declared, ask=True)
        except ContractError:
            return None  # the words themselves decide what is written
        return _left_out(probed, text, tools)

    def _turn(self, messages: Sequence[Message], tools: bool, key: Shape) -> ContractError | None:
        probed = list(_probed(messages))
        forms = self._forms(probed)
        declared = [PROBED_TOOL] if tools else []
        try:
            span = span_of(self._writer, forms[:-1], forms[-1], declared)
        except ContractError:
            return None
        own = probed[-1].message
        self._frames[key] = Frame.of(own, span.answer)
        error = _left_out(probed[:-1], span.prompt, tools)
        lost = probed[-1].lost(span.answer, reasoning=True)
        if error is None and lost:
            what = " and ".join(lost)
            error = ContractError(
                f"the message's {what} is not in the taught text: the template leaves it out",
                where=str(len(probed) - 1),
            )
        repeated = probed[-1].repeated(span.answer)
        if error is None and repeated:
            error = ContractError(
                f"the template writes the message's {' and '.join(repeated)} more than once",
                where=str(len(probed) - 1),
            )
        foreign = [one.message.role for one in probed[:-1] if one.any_in(span.answer)]
        if error is None and foreign:
            error = ContractError(
                f"the taught text would hold words of the {foreign[0]} message, too",
                where=str(len(probed) - 1),
            )
        return error

    def _forms(self, probed: Sequence[Probes]) -> Forms:
        return [self._writer.template.form(one.message) for one in probed]


def words_left_out(messages: Sequence[Message], forms: Forms, text: str) -> ContractError | None:
    """The first message whose words, as they were shielded, the text does not hold."""
    for at, (message, form) in enumerate(zip(messages, forms, strict=True)):
        content = form["content"] or ""
        if content in text:
            continue
        own = message.role == "assistant" and CLOSED_REASONING in content
        if not holds(text, content.rpartition(CLOSED_REASONING)[2] if own else content):
            return _error(at, message, "content")
    return None


def holds(text: str, part: str) -> bool:
    """Whether the text has the part: as it stands, escaped as in JSON, or spaced otherwise."""
    part = part.strip()
    return says(text, part) or SPACES.sub(" ", part) in SPACES.sub(" ", text)


def says(text: str, part: str) -> bool:
    """Whether the text has the part as it stands but for spaces at its ends, or as JSON has it."""
    part = part.strip()
    if part in text:
        return True
    plain, ascii_only = (json.dumps(part, ensure_ascii=one)[1:-1] for one in (False, True))
    return plain in text or ascii_only.replace(f"\\u{ord(SEAM):04x}", SEAM) in text


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


def _words(message: Message) -> list[str | None]:
    """The turn's words in order; None for one of a call that is not written as it stands."""
    words: list[str | None] = [message.content, message.reasoning or ""]
    for call in message.tool_calls:
        long = call.id is not None and len(call.id) != CALL_ID
        words.append(None if long else call.id or "")
        for one in (call.name, *call.arguments.keys(), *call.arguments.values()):
            stands = isinstance(one, str) and AS_IT_STANDS.fullmatch(one)
            words.append(str(one) if stands else None)
    return words


def _letters(text: str) -> int:
    """How many characters, spaces and seams not counted."""
    return sum(map(len, text.replace(SEAM, "").split()))


def _left_out(probed: Sequence[Probes], text: str, tools: bool) -> ContractError | None:
    for at, one in enumerate(probed):
        lost = one.lost(text, reasoning=False)
        if lost:
            return _error(at, one.message, " and ".join(lost))
    if tools and PROBED_CALL.name not in text:
        return ContractError("the template leaves out the tools", where="tools")
    return None


def _error(at: int, message: Message, what: str) -> ContractError:
    return ContractError(
        f"the template leaves out the {what} of the {message.role} message", where=str(at)
    )


def _probed(messages: Sequence[Message]) -> Iterator[Probes]:
    """Messages of the same shape whose words are probes."""
    ids: dict[str, str] = {}
    for at, message in enumerate(messages):
        names = iter(f"qz{at:02d}{chr(97 + nth)}zq" for nth in range(26))
        found = Probes(message=message)
        if message.content.strip():
            found.content = [next(names)]
        if message.reasoning is not None and message.reasoning.strip():
            found.reasoning = [next(names)]
        calls = []
        for nth, call in enumerate(message.tool_calls):
            own = f"{at:02d}x{nth:02d}"
            arguments = {
                f"qz{own}k{n:02d}zq": f"qz{own}v{n:02d}zq" for n in range(len(call.arguments))
            }
            found.calls += [*arguments.keys(), *arguments.values()]
            calls.append(ToolCall(name=f"qz{own}zq", arguments=arguments, id=_id(ids, call.id)))
        found.message = Message(
            role=message.role,
            content=found.content[0] if found.content else message.content,
            reasoning=found.reasoning[0] if found.reasoning else message.reasoning,
            tool_calls=tuple(calls),
            tool_call_id=_id(ids, message.tool_call_id),
            name=None if message.name is None else PROBED_CALL.name,
        )
        yield found


def _id(ids: dict[str, str], given: str | None) -> str | None:
    return None if given is None else ids.setdefault(given, f"call{len(ids):05d}")


def _shape(messages: Sequence[Message]) -> Iterator[Any]:
    """What of the messages decides how they are written, their words aside."""
    ids: dict[str, int] = {}
    for message in messages:
        words = "words" if message.content.strip() else message.content
        reasoning = message.reasoning and ("words" if message.reasoning.strip() else " ")
        if not (message.tool_calls or message.tool_call_id or message.name):
            yield (message.role, words, reasoning)
            continue
        calls = tuple(
            (len(call.arguments), call.id and ids.setdefault(call.id, len(ids)))
            for call in message.tool_calls
        )
        answered = message.tool_call_id and ids.setdefault(message.tool_call_id, len(ids))
        yield (message.role, words, reasoning, calls, answered, message.name is not None)


def _known(
    found: dict[Shape, ContractError | None], key: Shape, look: Callable[[], ContractError | None]
) -> ContractError | None:
    """What was found of a shape; several threads may look at once."""
    try:
        return found[key]
    except KeyError:
        error = look()
    if len(found) >= SHAPES:
        found.clear()  # what is known of frames stays: it is as true as before
    found[key] = error
    return error


def _raise(error: ContractError | None) -> None:
    if error is not None:
        raise ContractError(error.message, where=error.where, hint=error.hint)
