"""The three streams of a process, whatever the shell closed or filled."""

from __future__ import annotations

import io
import os
import sys
from typing import IO


def prepare_streams(as_json: bool) -> None:
    """Sees to it that anything can be written, whatever the shell closed or the locale lacks."""
    _occupy()
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  for the whole process
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            utf_8 = as_json and stream is sys.stdout  # JSON has no other
            encoding = "utf-8" if utf_8 else stream.encoding
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _occupy() -> None:
    """Opens nothing on the numbers of closed streams, lest a socket or a file gets one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest that is free


def give_up(stream: IO[str]) -> None:
    """Lets what is still to be written go nowhere, so that the interpreter's last flush is mute."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(line: str, stream: IO[str]) -> None:
    """Writes a line of talk; where that fails, the talk is given up and the work goes on."""
    try:
        stream.write(line + "\n")
        stream.flush()
    except OSError:
        give_up(stream)
