"""What asking a server over HTTP takes care of: keys that can be sent, replies that end."""

from __future__ import annotations

import os
import time
import urllib.error
from collections.abc import Callable
from http.client import HTTPException
from typing import Protocol

MOST_BYTES = 64 << 20  # of a reply
AT_ONCE = 1 << 16
WORDS_SHOWN = 200  # of what a server says of an error


class Body(Protocol):
    """A reply's body, as `urlopen` gives it."""

    def read1(self, amount: int = -1, /) -> bytes:
        """What has come of it, so many bytes at most; nothing at its end."""


def bearer(name: str) -> str:
    """The header of a key that an environment variable holds, without blanks around it.

    Raises: LookupError where it holds none, or none that a header can carry; it is not shown.
    """
    if name not in os.environ:
        raise LookupError(f"environment variable {name} is not set")
    key = os.environ[name].strip()
    if not key:
        raise LookupError(f"environment variable {name} is empty")
    if not (key.isascii() and key.isprintable()):
        raise LookupError(f"environment variable {name} holds signs that no header can carry")
    return f"Bearer {key}"


def read_within(
    body: Body,
    seconds: float,
    *,
    most: int = MOST_BYTES,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """A whole reply.

    Raises: TimeoutError where it does not end within the time, however often a little comes;
        OSError where it is larger, or ends before its announced length.
    """
    until = clock() + seconds
    parts, size = [], 0
    while part := body.read1(AT_ONCE):
        parts.append(part)
        size += len(part)
        if clock() > until:
            raise TimeoutError(f"its reply did not end within {seconds:g} s")
        if size > most:
            raise OSError(f"its reply is larger than {most:,} bytes")
    if left := getattr(body, "length", None):  # of an HTTPResponse that has a length
        raise ConnectionError(f"its reply ended {left:,} bytes too early")
    return b"".join(parts)


def words_of(error: urllib.error.HTTPError) -> str:
    """The beginning of what a server says of an error, on one line; empty where it says nothing."""
    try:
        with error:
            return beginning(error.read(AT_ONCE))
    except (OSError, HTTPException):  # it was cut off
        return ""


def beginning(said: bytes) -> str:
    """The first words of what a server said, on one line that a terminal may print."""
    text = said[:AT_ONCE].decode(errors="replace")
    line = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return line if len(line) <= WORDS_SHOWN else f"{line[:WORDS_SHOWN]}…"
