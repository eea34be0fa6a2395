"""Who works on parts of the rows: this process, several here, Daft, or a Ray cluster.

Whoever it is, answers come in the order of the parts, so that the same is decided of them. A task
knows all it needs and travels whole; of the rows each worker has a few parts at a time.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol

from tutelage.core.errors import TutelageError
from tutelage.core.recipe import Scale
from tutelage.curate.packed import Packed

Task = Callable[[Packed], Any]
WORTH_ROWS = 1 << 14  # fewer are done before another process has begun
AHEAD = 2  # parts that wait for each worker


class Done(NamedTuple):
    """What a task gave of a part, and how long that took."""

    answer: Any
    seconds: float


class Runner(Protocol):
    """Whoever works on parts."""

    def map(self, task: Task, parts: Iterable[Packed]) -> Iterator[Done]:
        """What the task gives of each part, in order."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for cycles: rows have none, and it goes through all of them every time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def done(task: Task, part: Packed) -> Done:
    """One part, timed."""
    began = time.perf_counter()
    with uncollected():
        answer = task(part)
    return Done(answer, time.perf_counter() - began)


class Here:
    """This process, one part after the other."""

    def map(self, task: Task, parts: Iterable[Packed]) -> Iterator[Done]:
        """What the task gives of each part, in order."""
        for part in parts:
            yield done(task, part)


class Processes:
    """Several processes of this machine, which end with this one."""

    def __init__(self, workers: int, ends: ExitStack) -> None:
        self._workers = workers
        self._ends = ends
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._threads = ThreadPoolExecutor(workers)
        self._begun = False
        ends.callback(self._threads.shutdown, wait=True, cancel_futures=True)

    def map(self, task: Task, parts: Iterable[Packed]) -> Iterator[Done]:
        """What the task gives of each part, in order."""
        if not self._begun:
            for _ in range(self._workers):
                worker = _Worker()
                self._ends.callback(worker.end)
                self._idle.put(worker)
            self._begun = True
        order = pickle.dumps(task, protocol=pickle.HIGHEST_PROTOCOL)
        yield from in_order(
            lambda part: self._threads.submit(self._ask, order, part), parts, AHEAD * self._workers
        )

    def _ask(self, order: bytes, part: Packed) -> Done:
        worker = self._idle.get()
        try:
            return worker.ask(order, part)
        finally:
            self._idle.put(worker)


def in_order(
    submit: Callable[[Packed], Future[Done]], parts: Iterable[Packed], ahead: int
) -> Iterator[Done]:
    """The answers of futures in the order of the parts, so many of which wait at most."""
    waiting: deque[Future[Done]] = deque()
    try:
        for part in parts:
            waiting.append(submit(part))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for one in waiting:
            one.cancel()


class _Worker:
    """A process that is sent tasks and parts on stdin and answers on stdout."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tutelage.curate.runner import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        )
        self._order: bytes | None = None

    def ask(self, order: bytes, part: Packed) -> Done:
        """What a task gives of a part; the task is sent where it is not the last one's."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise TutelageError("a process that works on rows has no pipes")
        try:
            known, self._order = self._order is order, order
            pickle.dump((None if known else order, part), stdin, pickle.HIGHEST_PROTOCOL)
            stdin.flush()
            answer = pickle.load(stdout)
        except (OSError, EOFError, pickle.UnpicklingError, ValueError) as error:
            raise TutelageError(
                "a process that works on rows ended before its work was done",
                expected="enough memory for one process a core",
                hint="set `curate.scale.workers: 1` to curate in one process",
            ) from error
        if isinstance(answer, BaseException):
            raise answer
        told: Done = answer
        return told

    def end(self) -> None:
        """Ends it, whatever it does."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # it died before it read all; that is told elsewhere
                    pipe.close()
        self._process.wait()


def main() -> None:
    """Answers on stdout until stdin ends: what one of the processes does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, interrupted, ends its workers
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing printed stands between pickles
    with suppress(EOFError, pickle.UnpicklingError):  # whoever asked has gone
        try:
            _answer_all(answers)
        except BrokenPipeError:  # it has gone, too: what is left to be written goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())


def _answer_all(answers: Any) -> None:
    task: Task | None = None
    while True:
        order, part = pickle.load(sys.stdin.buffer)
        if order is not None:
            task = pickle.loads(order)
        try:
            answer: Any = None if task is None else done(task, part)
        except Exception as error:  # noqa: BLE001 - the parent raises it
            answer = error if isinstance(error, TutelageError) else TutelageError(repr(error))
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def cores() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def enough(parts: Iterator[Packed]) -> Iterator[Packed]:
    """The first of the parts, by which it is known whether other processes are worth it."""
    rows = 0
    for part in parts:
        yield part
        rows += part.count
        if rows >= WORTH_ROWS:
            return


@contextmanager
def opened(scale: Scale, rows: int) -> Iterator[Runner]:
    """Whoever the recipe says works on so many rows, until the block ends.

    Raises: MissingCapability where Daft or Ray is not installed or cannot be reached.
    """
    with ExitStack() as ends:
        if scale.runner == "daft":
            from tutelage.curate.on_daft import OnDaft  # an extra

            yield OnDaft(scale.workers or cores())
        elif scale.runner == "ray":
            from tutelage.curate.on_ray import OnRay  # an extra

            yield OnRay(scale, ends)
        else:
            workers = scale.workers or (cores() if rows >= WORTH_ROWS else 1)
            yield Here() if workers == 1 else Processes(workers, ends)
