"""What a client is told when it gets no answer, in the shape OpenAI's clients read."""

from __future__ import annotations

import logging
from typing import Any

LOG = logging.getLogger(__name__)
TYPES = {429: "rate_limit_error", 500: "server_error", 503: "server_error", 504: "server_error"}


class Refusal(Exception):
    """No answer, and why: an HTTP status, a sentence, a stable code and the parameter at fault.

    `id` is that of the event where one was written, so that it can be rated. It is no
    TutelageError: those are told to whoever runs the server, this to whoever asks it.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        status: int = 400,
        param: str | None = None,
        id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.param = param
        self.id = id

    def form(self) -> dict[str, Any]:
        """The body of the response."""
        error = {
            "message": self.message,
            "type": TYPES.get(self.status, "invalid_request_error"),
            "param": self.param,
            "code": self.code,
        }
        return {"error": error} if self.id is None else {"id": self.id, "error": error}

    @property
    def headers(self) -> dict[str, str]:
        """When to come again, where that helps."""
        return {"retry-after": "1"} if self.status in (429, 503) else {}


def failed(error: Exception) -> Refusal:
    """What a client is told of an error it did not make; only its kind is safe to log."""
    LOG.warning("an answer failed: %s", type(error).__name__)
    return Refusal("the server failed", code="server_failed", status=500)


def invalid(param: str, expected: str) -> Refusal:
    """A parameter that is not what it must be."""
    return Refusal(f"`{param}` must be {expected}", code="invalid_value", param=param)
