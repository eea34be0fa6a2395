"""An engine without a model: it says what it is told to, for tests of all that stands above."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import MissingCapability
from tutelage.engine.protocol import (
    Chunk,
    Decoding,
    Generation,
    Identity,
    Prompt,
    Stop,
    check_grammar,
)
from tutelage.render.pack import PackedRow

Answer = Callable[[Prompt], str]
FAKE = Identity(base="fake", adapter="", tokenizer="bytes")
ALL = frozenset({"ids", "logprobs"})
BYTES = 256


class FakeEngine:
    """Answers by a function of the prompt, or by a table from the last user's words.

    Its tokens are the bytes of the text, each as likely as any other, so an answer
    longer than `max_new_tokens` is cut as a model's would be. `seen` keeps the prompts.
    With the capability `grammar` its answers are taken to satisfy what they should.
    """

    def __init__(
        self,
        answer: Answer | Mapping[str, str],
        *,
        identity: Identity = FAKE,
        capabilities: frozenset[str] = ALL,
    ) -> None:
        self.identity = identity
        self.capabilities = capabilities
        self.seen: list[Prompt] = []
        self.closed = False
        self._answer = _from_table(answer) if isinstance(answer, Mapping) else answer

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[Generation]:
        """One answer a prompt, in input order."""
        for prompt in prompts:
            yield self._generation(prompt, decoding)

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
        """One answer, character by character."""
        answer = self._generation(prompt, decoding)
        for character in answer.text:
            yield Chunk(text=character, ids=tuple(character.encode()))
        yield Chunk(text="", stop=answer.stop)

    def score(self, row: PackedRow) -> NDArray[np.float32]:
        """Log-probability of each supervised edge's target, `[S]`: all bytes alike."""
        if "logprobs" not in self.capabilities:
            raise MissingCapability("this engine cannot score", expected="`logprobs`")
        return np.full(len(row.source), -np.log(BYTES), dtype=np.float32)

    def close(self) -> None:
        """Answers no more."""
        self.closed = True

    def _generation(self, prompt: Prompt, decoding: Decoding) -> Generation:
        if self.closed:
            raise MissingCapability("the engine is closed")
        check_grammar(self, decoding)
        self.seen.append(prompt)
        whole = self._answer(prompt).encode()
        ids = tuple(whole[: decoding.max_new_tokens])
        stop: Stop = "stop" if len(ids) == len(whole) else "length"
        return Generation(
            ids=ids,
            text=bytes(ids).decode(errors="replace"),
            logprobs=tuple(-float(np.log(BYTES)) for _ in ids),
            stop=stop,
            seconds=0.0,
        )


def _from_table(table: Mapping[str, str]) -> Answer:
    def answer(prompt: Prompt) -> str:
        asked = [message.content for message in prompt.messages if message.role == "user"]
        return table[asked[-1]]

    return answer
