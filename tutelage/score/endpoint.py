"""A model behind an OpenAI-compatible endpoint: asked, asked again where it fails, and counted."""

from __future__ import annotations

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from threading import Lock
from typing import Protocol

import msgspec

from tutelage.core.digest import Json, strong_digest
from tutelage.core.errors import MissingCapability
from tutelage.store.replies import Replies, Reply

TRANSIENT = (408, 409, 425, 429, 500, 502, 503, 504)
FIRST_PAUSE = 0.5  # seconds before the second try; each further one waits twice as long
CUT = "length"  # why a reply ended that was not finished
PER = 1_000_000  # tokens a price is for


class Keys(Protocol):
    """What a section of the recipe says of an endpoint: a judge's, a teacher's."""

    @property
    def called(self) -> str:
        """What errors call it."""

    @property
    def place(self) -> str:
        """Where the recipe has it."""

    @property
    def endpoint(self) -> str:
        """Address up to `/v1`."""

    @property
    def model(self) -> str:
        """The model as the endpoint names it."""

    @property
    def api_key_env(self) -> str | None:
        """Environment variable that holds the key."""

    @property
    def temperature(self) -> float:
        """Of its decoding."""

    @property
    def max_new_tokens(self) -> int:
        """Tokens of one reply at most."""

    @property
    def retries(self) -> int:
        """Further tries where it fails for a while."""

    @property
    def timeout_seconds(self) -> float:
        """Wait for one reply."""

    @property
    def prompt_price(self) -> float:
        """Of a million tokens it reads."""

    @property
    def answer_price(self) -> float:
        """Of a million tokens it writes."""


class Said(msgspec.Struct):
    """A message of a reply."""

    content: str | None = None


class Choice(msgspec.Struct):
    """One of a reply's answers."""

    message: Said
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """Tokens as the endpoint counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Answered(msgspec.Struct):
    """The part of a chat completion that is read."""

    choices: list[Choice]
    usage: Usage | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no reply at all."""
        return not self.choices or not self.choices[0].message.content

    @property
    def whole(self) -> bool:
        """Whether there is a reply, and it came to its end."""
        first = self.choices[0] if self.choices else None
        return first is not None and bool(first.message.content) and first.finish_reason != CUT


@dataclass(slots=True)
class Spent:
    """What asking came to; replies kept from before cost nothing again."""

    asked: int = 0
    kept: int = 0
    tried_again: int = 0
    unfinished: int = 0  # replies that were empty or cut, and not kept
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def to_dict(self, keys: Keys) -> dict[str, Json]:
        """The counts as plain JSON, with the cost at the recipe's prices."""
        return {
            "asked": self.asked,
            "kept": self.kept,
            "tried_again": self.tried_again,
            "unfinished": self.unfinished,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": cost_of(keys, self.prompt_tokens, self.completion_tokens),
        }


def cost_of(keys: Keys, prompt_tokens: int, completion_tokens: int) -> float:
    """What tokens cost at the recipe's prices."""
    return round(
        (prompt_tokens * keys.prompt_price + completion_tokens * keys.answer_price) / PER, 6
    )


@dataclass(slots=True)
class Endpoint:
    """Asks a model, from several threads too; replies are kept by digest of what was asked."""

    keys: Keys
    replies: Replies
    spent: Spent = field(default_factory=Spent)
    pause: Callable[[float], None] = time.sleep
    anew: bool = False  # asks again what was kept before this endpoint was opened
    keeps_cut: bool = False  # a draft that was cut is dropped, and not asked for again
    _own: set[str] = field(default_factory=set)
    _counting: Lock = field(default_factory=Lock)

    def ask(self, words: str, repeat: int = 0) -> str:
        """The reply to one message; repeats are replies of their own.

        Raises: MissingCapability where the endpoint gives none after all tries.
        """
        return self.complete([{"role": "user", "content": words}], repeat).text

    def complete(self, messages: Sequence[dict[str, Json]], seed: int) -> Reply:
        """The reply to a conversation; one with another seed is a reply of its own.

        Raises: MissingCapability where the endpoint gives none after all tries.
        """
        body: dict[str, Json] = {
            "model": self.keys.model,
            "messages": list(messages),
            "temperature": self.keys.temperature,
            "max_tokens": self.keys.max_new_tokens,
        }
        digest = strong_digest([self.keys.endpoint, body, seed])
        kept = self.replies.find(digest) if not self.anew or digest in self._own else None
        if kept is not None:
            with self._counting:
                self.spent.kept += 1
            return kept
        answered = self._tried({**body, "seed": seed})
        usage = answered.usage or Usage()
        first = answered.choices[0] if answered.choices else Choice(message=Said())
        reply = Reply(
            digest=digest,
            text=first.message.content or "",
            finish=first.finish_reason or "",
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
        )
        with self._counting:
            if answered.whole or (self.keeps_cut and not answered.empty):
                self.replies.keep(reply)
                self._own.add(digest)
            else:
                self.spent.unfinished += 1
            self.spent.asked += 1
            self.spent.prompt_tokens += usage.prompt_tokens
            self.spent.completion_tokens += usage.completion_tokens
        return reply

    def _tried(self, body: dict[str, Json]) -> Answered:
        problem = ""
        for number in range(self.keys.retries + 1):
            if number:
                with self._counting:
                    self.spent.tried_again += 1
                self.pause(FIRST_PAUSE * 2 ** (number - 1))
            try:
                answered = self._once(body)
                if answered.whole or number == self.keys.retries or not answered.empty:
                    return answered
            except urllib.error.HTTPError as error:
                problem = f"it answered {error.code}"
                if error.code not in TRANSIENT:
                    break
            except (OSError, HTTPException, msgspec.MsgspecError) as error:
                problem = str(error) or type(error).__name__
        raise self._refusal(problem)

    def _once(self, body: dict[str, Json]) -> Answered:
        headers = {"Content-Type": "application/json"}
        name = self.keys.api_key_env
        if name is not None:
            if name not in os.environ:
                raise self._refusal(f"environment variable {name} is not set")
            headers["Authorization"] = f"Bearer {os.environ[name]}"
        url = self.keys.endpoint.rstrip("/") + "/chat/completions"
        request = urllib.request.Request(url, data=msgspec.json.encode(body), headers=headers)
        with urllib.request.urlopen(request, timeout=self.keys.timeout_seconds) as answer:
            return msgspec.json.decode(answer.read(), type=Answered)

    def _refusal(self, problem: str) -> MissingCapability:
        return MissingCapability(
            f"{self.keys.called} did not answer: {problem}",
            where=f"{self.keys.place}: {self.keys.endpoint}",
            hint="start it and run the same command: what it said is kept and not asked again",
        )
