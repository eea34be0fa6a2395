"""Rendering beside others: a process that makes lessons of the groups of a dataset.

A process of its own (`main`) reads pickles from stdin (an Order, then numbers of
groups with the rows wanted of each) and answers each group with a Part. It is started
as a program of its own, never forked, so it can stand beside threads and process groups.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import ContractError, TutelageError
from tutelage.core.ledger import LedgerEntry
from tutelage.core.recipe import Teach
from tutelage.core.row import Example, Split
from tutelage.render.contract import Contract
from tutelage.render.fit import Fitted, teach
from tutelage.render.lessons import Ints, Lessons
from tutelage.store.base import BaseFolder
from tutelage.store.tables import read_group

SIDES: tuple[Split, ...] = ("train", "validation")
AHEAD = 2  # groups each worker is asked for at a time
HELD = 4  # groups a process, answered or under way, that are held for their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What all groups have in common."""

    rows: Path  # of the dataset
    contract: Mapping[str, Any]
    base: BaseFolder
    teach: Teach


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """Lessons of one split, fit to be sent: `names` are the ids of the rows they count."""

    ids: Ints
    records: NDArray[np.void]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What became of a group's rows."""

    sides: Mapping[Split, Taught]
    entries: tuple[LedgerEntry, ...]


Told = Part | tuple[ContractError, ...]  # of rows that must not be lost, but are
Ask = Callable[[int, Sequence[bool]], "Future[Told]"]


class Teller:
    """Renders the groups of one order in this process."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._contract = Contract.from_dict(order.contract, order.base)

    def part(self, group: int, wanted: Sequence[bool]) -> Told:
        """The lessons of the wanted rows of a group, and the ledger's entries for them.

        Where the contract says that rows must not be lost but are, the errors that name them.
        """
        with _uncollected():
            return self._part(group, wanted)

    def _part(self, group: int, wanted: Sequence[bool]) -> Told:
        rows = read_group(self._order.rows, group)
        chosen = [row for row, asked in zip(rows, wanted, strict=True) if asked]
        sides: dict[Split, Taught] = {}
        entries: list[LedgerEntry] = []
        errors: list[ContractError] = []
        for side in SIDES:
            fitted = self._fitted([row for row in chosen if row.split == side], errors)
            lessons = Lessons.of(fitted.lessons)
            names = tuple(lessons.rows())
            sides[side] = Taught(ids=lessons.ids, records=lessons.records, names=names)
            entries += fitted.entries
        return tuple(errors) or Part(sides=sides, entries=tuple(entries))

    def _fitted(self, rows: Sequence[Example], errors: list[ContractError]) -> Fitted:
        """What is taught of the rows that no error names; what else the others have is found so."""
        while True:
            try:
                return teach(self._contract, rows, self._order.teach)
            except ContractError as error:
                errors.append(error)
                named = {word for row in error.rows for word in row.where.split()}
                left = [row for row in rows if row.id not in named]
                rows = left if len(left) < len(rows) else ()  # none: it is of no row


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps the garbage collector out of a group's many objects for the block.

    They hold no cycles, and looking for some took a fifth of the time.
    """
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


def parts(order: Order, groups: Sequence[Sequence[bool]], processes: int) -> Iterator[Told]:
    """The part of each group in order; of each the rows that are wanted.

    This process renders, too, and others beside it. What is held at a time does not grow with
    the groups.
    Where rows must not be lost but are, their errors stand in place of the part.
    Raises: whatever opening the contract raises.
    """
    teller = Teller(order)
    if processes <= 1:
        for number, wanted in enumerate(groups):
            yield teller.part(number, wanted)
        return
    with _crew(order, processes - 1) as ask:
        asked: deque[Future[Told]] = deque()  # in the order of the groups
        todo = deque(enumerate(groups))
        while asked or todo:
            while todo and _under_way(asked) < AHEAD * (processes - 1):
                asked.append(ask(*todo.popleft()))
            if todo and not asked[0].done() and len(asked) < HELD * processes:
                asked.append(_done(teller.part(*todo.popleft())))
            else:
                yield asked.popleft().result()


def _under_way(asked: Iterable[Future[Told]]) -> int:
    return sum(not one.done() for one in asked)


def _done(told: Told) -> Future[Told]:
    future: Future[Told] = Future()
    future.set_result(told)
    return future


@contextmanager
def _crew(order: Order, processes: int) -> Iterator[Ask]:
    """Asks worker processes, one behind each thread; they end with the block."""
    own = local()
    with ExitStack() as ends:
        threads = ThreadPoolExecutor(processes)

        def ask(group: int, wanted: Sequence[bool]) -> Told:
            if not hasattr(own, "worker"):
                own.worker = _start(order, ends)
            answer: Told = _exchange(own.worker, (group, wanted))
            return answer

        ends.callback(threads.shutdown, wait=True, cancel_futures=True)
        yield lambda group, wanted: threads.submit(ask, group, wanted)


def _start(order: Order, ends: ExitStack) -> subprocess.Popen[bytes]:
    worker = subprocess.Popen(
        [sys.executable, "-c", "from tutelage.render.worker import main; main()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "RAYON_NUM_THREADS": "1"},
    )
    ends.callback(_end, worker)
    opened = _exchange(worker, order)
    if opened is not None:
        raise opened
    return worker


def _exchange(worker: subprocess.Popen[bytes], message: object) -> Any:
    if worker.stdin is None or worker.stdout is None:
        raise TutelageError("a rendering process has no pipes")
    try:
        pickle.dump(message, worker.stdin)
        worker.stdin.flush()
        return pickle.load(worker.stdout)
    except (OSError, EOFError, pickle.UnpicklingError) as error:  # or while it answered
        raise TutelageError(
            "a rendering process ended before its work was done",
            expected="enough memory for one process a core",
            hint="set `train.threads: 1` to render in one process",
        ) from error


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):  # it died before it read all; that is told elsewhere
                pipe.close()
    worker.wait()


def main() -> None:
    """Answers on stdout until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent, interrupted, ends its workers
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing printed stands between pickles
    orders = sys.stdin.buffer
    with suppress(EOFError, pickle.UnpicklingError):  # whoever asked has gone
        try:
            _answer_all(orders, answers)
        except BrokenPipeError:  # it has gone, too: what is left to be written goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), answers.fileno())


def _answer_all(orders: Any, answers: Any) -> None:
    try:
        teller = Teller(pickle.load(orders))
    except TutelageError as error:
        _answer(answers, error)
        return
    _answer(answers, None)
    while True:
        group, wanted = pickle.load(orders)
        _answer(answers, teller.part(group, wanted))


def _answer(answers: Any, value: object) -> None:
    pickle.dump(value, answers)
    answers.flush()
