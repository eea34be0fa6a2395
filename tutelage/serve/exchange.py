"""An Exchange: one request on its way to its answer, and the Event it leaves."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tutelage.core.conversation import Conversation, ToolCall
from tutelage.core.digest import Json, ids_digest
from tutelage.core.finding import redacted
from tutelage.core.recipe.serve import Keep
from tutelage.score.parse import parse
from tutelage.score.schema import Schema
from tutelage.serve.guardrails import Find, Flag, Guardrails
from tutelage.serve.wire import Asked
from tutelage.serve.words import reworded, reworded_json, texts_of

Finish = Literal["stop", "length", "content_filter", "error", "cancelled"]


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What is known of one request so far."""

    asked: Asked
    conversation: Conversation  # as the model meets it: the client's, after guardrails
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))
    began: float = field(default_factory=time.monotonic)
    prompt: tuple[int, ...] = ()
    text: str = ""  # as the model wrote it, cut at the client's stop texts
    answer: str = ""  # as the client gets it
    calls: tuple[ToolCall, ...] = ()  # read from the answer, where tools were given
    live: bool = False  # whether the client gets it as it is drawn
    tokens: int = 0
    first_token_seconds: float | None = None
    finish: Finish = "cancelled"  # until it is known better
    flags: list[Flag] = field(default_factory=list)
    error: str | None = None
    recorded: bool = False

    @property
    def seconds(self) -> float:
        """Since the request came."""
        return time.monotonic() - self.began

    def drawn(self, text: str, tokens: int) -> None:
        """A piece of the answer came from the engine."""
        if self.first_token_seconds is None and tokens:
            self.first_token_seconds = self.seconds
        self.text += text
        self.answer = self.text if self.live else ""
        self.tokens += tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Makes an exchange an Event's payload, with as much of the words as may be kept."""

    model: str
    keep: Keep
    finders: tuple[Find, ...]  # what is taken out where words are kept redacted
    schema: Schema | None  # of the contract

    def payload(self, exchange: Exchange) -> dict[str, Json]:
        """The payload of a completion.

        Raises: whatever a finder raises; `without_words` then still can be kept.
        """
        about = self.without_words(exchange)
        answered = exchange.finish in ("stop", "length", "content_filter")
        if self.schema is not None and answered and exchange.prompt:
            about["parsed"] = parse(exchange.text).ok
            about["valid"] = self.schema.valid(exchange.text)
        about["metadata"] = reworded_json(exchange.asked.metadata or {}, self.words)
        if self.keep == "nothing":
            return about
        words = reworded(exchange.conversation, self.words).to_dict()
        words["answer"] = self.words(exchange.answer)
        if exchange.asked.user is not None:
            words["user"] = self.words(exchange.asked.user)
        return about | words | {"kept": self.keep}

    def without_words(self, exchange: Exchange) -> dict[str, Json]:
        """What may be kept of every exchange."""
        first = exchange.first_token_seconds
        return {
            "model": self.model,
            "kept": "nothing",
            "prompt_digest": ids_digest(exchange.prompt),
            "prompt_tokens": len(exchange.prompt),
            "completion_tokens": exchange.tokens,
            "seconds": round(exchange.seconds, 6),
            "first_token_seconds": None if first is None else round(first, 6),
            "stream": exchange.asked.stream,
            "finish": exchange.finish,
            "parsed": None,
            "valid": None,
            "flags": [flag.to_dict() for flag in exchange.flags],
            "metadata": {},
            "error": exchange.error,
        }

    def words(self, text: str) -> str:
        """A text as it may be kept."""
        if self.keep == "text":
            return text
        return redacted(text, [one for find in self.finders for one in find(text)])


def guarded(conversation: Conversation, rails: Guardrails) -> tuple[Conversation, list[Flag], bool]:
    """The conversation after the guardrails of requests, their flags, and whether one blocks."""
    looked = rails.look(texts_of(conversation), "input")
    texts = iter(looked.texts)
    changed = reworded(conversation, lambda _: next(texts))
    return changed, list(looked.flags), looked.blocked


def calls_of(answer: str, tools: tuple[Mapping[str, Json], ...]) -> tuple[ToolCall, ...]:
    """The calls an answer consists of: an object of `name` and `arguments`, one a line or a list.

    Nothing where it has other words, or calls what is not among the tools.
    """
    whole = parse(answer)
    read = [whole] if whole.ok else [parse(line) for line in answer.splitlines() if line.strip()]
    forms = whole.value if isinstance(whole.value, list) else [one.value for one in read]
    names = {_name(tool) for tool in tools}
    calls = []
    for form in forms:
        if not isinstance(form, dict) or form.keys() != {"name", "arguments"}:
            return ()
        name, arguments = form["name"], form["arguments"]
        if name not in names or not isinstance(name, str) or not isinstance(arguments, dict):
            return ()
        calls.append(ToolCall(name=name, arguments=arguments, id=f"call_{uuid.uuid4().hex[:24]}"))
    return tuple(calls)


def _name(tool: Mapping[str, Json]) -> Json:
    function = tool.get("function")
    return function.get("name") if isinstance(function, dict) else None
