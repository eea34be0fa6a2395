"""Conversations to prompts, and Examples to Lessons: here a token becomes supervised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import ContractError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Teach
from tutelage.core.row import Example
from tutelage.render.answer import PROBE, answer_after, answer_by_probe
from tutelage.render.encode import SEAM, Encoder
from tutelage.render.lesson import Lesson
from tutelage.render.policy import Policy, SystemPrompt
from tutelage.render.template import ChatTemplate, mapped, template_form

BATCH = 2048  # examples rendered and encoded together: bounds what is held in memory
LEDGER_STAGE = "train"
TEACH = Teach()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The lessons of one row, or the ledger's word on why there are none."""

    row: str
    lessons: tuple[Lesson, ...] = ()
    entry: LedgerEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One taught turn as text: what the server sends, and what must come after it."""

    example: Example
    index: int
    prompt: str
    answer: str

    @property
    def message(self) -> Message:
        return self.example.messages[self.index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """One template and one tokenizer, for training, evaluation and serving alike."""

    template: ChatTemplate
    encoder: Encoder
    policy: Policy  # the system prompt of a conversation that has none
    stop_ids: frozenset[int]  # any of these ends an answer
    closing: int | None  # appended to each answer, where the template writes no stop token

    def prompts(self, conversations: Sequence[Conversation]) -> list[tuple[int, ...]]:
        """The ids the server sends for each conversation."""
        served = self.policy.served
        return self.encoder.encode([self.text(one, served, ask=True) for one in conversations])

    def text(self, conversation: Conversation, system: SystemPrompt | None, *, ask: bool) -> str:
        """The conversation as the template writes it, markers in messages taken apart by seams.

        The system prompt is put in front of it where it has none.
        """
        messages = conversation.messages
        if not messages:
            raise ContractError("a conversation has no messages", where=self.template.name)
        if system is not None and messages[0].role != "system":
            messages = (Message(role="system", content=system.text), *messages)
        forms = [
            mapped(template_form(message), partial(self.encoder.shielded, spoken=spoken))
            for message in messages
            for spoken in [message.role == "assistant"]
        ]
        tools = mapped(list(conversation.tools), self.encoder.shielded)
        text = self.template.render(forms, tools, ask=ask)
        # A template may ask for JSON in ASCII, which writes the seam as an escape.
        return text.replace(f"\\u{ord(SEAM):04x}", SEAM)

    def rendered(self, examples: Sequence[Example], teach: Teach = TEACH) -> Iterator[Rendered]:
        """Each example's lessons, one for each taught turn, in order."""
        for start in range(0, len(examples), BATCH):
            yield from self._batch(examples[start : start + BATCH], teach)

    def _batch(self, examples: Sequence[Example], teach: Teach) -> Iterator[Rendered]:
        turns: list[Turn] = []
        refused: dict[int, ContractError] = {}
        owners: list[int] = []
        for number, example in enumerate(examples):
            try:
                found = list(self._turns(example, teach))
            except ContractError as error:
                refused[number] = error
            else:
                turns += found
                owners += [number] * len(found)
        prompts = self.encoder.encode([turn.prompt for turn in turns])
        wholes = self.encoder.encode([turn.prompt + turn.answer for turn in turns])
        completions = [self._completion(*one) for one in zip(turns, prompts, wholes, strict=True)]
        said = self.encoder.decode_many([self._said(ids) for ids in completions])
        taught: list[list[Lesson]] = [[] for _ in examples]
        parts = zip(owners, turns, prompts, completions, said, strict=True)
        for number, turn, prompt, completion, words in parts:
            try:
                self._prove(turn, completion, words)
                taught[number].append(_lesson(turn, prompt, completion))
            except ContractError as error:
                refused.setdefault(number, error)
        for number, example in enumerate(examples):
            yield _outcome(example, taught[number], refused.get(number))

    def _turns(self, example: Example, teach: Teach) -> Iterator[Turn]:
        for index, message in enumerate(example.messages):
            if not (message.taught and example.weight > 0):
                continue
            yield self._turn(example, index)

    def _turn(self, example: Example, index: int) -> Turn:
        before = Conversation(messages=example.messages[:index], tools=example.tools)
        system = self.policy.of_row(example.id)
        prompt = self.text(before, system, ask=True)
        whole = self._answered(before, example.messages[index], system)
        answer = answer_after(prompt, whole)
        if answer is None:
            probe = Message(role="assistant", content=PROBE)
            last = before.messages[-1].content if before.messages else ""
            try:
                answer = answer_by_probe(prompt, whole, self._answered(before, probe, system), last)
            except ContractError as error:
                raise ContractError(
                    error.message, where=f"{self.template.name}, message {index}", hint=error.hint
                ) from error
        return Turn(example=example, index=index, prompt=prompt, answer=answer)

    def _answered(self, before: Conversation, answer: Message, system: SystemPrompt | None) -> str:
        return self.text(replace(before, messages=(*before.messages, answer)), system, ask=False)

    def _completion(
        self, turn: Turn, prompt: tuple[int, ...], whole: tuple[int, ...]
    ) -> tuple[int, ...]:
        """What the model must emit: the ids after the prompt, up to the stop token."""
        ids = whole[len(prompt) :]
        if whole[: len(prompt)] != prompt:
            # A token would span the seam between prompt and answer; the model, which is
            # sent the prompt alone, cannot emit that one.
            ids = self.encoder.encode([turn.answer])[0]
        if self.closing is not None:
            text = turn.answer.rstrip()
            ids = ids if text == turn.answer else self.encoder.encode([text])[0]
            return (*ids, self.closing)
        stop = next((at for at, one in enumerate(ids) if one in self.stop_ids), None)
        if stop is None:
            return ids
        rest = [one for one in ids[stop + 1 :] if one not in self.stop_ids]
        return ids if self.encoder.decode(rest, special=True).strip() else ids[: stop + 1]

    def _said(self, completion: tuple[int, ...]) -> tuple[int, ...]:
        return completion[:-1] if completion and completion[-1] in self.stop_ids else completion

    def _prove(self, turn: Turn, completion: tuple[int, ...], words: str) -> None:
        """Raises ContractError unless the taught ids say the message and then stop once."""
        problem = ""
        if not self.stop_ids.isdisjoint(completion[:-1]):
            problem = "a stop token stands inside the answer, which would be cut there when served"
        elif not completion or completion[-1] not in self.stop_ids:
            problem = "the answer does not end in a stop token"
        else:
            message = turn.message
            parts = {"content": message.content, "reasoning": message.reasoning or ""}
            parts |= {"tool call": " ".join(call.name for call in message.tool_calls)}
            lost = [name for name, text in parts.items() if not _says(words, text)]
            if lost:
                problem = f"the message's {' and '.join(lost)} is not in the taught text {words!r}"
        if problem:
            raise ContractError(problem, where=f"{self.template.name}, message {turn.index}")


def _says(words: str, part: str) -> bool:
    return part.strip() in words


def _lesson(turn: Turn, prompt: tuple[int, ...], completion: tuple[int, ...]) -> Lesson:
    return Lesson(
        prompt=prompt,
        completion=completion,
        weight=turn.message.weight * turn.example.weight,
        row=turn.example.id,
        turn=turn.index,
    )


def _outcome(example: Example, lessons: list[Lesson], error: ContractError | None) -> Rendered:
    if error is not None:
        detail = f"{error.where}: {error.message}" if error.where else error.message
        return Rendered(
            row=example.id,
            entry=LedgerEntry(
                row=example.id,
                stage=LEDGER_STAGE,
                decision=Decision.DROP,
                reason=Reason.TEMPLATE_FAILED,
                detail=detail,
            ),
        )
    if not lessons:
        return Rendered(
            row=example.id,
            entry=LedgerEntry(
                row=example.id,
                stage=LEDGER_STAGE,
                decision=Decision.UNSUPERVISED,
                reason=Reason.NOTHING_TAUGHT,
                detail="no message of the assistant is to be taught",
            ),
        )
    return Rendered(row=example.id, lessons=tuple(lessons))
