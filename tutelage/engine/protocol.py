"""One protocol to generate and to score, whatever runs the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from tutelage.core.conversation import Message
from tutelage.core.errors import MissingCapability
from tutelage.render.pack import PackedRow

Stop = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Digests of what answers: base weights, adapter (empty if none), tokenizer."""

    base: str
    adapter: str
    tokenizer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Token ids as the prompt contract renders them, and the messages they came from."""

    ids: tuple[int, ...]
    messages: tuple[Message, ...] = ()
    name: str = ""  # of the stream its answer is drawn from; its place in the list where empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How answers are drawn; a temperature of 0, or below 1e-4, takes the likeliest token."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[int, ...] = ()  # any of these ids ends the answer
    schema: str = ""  # JSON Schema every answer must satisfy, as JSON; needs `grammar`


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One answer."""

    ids: tuple[int, ...]  # stop token left out
    text: str
    logprobs: tuple[float, ...]  # of `ids`, natural logarithm; of what the schema allowed
    stop: Stop
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a streamed answer; the last one says why it ended."""

    text: str
    stop: Stop | None = None
    ids: tuple[int, ...] = ()  # drawn since the piece before


class Engine(Protocol):
    """Anything that generates and scores."""

    identity: Identity
    capabilities: frozenset[str]  # ids, logprobs, grammar, tools

    def generate(self, prompts: Sequence[Prompt], decoding: Decoding) -> Iterator[Generation]:
        """One answer a prompt, in input order."""

    def stream(self, prompt: Prompt, decoding: Decoding) -> Iterator[Chunk]:
        """One answer, piece by piece."""

    def score(self, row: PackedRow) -> NDArray[np.float32]:
        """Log-probability of each supervised edge's target, `[S]`."""

    def close(self) -> None:
        """Let go of the weights."""


def check_grammar(engine: Engine, decoding: Decoding) -> None:
    """Whether the engine can hold answers to a schema, where it is asked to.

    Raises: MissingCapability where it cannot.
    """
    if decoding.schema and "grammar" not in engine.capabilities:
        raise MissingCapability(
            "this engine cannot hold answers to a schema",
            where="evaluate.baselines",
            expected="the capability `grammar`",
            hint="leave `constrained` and `tuned_constrained` out, or take an engine that has it",
        )
