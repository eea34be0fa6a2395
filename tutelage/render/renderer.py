"""Conversations to prompts, and Examples to Lessons: here a token becomes supervised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import BadRow, ContractError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Forged, Teach
from tutelage.core.row import Example
from tutelage.render.completion import Ends, Turn, part_read, prove
from tutelage.render.encode import Encoder
from tutelage.render.joined import Joined
from tutelage.render.lesson import Lesson
from tutelage.render.markers import forgeable, forgeable_by
from tutelage.render.policy import Policy, SystemPrompt
from tutelage.render.proof import Proof
from tutelage.render.spans import Span, reasoning_of, span_of
from tutelage.render.template import ChatTemplate
from tutelage.render.words import words_left_out
from tutelage.render.writer import Forms, Writer

BATCH = 2048  # examples rendered and encoded together: bounds what is held in memory
LEDGER_STAGE = "train"
TEACH = Teach()
PAIR = "a preference pair (`chosen` and `rejected`), which supervised training does not teach"
LEAVE_OUT = "leave it out of the text, or set `contract.forged: keep`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The lessons of one row, and the ledger's word on why there are none, or on what they hold."""

    row: str
    lessons: tuple[Lesson, ...] = ()
    entry: LedgerEntry | None = None


class Renderer:
    """One template and one tokenizer, for training, evaluation and serving alike.

    `policy` says which system prompt a conversation without one is given. Any of
    `stop_ids` ends an answer; `closing` is appended to each, where the template writes no
    stop token. `forged` says what becomes of messages that hold one of `forgeable`, the
    markers which the template writes as plain text.
    """

    def __init__(
        self,
        *,
        template: ChatTemplate,
        encoder: Encoder,
        policy: Policy,
        stop_ids: frozenset[int],
        closing: int | None,
        forged: Forged = "reject",
    ) -> None:
        self.template = template
        self.encoder = encoder
        self.policy = policy
        self.stop_ids = stop_ids
        self.closing = closing
        self.forged = forged
        self._writer = Writer(template, encoder)
        self._proof = Proof(self._writer)
        self._joined = Joined(self._writer)
        self._ends = Ends(encoder=encoder, stop_ids=stop_ids, closing=closing)
        written = forgeable(self._writer)
        self.forgeable = tuple(dict.fromkeys(marker.strip() for marker in written))
        self._forgeable = forgeable_by(written, encoder)

    def prompts(self, conversations: Sequence[Conversation]) -> list[tuple[int, ...]]:
        """The ids the server sends for each conversation.

        Raises: ContractError where the template leaves something of it out, or a message
            holds a marker and the contract does not keep those.
        """
        return self.encoder.encode([self._prompt(one) for one in conversations])

    def rendered(self, examples: Sequence[Example], teach: Teach = TEACH) -> Iterator[Rendered]:
        """Each example's lessons, one for each taught turn, in order.

        Raises: ContractError naming all rows with a marker, where the contract says `fail`.
        """
        if self.forged == "fail":
            self._check_forged(examples)
        for start in range(0, len(examples), BATCH):
            yield from self._batch(examples[start : start + BATCH], teach)

    def _prompt(self, conversation: Conversation) -> str:
        messages = _with_system(conversation.messages, self.policy.served)
        if not messages:
            raise ContractError("a conversation has no messages", where=self.template.name)
        found = self._forged(conversation)
        if found is not None and self.forged != "keep":
            raise ContractError(
                f"{found[0]} `{found[1]}`, a marker of the chat template",
                where=self.template.name,
                hint=LEAVE_OUT,
            )
        forms = self._writer.forms(messages)
        tools = self._writer.tools(conversation.tools)
        text = self._writer.text(forms, tools, ask=True)
        try:
            self._joined.check(messages, conversation.tools)
            self._proof.prompt(messages, bool(conversation.tools))
            self._say_all(messages, forms, tools, text)
        except ContractError as error:
            raise self._placed(error, len(conversation.messages) - len(messages)) from error
        return text

    def _batch(self, examples: Sequence[Example], teach: Teach) -> Iterator[Rendered]:
        turns: list[Turn] = []
        owners: list[int] = []
        entries: dict[int, LedgerEntry] = {}
        for number, example in enumerate(examples):
            found = self._forged(example)
            if found is not None:
                entries[number] = _forged_entry(example, found, self.forged)
                if self.forged == "reject":
                    continue
            try:
                mine = list(self._turns(example, teach))
            except ContractError as error:
                entries[number] = _refused(example, error)
            else:
                turns += mine
                owners += [number] * len(mine)
        taught: list[list[Lesson]] = [[] for _ in examples]
        for number, lesson in zip(owners, self._lessons(turns), strict=True):
            if isinstance(lesson, ContractError):
                if entries.get(number) is None or entries[number].decision != Decision.DROP:
                    entries[number] = _refused(examples[number], lesson)
            else:
                taught[number].append(lesson)
        for number, example in enumerate(examples):
            yield _outcome(example, taught[number], entries.get(number))

    def _lessons(self, turns: Sequence[Turn]) -> Iterator[Lesson | ContractError]:
        """The lesson of each turn, or why there is none."""
        asked = [turn.span.prompt for turn in turns]
        told = [turn.span.prompt + self._ends.answer(turn) for turn in turns]
        read = self.encoder.encode([*asked, *told])  # together: what they share is read once
        pairs = list(zip(turns, read[: len(turns)], read[len(turns) :], strict=True))
        completions = [self._ends.completion(*one) for one in pairs]
        said = self.encoder.decode_many(
            [self._ends.said(*one) for one in zip(turns, completions, strict=True)]
        )
        every = zip(pairs, completions, said, strict=True)
        for (turn, prompt, _), completion, words in every:
            try:
                prove(self._ends, turn, completion, words)
                yield Lesson(
                    prompt=prompt,
                    completion=completion,
                    read=part_read(self.encoder, turn, completion),
                    weight=turn.message.weight * turn.example.weight,
                    row=turn.example.id,
                    turn=turn.index,
                )
            except ContractError as error:
                yield ContractError(
                    error.message,
                    where=f"{self.template.name}, message {turn.index}",
                    hint=error.hint,
                )

    def _turns(self, example: Example, teach: Teach) -> Iterator[Turn]:
        if example.chosen:
            return  # a pair is no answer to imitate, nor is what stands before it
        chosen = [
            at
            for at, message in enumerate(example.messages)
            if message.taught_of(teach.roles)
            and not (message.tool_calls and teach.tool_calls == "read")
        ]
        if teach.turns == "last":
            chosen = chosen[-1:]
        if not chosen or example.weight <= 0:
            return
        messages = _with_system(example.messages, self.policy.of_row(example.id))
        shift = len(messages) - len(example.messages)
        forms = self._writer.forms(messages[: chosen[-1] + shift + 1])
        tools = self._writer.tools(example.tools)
        try:
            self._joined.check(messages[: chosen[-1] + shift + 1], example.tools)
        except ContractError as error:
            raise self._placed(error, -shift) from error
        for at in chosen:
            try:
                span = self._span(messages[: at + shift + 1], forms[: at + shift + 1], tools, teach)
            except ContractError as error:
                raise self._placed(error, -shift, at) from error
            yield Turn(example=example, index=at, span=span)

    def _span(
        self, messages: Sequence[Message], forms: Forms, tools: Sequence[Any], teach: Teach
    ) -> Span:
        """The last of the messages as text, once the template is known to write all of them."""
        before, form = forms[:-1], forms[-1]
        span = span_of(self._writer, before, form, tools)
        self._proof.turn(messages, bool(tools), span)
        self._say_all(messages[:-1], before, tools, span.prompt)
        if teach.reasoning == "read" and (messages[-1].reasoning or "").strip():
            read = reasoning_of(self._writer, before, form, tools, span)
            span = Span(prompt=span.prompt, answer=span.answer, read=read)
        return span

    def _say_all(
        self, messages: Sequence[Message], forms: Forms, tools: Sequence[Any], text: str
    ) -> None:
        error = words_left_out(messages, forms, tools, text)
        if error is not None:
            raise error

    def _forged(self, row: Conversation | Example) -> tuple[str, str] | None:
        """What of the row holds a marker of plain text, and the marker."""
        found = self._forgeable.in_messages(row.messages)
        if found is not None:
            return f"message {found[0]} holds", found[1]
        hit = self._forgeable.in_tools(row.tools)
        return None if hit is None else ("the tools hold", hit)

    def _check_forged(self, examples: Sequence[Example]) -> None:
        found = [(one, hit) for one in examples if (hit := self._forged(one)) is not None]
        if found:
            raise ContractError(
                f"{len(found)} rows hold a marker of the chat template",
                where="contract.forged",
                expected=f"none of {' '.join(f'`{one}`' for one in self.forgeable)}",
                hint="leave the markers out, or set `contract.forged: reject`",
                rows=[
                    BadRow(where=f"row {one.id}", problem=f"{what} `{marker}`")
                    for one, (what, marker) in found
                ],
            )

    def _placed(self, error: ContractError, shift: int, turn: int | None = None) -> ContractError:
        """The error with the template's name, and its message counted as the row counts it."""
        if error.where == self.template.name:
            return error
        at = int(error.where) + shift if error.where.isdigit() else turn
        place = "" if at is None else f", message {at}" if at >= 0 else ", the system prompt"
        return ContractError(error.message, where=self.template.name + place, hint=error.hint)


