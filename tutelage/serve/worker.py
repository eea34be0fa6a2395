"""The one thread that owns the engine: requests wait in a bounded queue and come out as pieces.

A request that is alone is drawn token by token, so that it can be broken off; those of
equal decoding that wait together are computed side by side and then go to their end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from tutelage.core.errors import TutelageError
from tutelage.engine.protocol import Chunk, Decoding, Engine, Prompt

SEED_BITS = 63
LOG = logging.getLogger(__name__)


class Busy(Exception):
    """As many requests wait as may."""


class Failed(Exception):
    """The engine broke down over a request; says how, without anybody's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How one answer is to be drawn; without a seed, by chance."""

    max_new_tokens: int
    temperature: float
    top_p: float
    seed: int | None
    stop: tuple[int, ...]

    @property
    def shareable(self) -> bool:
        """Whether the answer is the same in company: a drawn one depends on its place."""
        return self.temperature == 0 or self.seed is None

    def decoding(self) -> Decoding:
        """What the engine is asked, a seed drawn where chance is wanted."""
        chance = 0 if self.temperature == 0 else secrets.randbits(SEED_BITS)
        return Decoding(
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=chance if self.seed is None else self.seed,
            stop=self.stop,
        )


class Job:
    """One request and its answer's pieces; made in the event loop that takes them."""

    def __init__(self, prompt: Prompt, wish: Wish, *, piecewise: bool) -> None:
        self.prompt = prompt
        self.wish = wish
        self.piecewise = piecewise  # wanted as it is drawn, not when it is whole
        self.cancelled = False
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Chunk | Failed] = asyncio.Queue()

    def tell(self, piece: Chunk | Failed) -> None:
        """Hands a piece over from the engine's thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def pieces(self, deadline: float) -> AsyncGenerator[Chunk, None]:
        """The answer's pieces, until the one that says why it ended.

        `deadline` is of the event loop's clock.
        Raises: TimeoutError, Failed.
        """
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await self._pieces.get()
            if isinstance(piece, Failed):
                raise piece
            yield piece
            if piece.stop is not None:
                return


class Worker:
    """Answers jobs, oldest first."""

    def __init__(self, engine: Engine, *, batch: int, max_waiting: int) -> None:
        self._engine = engine
        self._batch = batch
        self._max_waiting = max_waiting
        self._waiting: deque[Job] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Requests that no answer was begun of."""
        with self._changed:
            return sum(not job.cancelled for job in self._waiting)

    def submit(self, job: Job) -> None:
        """Lets a job wait for its turn.

        Raises: Busy.
        """
        with self._changed:
            self._waiting = deque(one for one in self._waiting if not one.cancelled)
            if self._closed or len(self._waiting) >= self._max_waiting:
                raise Busy
            self._waiting.append(job)
            self._changed.notify()

    def close(self) -> None:
        """Answers what waits, then lets go of the engine."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        self._thread.join()
        self._engine.close()

    def _work(self) -> None:
        while group := self._take():
            try:
                self._answer(group)
            except Exception as error:  # noqa: BLE001  the thread must live; what broke is told
                # a message of the library names no text; of others only the kind is safe to log
                says = error.message if isinstance(error, TutelageError) else type(error).__name__
                LOG.warning("the engine failed: %s", says)
                for job in group:
                    job.tell(Failed(type(error).__name__))

    def _take(self) -> list[Job]:
        """The oldest job and those that can be computed beside it; nothing when it is over."""
        with self._changed:
            while True:
                self._waiting = deque(job for job in self._waiting if not job.cancelled)
                if self._waiting:
                    break
                if self._closed:
                    return []
                self._changed.wait()
            group = [self._waiting.popleft()]
            first = group[0]
            if first.piecewise or not first.wish.shareable:
                return group
            for job in [one for one in self._waiting if self._fits(first, one)]:
                if len(group) < self._batch:
                    self._waiting.remove(job)
                    group.append(job)
            return group

    def _fits(self, first: Job, job: Job) -> bool:
        return not job.piecewise and job.wish == first.wish

    def _answer(self, group: Sequence[Job]) -> None:
        decoding = group[0].wish.decoding()
        if len(group) == 1:
            self._draw(group[0], decoding)
            return
        answers = self._engine.generate([job.prompt for job in group], decoding)
        for job, answer in zip(group, answers, strict=True):
            job.tell(Chunk(text=answer.text, stop=answer.stop, ids=answer.ids))

    def _draw(self, job: Job, decoding: Decoding) -> None:
        for piece in self._engine.stream(job.prompt, decoding):
            if job.cancelled:
                return
            job.tell(piece)
