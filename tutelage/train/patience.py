"""Says so when a rank has waited long for the others."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

SLOW = 120.0  # seconds of one wait before it is told, and again whenever it is twice as long
LOOK = 5.0

log = logging.getLogger(__name__)


class Patience(AbstractContextManager["Patience"]):
    """A block in which this rank waits; `tell` hears how many seconds it has waited in it.

    It is watched by a thread of its own from the first block on, until it is closed.
    """

    def __init__(
        self, tell: Callable[[float], None], *, slow: float = SLOW, look: float = LOOK
    ) -> None:
        self._tell, self._slow, self._look = tell, slow, look
        self._since: float | None = None
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Patience:
        if self._thread is None:
            self._closed.clear()
            self._thread = threading.Thread(target=self._watch, name="patience", daemon=True)
            self._thread.start()
        self._since = time.monotonic()
        return self

    def __exit__(self, *raised: object) -> None:
        self._since = None

    def close(self) -> None:
        """Ends the thread; another block would begin another."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._closed.set()
            thread.join()

    def _watch(self) -> None:
        told_of, enough = 0.0, self._slow
        while not self._closed.wait(self._look):
            since = self._since
            if since is None:
                continue
            if since != told_of:
                told_of, enough = since, self._slow
            waited = time.monotonic() - since
            if waited >= enough:
                self._tell(waited)
                enough *= 2


def warn(rank: int) -> Callable[[float], None]:
    """Tells the log that a rank waits."""

    def tell(seconds: float) -> None:
        log.warning(
            "rank %d has waited %.0f s for the others; one of them may hang: Ctrl-C ends all of "
            "them within a minute, and the same command goes on from the last checkpoint",
            rank,
            seconds,
        )

    return tell
