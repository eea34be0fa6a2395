"""The elements of a JSON list, read a window at a time."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO

from tutelage.core.errors import RowError

WINDOW = 1 << 20  # characters
EDGE = 64  # so near to the window's end a fault may be one of the window
BLANK = " \t\r\n"


def elements(stream: io.BufferedReader, name: str) -> Iterator[tuple[int, str]]:
    """The text of each element and the line it begins on; each is yet to be read strictly.

    Raises: RowError for what is no list.
    """
    # what is not UTF-8 survives as lone surrogates, so that only its own row is refused
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    window = _Window(text=text, name=name)
    window.take("[")
    if window.next() == "]":
        window.take("]")
    else:
        more = True
        while more:
            yield window.element()
            more = window.take(",]") == ","
    if window.next():
        raise window.wrong("there is more after its end")
    text.detach()  # the stream is its opener's to close


@dataclass(slots=True, kw_only=True)
class _Window:
    text: TextIO
    name: str
    buffer: str = ""
    at: int = 0  # in the buffer
    line: int = 1  # of `at`
    ended: bool = False
    # control characters inside a text are a fault of their row alone, which is read strictly
    scanner: json.JSONDecoder = field(default_factory=lambda: json.JSONDecoder(strict=False))

    def more(self) -> None:
        """Reads on, at least as much again as is still needed, and forgets what is done."""
        left = self.buffer[self.at :]
        fresh = self.text.read(max(WINDOW, len(left)))
        self.buffer, self.at, self.ended = left + fresh, 0, not fresh

    def next(self) -> str:
        """The next character that is not blank, empty at the end."""
        while True:
            while self.at < len(self.buffer):
                letter = self.buffer[self.at]
                if letter not in BLANK:
                    return letter
                self.line += letter == "\n"
                self.at += 1
            if self.ended:
                return ""
            self.more()

    def take(self, expected: str) -> str:
        """The next character, which must be one of these.

        Raises: RowError.
        """
        found = self.next()
        if not found:
            raise self.wrong("it ends too early")
        if found not in expected:
            raise self.wrong(f"expected {' or '.join(f'`{one}`' for one in expected)}")
        self.at += 1
        return found

    def element(self) -> tuple[int, str]:
        """The line and the text of the element that begins here."""
        self.next()
        while True:
            try:
                _, end = self.scanner.raw_decode(self.buffer, self.at)
            except json.JSONDecodeError as error:
                open_text = error.msg.startswith("Unterminated")
                near_end = open_text or error.pos > len(self.buffer) - EDGE
                if not near_end or self.ended:
                    self.line += self.buffer.count("\n", self.at, error.pos)
                    cut = open_text or not self.buffer[error.pos :].strip(BLANK)
                    said = f"{error.msg[:1].lower()}{error.msg[1:]}"
                    raise self.wrong("it ends too early" if cut else said) from error
            except RecursionError as error:
                raise self.wrong("it is nested too deeply") from error
            else:
                if end < len(self.buffer) or self.ended:
                    break
            self.more()
        found, line = self.buffer[self.at : end], self.line
        self.line += found.count("\n")
        self.at = end
        return line, found

    def wrong(self, problem: str) -> RowError:
        """The error of a fault on the current line."""
        return RowError(f"not a JSON list: {problem} at line {self.line}", where=self.name)
