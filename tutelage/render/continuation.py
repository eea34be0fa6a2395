"""Texts whose log-probability is asked: options behind a question, and held-out text in windows.

Each is a Lesson: what is read, and the ids that are weighed behind it. Lessons that begin alike
are folded into trees, so that a prompt is computed once for all its options.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tutelage.core.conversation import Conversation, Message
from tutelage.core.errors import BadRow, ContractError
from tutelage.core.recipe import Teach
from tutelage.core.row import Example, Source
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson

LAST = Teach(turns="last")


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuations:
    """What is weighed under a contract, or with its tokenizer alone."""

    contract: Contract

    @property
    def context(self) -> int:
        """Tokens that are read at once."""
        return self.contract.context

    def answered(self, pairs: Sequence[tuple[Conversation, str]]) -> list[Lesson]:
        """Answers, stop token included, behind the prompts that are served.

        Raises: ContractError naming every answer that the template cannot express.
        """
        examples = [self._example(talk, said) for talk, said in pairs]
        lessons: list[Lesson] = []
        bad: list[BadRow] = []
        rendered = self.contract.lessons_of(examples, LAST)
        for (talk, said), one in zip(pairs, rendered, strict=True):
            if one.lessons:
                lessons += one.lessons
                continue
            asked = talk.messages[-1].content
            why = one.entry.detail if one.entry is not None else "nothing of it is said"
            bad.append(BadRow(where=f"`{said}` to `{asked[:60]}`", problem=why))
        if bad:
            raise ContractError(f"{len(bad)} options cannot be said under the contract", rows=bad)
        return lessons

    def continued(self, pairs: Sequence[tuple[str, str]]) -> list[Lesson]:
        """Bare texts and what continues them: nothing stands around them, no stop token behind.

        Blanks that end a text belong to what continues it. The first part is read alone; of both
        read as one text, the ids past as many are weighed. Where a token would reach across the
        two, as `: ` does behind `Answer:`, that is not how the whole is written; it is how the
        harness asks, and published scores go by it. Where the first part is empty, `start` stands
        before the second.

        Raises: ContractError where nothing is left to weigh.
        Source: the rule of the LM evaluation harness for `loglikelihood`.
        """
        moved = [(first.rstrip(), first[len(first.rstrip()) :] + rest) for first, rest in pairs]
        whole = self.texts([first + rest for first, rest in moved])
        heads = list(dict.fromkeys(first for first, _ in moved))
        alone = dict(zip(heads, self.texts(heads), strict=True))
        lessons = []
        for (first, _), ids in zip(moved, whole, strict=True):
            prompt = alone[first]
            lessons.append(Lesson(prompt=prompt or (self.start,), completion=ids[len(prompt) :]))
        empty = [pair for pair, one in zip(pairs, lessons, strict=True) if not one.completion]
        if empty:
            bad = [BadRow(where=f"`{first[-60:]}`", problem=f"`{rest}`") for first, rest in empty]
            raise ContractError(f"{len(bad)} texts have no token of their own behind", rows=bad)
        return lessons

    def windows(self, text: str) -> list[Lesson]:
        """A text as windows of at most the context, every token weighed exactly once.

        The first stands behind `start`; each later one reads one token of the window before,
        and the last, which is shorter, as many as fill the context.

        Source: the rule of the LM evaluation harness for `loglikelihood_rolling`.
        """
        (ids,) = self.texts([text])
        return list(_windows(ids, self.start, self.context))

    @property
    def start(self) -> int:
        """Id a text with nothing before it stands behind: the beginning-, else end-of-text one."""
        encoder = self.contract.renderer.encoder
        named = self.contract.renderer.template.variables
        for name in ("bos_token", "eos_token"):
            if name in named:
                return int(encoder.tokenizer.token_to_id(named[name]))
        return self.contract.stop_ids[0]

    def texts(self, texts: list[str]) -> list[tuple[int, ...]]:
        """The ids of bare texts."""
        tokenizer = self.contract.renderer.encoder.tokenizer
        found = tokenizer.encode_batch_fast(texts)  # what begins a document stands before it
        return [tuple(one.ids) for one in found]

    def _example(self, talk: Conversation, said: str) -> Example:
        served = self.contract.renderer.policy.served
        turns = talk.messages
        if served is not None and turns[0].role != "system":
            turns = (Message(role="system", content=served.text), *turns)
        return Example(
            messages=(*turns, Message(role="assistant", content=said)),
            tools=talk.tools,
            origin="human",
            licence="",
            source=Source(uri="", line=0),
        )


def cut_to(lesson: Lesson, context: int) -> Lesson:
    """The lesson without as many of its first ids as exceed the context and the id it predicts.

    Raises: ContractError where what is weighed fills the context alone.
    """
    over = len(lesson) - context - 1
    if over <= 0:
        return lesson
    if over >= len(lesson.prompt):
        raise ContractError(
            f"an option of {len(lesson.completion)} tokens",
            expected=f"at most {context}, the context",
        )
    return replace(lesson, prompt=lesson.prompt[over:])


def _windows(ids: Sequence[int], start: int, context: int) -> Iterator[Lesson]:
    told = min(context, len(ids))
    if told:
        yield Lesson(prompt=(start,), completion=tuple(ids[:told]))
    while told < len(ids):
        end = min(len(ids), told + context)
        begin = end - context - 1
        yield Lesson(prompt=tuple(ids[begin:told]), completion=tuple(ids[told:end]))
        told = end
