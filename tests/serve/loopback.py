"""A real server on loopback, in a thread of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from tutelage.serve.run import Place, address, listen

DEADLINE_SECONDS = 20.0


@contextmanager
def loopback(app: Starlette) -> Iterator[str]:
    """The address of a server that runs for the block, and ends well after it."""
    with listen(Place(port=0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join(DEADLINE_SECONDS)
            assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    """Waits for something other threads bring about."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    turn = threading.Event()
    while not true():
        assert time.monotonic() < deadline, "it never came about"
        turn.wait(0.005)
