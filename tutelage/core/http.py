"""What asking a server over HTTP takes care of: replies that end, keys that stay unsaid."""

from __future__ import annotations

import html
import io
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from socket import socket
from typing import Any, Protocol
from urllib.parse import quote

MOST_BYTES = 64 << 20  # of a reply
AT_ONCE = 1 << 16
WORDS_SHOWN = 200  # of what a server says of an error
UNSAID = "[key]"
PLAIN = 8  # signs: a shorter key may be part of a word, and its beginning tells little


class Body(Protocol):
    """A reply's body, as `urlopen` gives it."""

    def read1(self, amount: int = -1, /) -> bytes:
        """What has come of it, so many bytes at most; nothing at its end."""


class Refused(OSError):
    """A server answered that it does not do what it was asked."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"it answered {status}{f': {words}' if words else ''}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Key:
    """What a server asks for to be used; empty where it asks for none."""

    value: str = field(default="", repr=False)

    @classmethod
    def of(cls, name: str | None) -> Key:
        """The key an environment variable holds, without blanks around it.

        Raises: LookupError where it holds none, or none that a header can carry; it is not shown.
        """
        if name is None:
            return cls()
        if name not in os.environ:
            raise LookupError(f"environment variable {name} is not set")
        value = os.environ[name].strip()
        if not value:
            raise LookupError(f"environment variable {name} is empty")
        if not (value.isascii() and value.isprintable()):
            raise LookupError(f"environment variable {name} holds signs that no header can carry")
        return cls(value)

    @property
    def headers(self) -> dict[str, str]:
        """The header that carries it."""
        return {"Authorization": f"Bearer {self.value}"} if self.value else {}

    def unsaid(self, text: str) -> str:
        """A text of the server with `[key]` where it says the key, whole or up to where it ends.

        A key of a few signs, such as those that servers of one's own take, is one where it stands
        alone.
        """
        if not self.value:
            return text
        forms = {
            self.value,
            json.dumps(self.value)[1:-1],
            quote(self.value),
            html.escape(self.value),
        }
        forms |= {quote(self.value, safe=""), self.value.replace("/", "\\/")}
        said = "|".join(re.escape(one) for one in sorted(forms, key=len, reverse=True))
        if len(self.value) < PLAIN:
            return re.sub(rf"(?<![A-Za-z0-9])(?:{said})(?![A-Za-z0-9])", UNSAID, text)
        text = re.sub(said, UNSAID, text)
        sizes = range(len(self.value) - 1, PLAIN - 1, -1)
        half = next((size for size in sizes if text.endswith(self.value[:size])), 0)
        return text[:-half] + UNSAID if half else text


class Deadline:
    """The time by which a reply has come."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._until = clock() + seconds

    def left(self) -> float:
        """Seconds until then.

        Raises: TimeoutError where there are none.
        """
        left = self._until - self._clock()
        if left <= 0:
            raise self.passed
        return left

    @property
    def passed(self) -> TimeoutError:
        """What is raised where nothing came in time."""
        return TimeoutError(f"its reply did not end within {self._seconds:g} s")


def post(url: str, body: bytes, key: Key, seconds: float) -> bytes:
    """The whole reply to JSON that is sent; the key is not sent on to another address.

    Raises: Refused where the server says so, another OSError where no whole reply comes in time,
        ValueError where the address cannot be read. None of them says the key.
    """
    deadline = Deadline(seconds)
    opener = urllib.request.build_opener(_Plain(deadline), _Secure(deadline), _Stay())
    try:
        headers = {"Content-Type": "application/json", **key.headers}
        request = urllib.request.Request(url, data=body, headers=headers)
        with opener.open(request, timeout=seconds) as answer:
            return read_within(answer, deadline)
    except urllib.error.HTTPError as error:
        with error:
            raise Refused(error.code, words_of(error, key, deadline)) from None
    except (OSError, HTTPException) as error:
        raise ConnectionError(key.unsaid(str(error) or type(error).__name__)) from None


def read_within(body: Body, deadline: Deadline, *, most: int = MOST_BYTES) -> bytes:
    """A whole reply.

    Raises: TimeoutError where it does not end in time, however often a little comes;
        OSError where it is larger, or ends before its announced length.
    """
    parts, size = [], 0
    while part := body.read1(AT_ONCE):
        parts.append(part)
        size += len(part)
        deadline.left()
        if size > most:
            raise OSError(f"its reply is larger than {most:,} bytes")
    if left := getattr(body, "length", None):  # of an HTTPResponse that has a length
        raise ConnectionError(f"its reply ended {left:,} bytes too early")
    return b"".join(parts)


def words_of(body: Body, key: Key, deadline: Deadline) -> str:
    """The beginning of what a server says of an error, as far as it comes in time."""
    said = b""
    try:
        while len(said) < AT_ONCE and (part := body.read1(AT_ONCE)):
            said += part
            deadline.left()
    except (OSError, HTTPException):  # it was cut off
        pass
    return beginning(said, key)


def beginning(said: bytes, key: Key) -> str:
    """The first words of what a server said, on one line that a terminal may print."""
    text = key.unsaid(said[:AT_ONCE].decode(errors="replace"))
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    line = key.unsaid(line)
    return line if len(line) <= WORDS_SHOWN else f"{line[:WORDS_SHOWN]}…"


class _Timed(io.RawIOBase):
    """What comes of a socket, each part of it waited for no longer than the time that is left."""

    def __init__(self, sock: socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline
        self._raw = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        self._sock.settimeout(self._deadline.left())
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            raise self._deadline.passed from None

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reply(HTTPResponse):
    """A reply whose status and headers have to come in time, as its body has."""

    def __init__(self, deadline: Deadline, sock: socket, *rest: Any, **named: Any) -> None:
        super().__init__(sock, *rest, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_Timed(sock, deadline))


def _connection(kind: type[HTTPConnection], deadline: Deadline, host: str, **rest: Any) -> Any:
    made = kind(host, **{**rest, "timeout": deadline.left()})
    made.response_class = partial(_Reply, deadline)  # type: ignore[assignment]
    return made


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPConnection, self._deadline), req)


class _Secure(urllib.request.HTTPSHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPSConnection, self._deadline), req)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Another address is not asked: it would get the key, and no body."""

    def redirect_request(self, *asked: Any) -> None:
        return None
