"""Proof that a template writes all of a conversation, by probes in the place of its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import ContractError
from tutelage.render.spans import Span, span_of
from tutelage.render.template import PROBED_CALL, PROBED_TOOL
from tutelage.render.words import OPENED_REASONING, left_out, letters, reasoned, squeezed
from tutelage.render.writer import Forms, Writer

SHAPES = 4096  # of which what was found is kept
SPOKEN = 2  # of a turn's words: its content and its reasoning
CALL_ID = 9  # letters of a probe for a call's id
AS_IT_STANDS = re.compile(r"[A-Za-z]\w*([ .,-]+\w+)*", re.ASCII)  # no way of writing changes it
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

    size: int  # in letters
    head: int  # letters of it before the content
    times: tuple[int, ...]

    @classmethod
    def of(cls, probed: Message, answer: str) -> Frame:
        """The frame of the probed message's text."""
        words = [word or "" for word in _words(probed)]
        times = tuple(1 if at < SPOKEN else answer.count(one) for at, one in enumerate(words))
        said = sum(count * letters(one) for count, one in zip(times, words, strict=True))
        head = letters(answer.partition(probed.content)[0]) if probed.content else 0
        return cls(letters(answer) - said, head, times)

    def holds(self, message: Message, span: Span) -> bool:
        """Whether the message's text has just the frame and its words.

        True, too, where a call has words which templates write in several ways; and where
        reasoning that the content opens with stands in place of what the frame begins with.
        """
        answer = span.answer
        left = letters(answer) - self.size
        for count, word in zip(self.times, _words(message), strict=True):
            if word is None and count:
                return True
            left -= count * letters(word or "")
        if left == 0 or message.reasoning or reasoned(message.content) is None:
            return left == 0
        said = squeezed(message.content)
        if span.prompt.rstrip().endswith(OPENED_REASONING):  # which is sent, and not emitted
            said = said.removeprefix(OPENED_REASONING)
        behind = left + self.head + letters(message.content) - len(said)
        return behind == 0 and squeezed(answer).startswith(said)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a shape: what is wrong, and of a turn its frame."""

    error: ContractError | None = None
    frame: Frame | None = None

    def check(self) -> None:
        """Raises the error anew, for each conversation of the shape."""
        if self.error is not None:
            one = self.error
            raise ContractError(one.message, where=one.where, hint=one.hint)


class Proof:
    """What of a conversation a template leaves out.

    A conversation's shape (roles, and which fields are set) is rendered once with probes
    for its words, so that no word is found by chance; then the words themselves are looked
    for. Earlier reasoning may be gone: templates drop it on purpose.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._prompts: dict[Shape, Found] = {}
        self._turns: dict[Shape, Found] = {}

    def prompt(self, messages: Sequence[Message], tools: bool) -> None:
        """Raises ContractError where the template leaves out a message, or the tools."""
        key = (tools, *_shape(messages))
        _known(self._prompts, key, lambda: self._prompt(messages, tools)).check()

    def turn(self, messages: Sequence[Message], tools: bool, span: Span) -> None:
        """Raises ContractError where the last message's text lacks a part, or has another's."""
        key = (tools, *_shape(messages))
        found = _known(self._turns, key, lambda: self._turn(messages, tools))
        found.check()
        # A message that says `</think>` is not there because the template writes that.
        if found.frame is not None and not found.frame.holds(messages[-1], span):
            raise ContractError(
                "the message's content is not in the taught text: the template changes it",
                where=str(len(messages) - 1),
            )

    def _prompt(self, messages: Sequence[Message], tools: bool) -> Found:
        probed = list(_probed(messages))
        declared = [PROBED_TOOL] if tools else []
        try:
            text = self._writer.text(self._forms(probed), declared, ask=True)
        except ContractError:
            return Found()  # the words themselves decide what is written
        return Found(_left_out(probed, text, tools))

    def _turn(self, messages: Sequence[Message], tools: bool) -> Found:
        probed = list(_probed(messages))
        forms = self._forms(probed)
        declared = [PROBED_TOOL] if tools else []
        try:
            span = span_of(self._writer, forms[:-1], forms[-1], declared)
        except ContractError:
            return Found()
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
        return Found(error, Frame.of(probed[-1].message, span.answer))

    def _forms(self, probed: Sequence[Probes]) -> Forms:
        return [self._writer.template.form(one.message) for one in probed]


def _words(message: Message) -> list[str | None]:
    """The turn's words in order; None for one of a call that is not written as it stands."""
    name = message.name or ""
    named = name if AS_IT_STANDS.fullmatch(name) else None
    words: list[str | None] = [message.content, message.reasoning or "", named if name else ""]
    for call in message.tool_calls:
        long = call.id is not None and len(call.id) != CALL_ID
        words.append(None if long else call.id or "")
        for one in (call.name, *call.arguments.keys(), *call.arguments.values()):
            stands = isinstance(one, str) and AS_IT_STANDS.fullmatch(one)
            words.append(str(one) if stands else None)
    return words


def _left_out(probed: Sequence[Probes], text: str, tools: bool) -> ContractError | None:
    for at, one in enumerate(probed):
        lost = one.lost(text, reasoning=False)
        if lost:
            return left_out(at, one.message, " and ".join(lost))
    if tools and PROBED_CALL.name not in text:
        return ContractError("the template leaves out the tools", where="tools")
    return None


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
        if not message.tool_calls and message.tool_call_id is None and message.name is None:
            plain = words == "words" and reasoning is None
            yield message.role if plain else (message.role, words, reasoning)
            continue
        calls = tuple(
            (len(call.arguments), call.id and ids.setdefault(call.id, len(ids)))
            for call in message.tool_calls
        )
        answered = message.tool_call_id and ids.setdefault(message.tool_call_id, len(ids))
        yield (message.role, words, reasoning, calls, answered, message.name is not None)


def _known(known: dict[Shape, Found], key: Shape, look: Callable[[], Found]) -> Found:
    """What was found of a shape; several threads may look at once."""
    try:
        return known[key]
    except KeyError:
        found = look()
    if len(known) >= SHAPES:
        known.clear()
    known[key] = found
    return found
