"""Checkpoints written beside training, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

from tutelage.core.errors import TrainingError, TutelageError


class Writer(AbstractContextManager["Writer"]):
    """A thread that writes what it is given; the block ends when all of it is written.

    There is one copy of the state beside the live one at most: whoever gives more waits.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._last: Future[object] | None = None

    def give(self, copy: Callable[[], Callable[[], object]]) -> None:
        """Has what `copy` gives written; the copy is made once the one before is on disk.

        Raises: what writing the one before raised.
        """
        self.wait()
        self._last = self._pool.submit(copy())

    def check(self) -> None:
        """Raises: what writing raised, if it is known by now."""
        if self._last is not None and self._last.done():
            self.wait()

    def wait(self) -> None:
        """Returns when all is written.

        Raises: TutelageError saying why it could not be.
        """
        last, self._last = self._last, None
        if last is None:
            return
        error = last.exception()
        if isinstance(error, TutelageError):
            raise error
        if error is not None:
            raise TrainingError(
                f"a checkpoint could not be written: {error}",
                hint="mend the cause and run the same command: it goes on from the one before",
            ) from error

    def __exit__(self, kind: type[BaseException] | None, *raised: object) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            self.wait()
