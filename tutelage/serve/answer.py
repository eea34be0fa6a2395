"""A request becomes a conversation, a prompt, an answer and an Event.

The contract alone renders prompts: it is the object the lessons were rendered with,
and the text of a message can never become one of its markers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial

from starlette.concurrency import run_in_threadpool

from tutelage.core.conversation import Conversation
from tutelage.core.errors import ContractError, StoreError
from tutelage.core.recipe.serve import Check
from tutelage.engine.protocol import Prompt, Stop
from tutelage.score.parse import parse
from tutelage.serve.counters import Counters
from tutelage.serve.cutter import Cutter
from tutelage.serve.exchange import Exchange, Finish, Keeper, calls_of, guarded
from tutelage.serve.guardrails import Find, Guardrails, check_rails, checks_of
from tutelage.serve.later import Later
from tutelage.serve.refusal import Refusal, failed
from tutelage.serve.served import Served
from tutelage.serve.wire import Asked, read_request
from tutelage.serve.worker import Busy, Failed, Job, Wish, Worker
from tutelage.store.journal import Journal

LOG = logging.getLogger(__name__)
FINISHES: Mapping[Stop, Finish] = {"stop": "stop", "length": "length", "cancelled": "cancelled"}


class Answerer:
    """Answers requests for chat completions.

    Raises: ContractError where the release's guardrails cannot be kept.
    """

    def __init__(
        self, served: Served, journal: Journal, checks: Mapping[Check, Find] | None = None
    ) -> None:
        check_rails(served.section.guardrails, served.schema)
        found = checks if checks is not None else checks_of(served.schema)
        section = served.section
        self.served = served
        self.journal = journal
        self.worker = Worker(served.engine, batch=section.batch, max_waiting=section.max_waiting)
        self.counters = Counters(
            waiting=lambda: self.worker.waiting, dropped=lambda: journal.dropped
        )
        self.counters.release(label=served.label, digest=served.digest, base=served.base)
        self._rails = Guardrails(section.guardrails, found)
        self._later = Later("recording")
        self.keeper = Keeper(
            model=served.model,
            keep=section.keep,
            finders=(found["pii"], found["secrets"]),
            schema=served.schema,
        )

    async def open(self, body: bytes) -> Exchange:
        """The exchange a body asks for, its prompt rendered.

        Raises: Refusal.
        """
        try:
            return await run_in_threadpool(self._opened, body)
        except RecursionError:
            says = "the request is nested too deeply: its tools, or the arguments of a call"
            raise Refusal(says, code="invalid_value", param="messages") from None

    async def whole(self, exchange: Exchange) -> None:
        """Brings an exchange to its end: its answer, checked.

        Raises: Refusal.
        """
        async for _ in self.pieces(exchange):
            pass

    def held(self, asked: Asked) -> bool:
        """Whether an answer must be whole and checked before any of it is sent."""
        return self._rails.hold_answers or asked.form != "text" or bool(asked.conversation.tools)

    async def pieces(self, exchange: Exchange) -> AsyncGenerator[str, None]:
        """The text of an answer as it is drawn; afterwards the exchange is at its end.

        Raises: Refusal.
        """
        try:
            async with aclosing(self._drawn(exchange)) as drawn:
                async for text in drawn:
                    yield text
            misfit = await run_in_threadpool(self._end, exchange)
        except Exception as error:  # noqa: BLE001  whatever it was, the event says so
            refusal = error if isinstance(error, Refusal) else failed(error)
            exchange.finish, exchange.error = "error", refusal.code
            await run_in_threadpool(self._record, exchange)
            raise refusal from None
        finally:
            # a client that has gone ends the generator: `finish` is then still `cancelled`
            if not exchange.recorded:
                self._later.do(partial(self._record, exchange))
        if misfit is not None:
            raise misfit

    def close(self) -> None:
        """Answers what waits and lets go of the engine; the journal stays open."""
        self.worker.close()
        self._later.close()

    def _opened(self, body: bytes) -> Exchange:
        began = time.monotonic()
        asked = read_request(body)
        self._check(asked)
        conversation, flags, blocked = guarded(asked.conversation, self._rails)
        exchange = Exchange(asked=asked, conversation=conversation, flags=flags, began=began)
        if blocked:
            exchange.finish = "content_filter"
            self._record(exchange)
            raise Refusal(
                "a guardrail holds this request back",
                code="content_filter",
                param="messages",
                id=exchange.id,
            )
        try:
            exchange.prompt = self._prompt(conversation)
        except Refusal:
            self.counters.flags(flags)  # there is no event that could tell of them
            raise
        return exchange

    def _prompt(self, conversation: Conversation) -> tuple[int, ...]:
        """The ids the model meets.

        Raises: Refusal where the template refuses the conversation, or there is no room.
        """
        try:
            prompt = self.served.contract.prompt_ids(conversation)
        except ContractError as error:
            raise Refusal(error.message, code="prompt_refused", param="messages") from None
        room = self.served.contract.context
        if len(prompt) >= room:
            raise Refusal(
                f"the prompt has {len(prompt)} tokens; at most {room - 1} leave room",
                code="context_length_exceeded",
                param="messages",
            )
        return prompt

    def _check(self, asked: Asked) -> None:
        """Raises Refusal where the release does not give what is asked."""
        served = self.served
        if asked.model not in (served.model, served.label):
            raise Refusal(
                f"there is no model `{asked.model}` here; `{served.model}` is served",
                code="model_not_found",
                status=404,
                param="model",
            )
        own = served.contract.renderer.policy.served is not None
        systems = [m for m in asked.conversation.messages if m.role == "system"]
        if own and systems and served.section.client_system == "refuse":
            raise Refusal(
                "this model has a system message of its own; leave yours out",
                code="system_refused",
                param="messages",
            )
        if asked.conversation.tools and not served.takes_tools:
            raise Refusal(
                "`tools` is not supported: the model's template has no place for tools",
                code="unsupported_parameter",
                param="tools",
            )

    async def _drawn(self, exchange: Exchange) -> AsyncGenerator[str, None]:
        asked, deadline = exchange.asked, self._deadline(exchange)
        prompt = Prompt(ids=exchange.prompt, messages=exchange.conversation.messages)
        exchange.live = asked.stream and not self.held(asked)
        job = Job(prompt, self._wish(asked), piecewise=exchange.live)
        cutter = Cutter(asked.stop)
        try:
            self.worker.submit(job)
            async for piece in job.pieces(deadline):
                text = cutter.take(piece.text, last=piece.stop is not None)
                exchange.drawn(text, len(piece.ids))
                if text:
                    yield text
                if piece.stop is not None or cutter.cut:
                    exchange.finish = "stop" if cutter.cut else FINISHES[piece.stop or "stop"]
                    return
        except Busy:
            exchange.recorded = True  # turned away: there was no answer
            self.counters.flags(exchange.flags)
            raise Refusal(
                "too many requests wait; come again", code="rate_limit_exceeded", status=429
            ) from None
        except TimeoutError:
            seconds = self.served.section.timeout_seconds
            raise Refusal(
                f"no answer within {seconds:g} seconds", code="timeout", status=504, id=exchange.id
            ) from None
        except Failed:
            raise Refusal(
                "the model failed over this request", code="engine_failed", status=500
            ) from None
        finally:
            job.cancelled = True

    def _wish(self, asked: Asked) -> Wish:
        own = self.served.contract.decoding
        longest = own.max_new_tokens
        temperature = own.temperature if asked.temperature is None else asked.temperature
        return Wish(
            max_new_tokens=min(asked.max_tokens or longest, longest),
            temperature=temperature,
            top_p=own.top_p if asked.top_p is None else asked.top_p,
            seed=asked.seed if temperature > 0 else None,
            stop=self.served.contract.stop_ids,
        )

    def _deadline(self, exchange: Exchange) -> float:
        left = self.served.section.timeout_seconds - exchange.seconds
        return asyncio.get_running_loop().time() + left

    def _end(self, exchange: Exchange) -> Refusal | None:
        """Judges the answer and leaves the Event; what is to be said where it does not fit."""
        self._judge(exchange)
        misfit = self._misfit(exchange)
        exchange.error = misfit.code if misfit else None
        self._record(exchange)
        return misfit

    def _judge(self, exchange: Exchange) -> None:
        """Puts the answer through its guardrails, and reads the calls in it."""
        looked = self._rails.look([exchange.text], "output")
        exchange.flags += looked.flags
        if looked.blocked:
            exchange.finish = "content_filter"
            return
        exchange.answer = looked.texts[0]
        if exchange.conversation.tools:
            exchange.calls = calls_of(exchange.answer, exchange.conversation.tools)

    def _misfit(self, exchange: Exchange) -> Refusal | None:
        """What to say where the answer is not of the form the client asked for."""
        asked, at, id = exchange.asked, "response_format", exchange.id
        if asked.form == "text" or exchange.finish == "content_filter" or exchange.calls:
            return None
        try:
            if asked.schema is not None:
                fits = asked.schema.valid(exchange.answer)
            else:
                fits = isinstance(parse(exchange.answer).value, dict)
        except Refusal as refusal:  # a `$ref` that leads nowhere, found only on the way
            refusal.id = id
            return refusal
        if fits:
            return None
        says = f"the answer does not satisfy `response_format`; it is event {id}"
        return Refusal(says, code="schema_mismatch", status=422, param=at, id=id)

    def _record(self, exchange: Exchange) -> None:
        """Leaves the exchange's Event in the journal, once."""
        if exchange.recorded:
            return
        exchange.recorded = True
        counters = self.counters
        counters.flags(exchange.flags)
        if exchange.first_token_seconds is not None:
            counters.first_token(exchange.first_token_seconds)
        counters.answer(
            exchange.finish,
            prompt=len(exchange.prompt),
            completion=exchange.tokens,
            seconds=exchange.seconds,
        )
        try:
            payload = self.keeper.payload(exchange)
        except Exception as error:  # noqa: BLE001  a detector broke: the event is kept, its words not
            LOG.warning("an event is kept without its words: %s", type(error).__name__)
            counters.broken("keep", "block")
            payload = self.keeper.without_words(exchange)
        try:
            digest = self.served.digest
            self.journal.offer("completion", release=digest, payload=payload, id=exchange.id)
        except StoreError as error:
            LOG.warning("an event was not kept: %s", error.message)
