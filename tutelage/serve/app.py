"""The routes of a server, and what is true of every request: counted, bounded, nothing logged."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tutelage.serve.answer import Answerer
from tutelage.serve.exchange import Exchange
from tutelage.serve.feedback import give_feedback
from tutelage.serve.refusal import Refusal
from tutelage.serve.shapes import DONE, Pieces, completion, models, sse

BODY_BYTES = 4 << 20
THIS_MACHINE = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d*)?", re.IGNORECASE)
GONE = 499  # what a request is counted as whose client went away, as nginx counts it
JSON, METRICS = "application/json", "text/plain; version=0.0.4; charset=utf-8"
Endpoint = Callable[[Request], Awaitable[Response]]
LOG = logging.getLogger(__name__)


def make_app(answerer: Answerer, *, local: bool = True) -> Starlette:
    """The application that serves one release; it closes answerer and journal when it ends.

    Where it is `local` it listens on a loopback address alone, and takes only requests that
    name this machine: a page from elsewhere whose name was made to lead here does not.
    """
    served, counters = answerer.served, answerer.counters
    listed = models(served, created=int(time.time()))

    async def chat(request: Request) -> Response:
        exchange = await answerer.open(await _body(request))
        if exchange.asked.stream:
            return await _streamed(answerer, exchange, request)
        await _while_there(request, answerer.whole(exchange))
        return _json(completion(exchange, model=served.model, label=served.label))

    async def list_models(request: Request) -> Response:
        return _json(listed)

    async def healthz(request: Request) -> Response:
        return _json(_health(answerer))

    async def metrics(request: Request) -> Response:
        return Response(counters.text(), media_type=METRICS)

    async def feedback(request: Request) -> Response:
        body, key = await _body(request), request.headers.get("idempotency-key")
        journal, keeper = answerer.journal, answerer.keeper
        return _json(await run_in_threadpool(give_feedback, body, key, journal, keeper))

    async def strange(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        counters.request("none", status)
        says = "there is nothing here" if status == 404 else "this method is not allowed here"
        refusal = Refusal(says, code="not_found" if status == 404 else "not_allowed", status=status)
        return _json(refusal.form(), status)

    def route(path: str, endpoint: Endpoint, method: str) -> Route:
        asked = _asked_here(endpoint) if local else endpoint
        return Route(path, _answered(path, asked, answerer), methods=[method])

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(answerer.close)
        await run_in_threadpool(answerer.journal.close)

    app = Starlette(
        routes=[
            route("/v1/chat/completions", chat, "POST"),
            route("/v1/models", list_models, "GET"),
            route("/v1/feedback", feedback, "POST"),
            route("/healthz", healthz, "GET"),
            route("/metrics", metrics, "GET"),
        ],
        exception_handlers={HTTPException: strange},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # `/healthz/` is nothing, and leads nowhere
    return app


class _Sent(StreamingResponse):
    """A streamed response whose source is told when its client has gone."""

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(pieces, media_type="text/event-stream", headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the pieces."""
        async with aclosing(self._pieces):
            await super().__call__(scope, receive, send)


async def _streamed(answerer: Answerer, exchange: Exchange, request: Request) -> Response:
    """The answer as server-sent events; what fails before the first one has a status of its own."""
    served = answerer.served
    lines = Pieces(exchange, model=served.model, label=served.label)
    pieces = answerer.pieces(exchange)
    if answerer.held(exchange.asked):
        await _while_there(request, answerer.whole(exchange))
        return _Sent(_held(lines))
    first = await _while_there(request, anext(pieces, ""))
    return _Sent(_live(first, pieces, lines))


async def _held(lines: Pieces) -> AsyncGenerator[bytes, None]:
    yield lines.opening()
    for line in (*lines.held(), *lines.closing()):
        yield line


async def _live(
    first: str, pieces: AsyncGenerator[str, None], lines: Pieces
) -> AsyncGenerator[bytes, None]:
    async with aclosing(pieces):
        yield lines.opening()
        try:
            if first:
                yield lines.text(first)
            async for text in pieces:
                yield lines.text(text)
        except Refusal as refusal:  # too late for a status: the stream itself says it
            yield sse(refusal.form())
            yield DONE
            return
        for line in lines.closing():
            yield line


async def _while_there(request: Request, work: Any) -> Any:
    """What the work comes to; it is broken off when the client goes away.

    Raises: ClientDisconnect; whatever the work raises.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request) -> bytes:
    """The request's body.

    Raises: Refusal where it is longer than may be, or is not sent as JSON: a page in a
        browser cannot send that here without being asked to.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON:
        raise Refusal(f"the body must be `{JSON}`", code="unsupported_media_type", status=415)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            raise Refusal(
                f"the body is longer than {BODY_BYTES} bytes", code="too_large", status=413
            )
    return bytes(body)


def _health(answerer: Answerer) -> dict[str, Any]:
    """What a server that can answer says of itself.

    Raises: Refusal where what happens can no longer be kept.
    """
    if not answerer.journal.writing:
        raise Refusal("events can no longer be kept", code="journal_stopped", status=503)
    return {"status": "ok", "release": answerer.served.label}


def _asked_here(endpoint: Endpoint) -> Endpoint:
    """The endpoint, for requests that name this machine in `Host`."""

    async def answer(request: Request) -> Response:
        if not THIS_MACHINE.fullmatch(request.headers.get("host", "")):
            says = "this server is asked as localhost, 127.0.0.1 or [::1]"
            raise Refusal(says, code="misdirected_request", status=421)
        return await endpoint(request)

    return answer


def _answered(path: str, endpoint: Endpoint, answerer: Answerer) -> Endpoint:
    """The endpoint, with every outcome counted and told in one shape."""

    async def answer(request: Request) -> Response:
        try:
            response = await endpoint(request)
        except Refusal as refusal:
            response = _json(refusal.form(), refusal.status)
            response.headers.update(refusal.headers)
        except ClientDisconnect:
            response = Response(status_code=GONE)
        except Exception as error:  # noqa: BLE001  its message may hold words of a user's
            LOG.warning("%s failed: %s", path, type(error).__name__)
            failed = Refusal("the server failed", code="server_failed", status=500)
            response = _json(failed.form(), failed.status)
        answerer.counters.request(path, response.status_code)
        return response

    return answer


def _json(form: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(form), status, media_type=JSON)