def _with_system(messages: tuple[Message, ...], system: SystemPrompt | None) -> tuple[Message, ...]:
    """The messages behind the system prompt, where they have none."""
    if system is None or not messages or messages[0].role == "system":
        return messages
    return (Message(role="system", content=system.text), *messages)


def _outcome(example: Example, lessons: list[Lesson], entry: LedgerEntry | None) -> Rendered:
    if entry is not None and entry.decision == Decision.DROP:
        return Rendered(row=example.id, entry=entry)
    if not lessons:
        entry = _entry(
            example,
            Decision.UNSUPERVISED,
            Reason.NOTHING_TAUGHT,
            PAIR if example.chosen else "none of its messages is to be taught",
        )
    return Rendered(row=example.id, lessons=tuple(lessons), entry=entry)


def _refused(example: Example, error: ContractError) -> LedgerEntry:
    detail = f"{error.where}: {error.message}" if error.where else error.message
    return _entry(example, Decision.DROP, Reason.TEMPLATE_FAILED, detail)


def _forged_entry(example: Example, found: tuple[str, str], forged: Forged) -> LedgerEntry:
    decision = Decision.REVIEW if forged == "keep" else Decision.DROP
    detail = f"{found[0]} `{found[1]}`, which the chat template writes as a marker"
    return _entry(example, decision, Reason.FORGED_MARKER, detail)


def _entry(example: Example, decision: Decision, reason: Reason, detail: str) -> LedgerEntry:
    return LedgerEntry(
        row=example.id, stage=LEDGER_STAGE, decision=decision, reason=reason, detail=detail
    )
