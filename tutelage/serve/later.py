"""Work that nobody waits for, done soon in a thread of its own, in the order it came."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Later:
    """For what must be done though it cannot be awaited, as where a generator is closed.

    The event loop is everybody's: what takes long may not be done on it either.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, name)

    def do(self, work: Callable[[], None]) -> None:
        """Does it soon; at once where this is closed, since nothing is done after that."""
        try:
            self._pool.submit(work)
        except RuntimeError:
            work()

    def close(self) -> None:
        """Does all that is left."""
        self._pool.shutdown()
