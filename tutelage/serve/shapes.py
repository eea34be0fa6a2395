"""Responses in the shapes OpenAI's clients read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tutelage.core.conversation import ToolCall
from tutelage.serve.exchange import Exchange
from tutelage.serve.served import Served

HELD_BACK = "The answer was held back by a guardrail."
DONE = b"data: [DONE]\n\n"


def completion(exchange: Exchange, *, model: str, label: str) -> dict[str, Any]:
    """A whole answer."""
    message: dict[str, Any] = {"role": "assistant", **_said(exchange)}
    choice = {
        "index": 0,
        "message": {"refusal": None, **message},
        "logprobs": None,
        "finish_reason": finish_reason(exchange),
    }
    return {
        "id": exchange.id,
        "object": "chat.completion",
        "created": exchange.created,
        "model": model,
        "system_fingerprint": label,
        "choices": [choice],
        "usage": usage(exchange),
    }


class Pieces:
    """A streamed answer, line by line as server-sent events."""

    def __init__(self, exchange: Exchange, *, model: str, label: str) -> None:
        self._exchange = exchange
        self._about = {
            "id": exchange.id,
            "object": "chat.completion.chunk",
            "created": exchange.created,
            "model": model,
            "system_fingerprint": label,
        }

    def opening(self) -> bytes:
        """Who speaks."""
        return self._line({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._line({"content": text})

    def held(self) -> Iterator[bytes]:
        """The whole answer of an exchange that was held back until it was checked."""
        said = _said(self._exchange)
        calls = said.pop("tool_calls", [])
        if calls:
            numbered = [{"index": at, **call} for at, call in enumerate(calls)]
            yield self._line({"tool_calls": numbered})
        else:
            yield self._line(said)

    def closing(self) -> Iterator[bytes]:
        """Why it ended, what it took where that was asked, and that it is over."""
        yield self._line({}, finish_reason(self._exchange))
        if self._exchange.asked.include_usage:
            yield sse({**self._about, "choices": [], "usage": usage(self._exchange)})
        yield DONE

    def _line(self, delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        form: dict[str, Any] = {**self._about, "choices": [choice]}
        if self._exchange.asked.include_usage:
            form["usage"] = None
        return sse(form)


def sse(form: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + msgspec.json.encode(form) + b"\n\n"


def usage(exchange: Exchange) -> dict[str, int]:
    """Tokens of prompt and answer."""
    prompt, answer = len(exchange.prompt), exchange.tokens
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


def models(served: Served, *, created: int) -> dict[str, Any]:
    """The list of the one model, with the base it was made from and its prompt contract."""
    one = {
        "id": served.model,
        "object": "model",
        "created": created,
        "owned_by": "tutelage",
        "root": served.base,
        "parent": served.base,
        "release": served.label,
        "contract": served.contract.digest,
    }
    return {"object": "list", "data": [one]}


def finish_reason(exchange: Exchange) -> str:
    """Why the answer ended, in OpenAI's words."""
    if exchange.calls and exchange.finish == "stop":
        return "tool_calls"
    return exchange.finish


def _said(exchange: Exchange) -> dict[str, Any]:
    if exchange.finish == "content_filter":
        return {"content": None, "refusal": HELD_BACK}
    if exchange.calls:
        return {"content": None, "tool_calls": [_call(call) for call in exchange.calls]}
    return {"content": exchange.answer}


def _call(call: ToolCall) -> dict[str, Any]:
    arguments = msgspec.json.encode(call.arguments).decode()
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
