"""What the model must emit for a turn, and the proof that it says the turn's message."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.core.conversation import Message
from tutelage.core.errors import ContractError
from tutelage.core.row import Example
from tutelage.render.encode import SEAM, Encoder
from tutelage.render.spans import Span
from tutelage.render.words import composed, reasoned, says, values

Ids = tuple[int, ...]
NEAR = 4  # tokens to either side that a boundary is looked for at


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One taught turn of a row as text."""

    example: Example
    index: int
    span: Span

    @property
    def message(self) -> Message:
        return self.example.messages[self.index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where a completion ends: which ids end an answer, and what ends one that has none."""

    encoder: Encoder
    stop_ids: frozenset[int]
    closing: int | None

    def of(self, turn: Turn) -> frozenset[int]:
        """The ids that may end the turn: those of an answer; any marker, of another's words."""
        own = turn.message.role == "assistant"
        return self.stop_ids if own else self.stop_ids | self.encoder.special_ids

    def answer(self, turn: Turn) -> str:
        """The turn's text but for the spaces that stand where its answer is closed."""
        closed = self.closing is not None and turn.message.role == "assistant"
        return turn.span.answer.rstrip() if closed else turn.span.answer

    def completion(self, turn: Turn, prompt: Ids, whole: Ids) -> Ids:
        """What is to be emitted: the ids after the prompt, up to the first that ends it.

        `whole` is the prompt and `answer` read together.
        """
        ids = whole[len(prompt) :]
        if whole[: len(prompt)] != prompt:
            # A token would span the seam between prompt and answer; the model, which is
            # sent the prompt alone, cannot emit that one.
            ids = self.encoder.encode([self.answer(turn)])[0]
        if self.closing is not None and turn.message.role == "assistant":
            return (*ids, self.closing)
        ends = self.of(turn)
        stop = next((at for at, one in enumerate(ids) if one in ends), None)
        if stop is None:
            return ids
        if turn.message.role != "assistant":
            return ids[: stop + 1]
        rest = [one for one in ids[stop + 1 :] if one not in ends]
        after = self.encoder.decode(rest, special=True).strip()
        # A template may ask for the next answer whether it is told to or not.
        asks = len(rest) == len(ids) - stop - 1 and turn.span.prompt.rstrip().endswith(after)
        return ids[: stop + 1] if asks or not after else ids

    def said(self, turn: Turn, completion: Ids) -> Ids:
        """The completion without what ends it."""
        return completion[:-1] if completion and completion[-1] in self.of(turn) else completion


def prove(ends: Ends, turn: Turn, completion: Ids, words: str) -> None:
    """Raises ContractError unless the taught ids say the message and then stop once."""
    possible = ends.of(turn)
    if not possible.isdisjoint(completion[:-1]):
        raise ContractError(
            "a stop token stands inside the answer, which would be cut there when served"
        )
    if not completion or completion[-1] not in possible:
        raise ContractError(
            "the answer does not end in a stop token"
            if turn.message.role == "assistant"
            else f"no marker ends the {turn.message.role}'s words, so nothing says where they stop"
        )
    lost = list(dict.fromkeys(_lost(turn.message, words)))
    if lost:
        raise ContractError(
            f"the message's {' and '.join(lost)} is not in the taught text {words!r}"
        )


def part_read(encoder: Encoder, turn: Turn, completion: Ids) -> int:
    """How many tokens of the completion are its reasoning, which is only read.

    Raises: ContractError where a token belongs to the reasoning and to what is taught.
    """
    text = composed(turn.span.read.replace(SEAM, ""))
    if not text:
        return 0
    near = len(encoder.encode([turn.span.read])[0])
    for count in range(max(1, near - NEAR), min(len(completion), near + NEAR + 1)):
        found = encoder.decode(completion[:count], special=True)
        if composed(found) in (text, text.lstrip(" ")):
            return count
    raise ContractError(
        "a token holds the end of the reasoning and the beginning of what is taught",
        hint="set `train.teach.reasoning: teach`",
    )


def _lost(message: Message, words: str) -> list[str]:
    """Which parts of the message its words do not hold."""
    lost = []
    parts = reasoned(message.content) or (message.content,)
    if not (says(words, message.content) or all(says(words, one) for one in parts)):
        lost.append("content")
    if message.reasoning and not says(words, message.reasoning):
        lost.append("reasoning")
    for call in message.tool_calls:
        written = [(call.name,), *values(call.arguments)]
        if not all(any(says(words, one) for one in ways) for ways in written):
            lost.append("tool call")
    return lost
