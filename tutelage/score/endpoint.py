"""A model behind an OpenAI-compatible endpoint: asked, asked again where it fails, and counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

import msgspec

from tutelage.core.digest import Json, strong_digest
from tutelage.core.errors import MissingCapability
from tutelage.core.http import Key, Refused, beginning, post
from tutelage.core.recipe import ModelEndpoint
from tutelage.store.replies import Replies, Reply

log = logging.getLogger(__name__)
TRANSIENT = (408, 409, 425, 429, 500, 502, 503, 504)
FIRST_PAUSE = 0.5  # seconds before the second try; each further one waits twice as long
ALONE = (400, 413, 422)  # what is said of one request, not of all of them
CUT = ("length", "content_filter")  # why a reply ended that was not finished
PER = 1_000_000  # tokens a price is for


class Unanswered(MissingCapability):
    """One request was not answered; others may be."""


class Part(msgspec.Struct):
    """A part of a message; of other kinds than words none are read."""

    text: str = ""


class Said(msgspec.Struct):
    """A message of a reply."""

    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """Its words."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Choice(msgspec.Struct):
    """One of a reply's answers."""

    message: Said
    finish_reason: str | None = None


class Usage(msgspec.Struct):
    """Tokens as the endpoint counts them."""

    prompt_tokens: float | None = 0
    completion_tokens: float | None = 0

    @property
    def counts(self) -> tuple[int, int]:
        """Tokens read and written; 0 where they are not told."""
        return max(int(self.prompt_tokens or 0), 0), max(int(self.completion_tokens or 0), 0)


class Answered(msgspec.Struct):
    """The part of a chat completion that is read."""

    choices: list[Choice]
    usage: Usage | None = None

    @property
    def empty(self) -> bool:
        """Whether there is no reply at all."""
        return not self.choices or not self.choices[0].message.text

    @property
    def whole(self) -> bool:
        """Whether there is a reply, and it came to its end."""
        first = self.choices[0] if self.choices else None
        return first is not None and not self.empty and first.finish_reason not in CUT


@dataclass(slots=True)
class Spent:
    """What asking came to; replies kept from before cost nothing again."""

    asked: int = 0
    kept: int = 0
    tried_again: int = 0
    unfinished: int = 0  # replies that were empty or cut, and not kept
    key_said: int = 0  # replies that said the key; it was taken out
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def to_dict(self, keys: ModelEndpoint) -> dict[str, Json]:
        """The counts as plain JSON, with the cost at the recipe's prices."""
        return {
            "asked": self.asked,
            "kept": self.kept,
            "tried_again": self.tried_again,
            "unfinished": self.unfinished,
            "key_said": self.key_said,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cost": cost_of(keys, self.prompt_tokens, self.completion_tokens),
        }


def cost_of(keys: ModelEndpoint, prompt_tokens: int, completion_tokens: int) -> float:
    """What tokens cost at the recipe's prices."""
    return round(
        (prompt_tokens * keys.prompt_price + completion_tokens * keys.answer_price) / PER, 6
    )


@dataclass(slots=True)
class Endpoint:
    """Asks a model, from several threads too; replies are kept by digest of what was asked."""

    keys: ModelEndpoint
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

        Raises: Unanswered where the endpoint refuses this one, or says what is no reply, after all
            tries; MissingCapability where it gives none to anybody.
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
        key = self._key()
        answered = self._tried({**body, "seed": seed}, key)
        read, written = (answered.usage or Usage()).counts
        first = answered.choices[0] if answered.choices else Choice(message=Said())
        said, finish = first.message.text, first.finish_reason or ""
        reply = Reply(
            digest=digest,
            text=key.unsaid(said),
            finish=key.unsaid(finish),
            prompt_tokens=read,
            completion_tokens=written,
        )
        leaked = (reply.text, reply.finish) != (said, finish)
        with self._counting:
            if leaked and not self.spent.key_said:
                log.warning("%s said its key in a reply: it was taken out", self.keys.called)
            self.spent.key_said += leaked
            if answered.whole or (self.keeps_cut and not answered.empty):
                self.replies.keep(reply)
                self._own.add(digest)
            else:
                self.spent.unfinished += 1
            self.spent.asked += 1
            self.spent.prompt_tokens += read
            self.spent.completion_tokens += written
        return reply

    def _tried(self, body: dict[str, Json], key: Key) -> Answered:
        problem, kind = "", MissingCapability
        for number in range(self.keys.retries + 1):
            if number:
                with self._counting:
                    self.spent.tried_again += 1
                self.pause(FIRST_PAUSE * 2 ** (number - 1))
            try:
                answered = self._once(body, key)
                if answered.whole or number == self.keys.retries or not answered.empty:
                    return answered
            except Refused as error:
                problem = str(error)
                kind = Unanswered if error.status in ALONE else MissingCapability
                if error.status not in TRANSIENT:
                    break
            except msgspec.MsgspecError as error:
                problem, kind = f"what it said is no reply: {error}", Unanswered
            except OSError as error:
                problem, kind = str(error), MissingCapability
            except ValueError as error:
                problem, kind = f"its address cannot be read: {error}", MissingCapability
                break
        raise self._refusal(problem, kind)

    def _once(self, body: dict[str, Json], key: Key) -> Answered:
        url = self.keys.endpoint.rstrip("/") + "/chat/completions"
        whole = post(url, msgspec.json.encode(body), key, self.keys.timeout_seconds)
        try:
            return msgspec.json.decode(whole, type=Answered)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            told = f"{key.unsaid(str(error))}: {beginning(whole, key)}"
            raise msgspec.DecodeError(told) from None

    def _key(self) -> Key:
        try:
            return Key.of(self.keys.api_key_env)
        except LookupError as error:
            raise self._refusal(str(error)) from error

    def _refusal(
        self, problem: str, kind: type[MissingCapability] = MissingCapability
    ) -> MissingCapability:
        return kind(
            f"{self.keys.called} did not answer: {problem}",
            where=f"{self.keys.place}: {self.keys.endpoint}",
            hint="start it and run the same command: what it said is kept and not asked again",
        )
