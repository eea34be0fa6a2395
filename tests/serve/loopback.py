"""A real server on loopback, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.applications import Starlette

from tutelage.serve.run import Place, answering, listen

DEADLINE_SECONDS = 20.0


@contextmanager
def loopback(app: Starlette) -> Iterator[str]:
    """The address of a server that runs for the block."""
    with (
        listen(Place(port=0)) as listener,
        answering(app, listener, longest=DEADLINE_SECONDS) as url,
    ):
        yield url


def until(true: Callable[[], bool]) -> None:
    """Waits for something other threads bring about."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    turn = threading.Event()
    while not true():
        assert time.monotonic() < deadline, "it never came about"
        turn.wait(0.005)
