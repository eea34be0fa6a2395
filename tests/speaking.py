"""A server that says bytes, whatever it is asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def speaking(at_once: bytes, drip: bytes = b"") -> Iterator[str]:
    """The address of a server that says one thing to everybody, and then drips without end."""
    over, listener = Event(), socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)

    def speak(to: socket.socket) -> None:
        with to:
            to.recv(1 << 16)
            to.sendall(at_once)
            while drip and not over.wait(0.01):
                to.sendall(drip)

    def serve() -> None:
        while not over.is_set():
            try:
                speak(listener.accept()[0])
            except OSError:  # nobody came, or went away
                continue

    thread = Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        over.set()
        thread.join()
        listener.close()
