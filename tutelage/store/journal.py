"""The journal: Events in the order they happened, each chained to the one before it.

One thread has the one connection that writes and checkpoints. It commits whatever
waits in one transaction, so that many writers share one wait for the disk.
"""

from __future__ import annotations

import logging
import queue
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from tutelage.core.digest import Json
from tutelage.core.errors import StoreError
from tutelage.core.event import Event, EventKind
from tutelage.store import events as tables
from tutelage.store.chain import check_end, verify
from tutelage.store.lock import locked

WAITING = 4096  # events offered that may wait for the disk; more are dropped and counted
GROUP = 512  # events of one transaction
RETRY_SECONDS = 1.0  # after which a file that could not be written is tried again
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """An event on its way to the disk, without its place in the chain."""

    event: Event
    written: Future[Event]
    offered: bool  # nobody waits for it


class Journal:
    """Append-only events of one file.

    Raises: StoreError on opening where another process writes it, or it is of another schema.
    """

    def __init__(self, path: Path, *, read_only: bool, waiting: int) -> None:
        self.path = path
        self.read_only = read_only
        self.dropped = 0  # offered, and not written
        self._waiting = waiting
        self._readers = tables.reading(path)
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._pending: dict[str, Event] = {}
        self._offered = 0
        self._closed = False
        self._failure: StoreError | None = None  # the writing thread ended before its time
        self._failing = False  # the file could not be written the last time it was tried
        self._guard = threading.Lock()  # of what stands above, and of the order of entries
        self._held = ExitStack()
        self._thread: threading.Thread | None = None

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False, waiting: int = WAITING) -> Journal:
        """The journal of a file; one that is to be written is made where there is none.

        Raises: StoreError.
        """
        journal = cls(path, read_only=read_only, waiting=waiting)
        if read_only:
            tables.look(journal._readers, path)
        else:
            journal._begin()
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def writing(self) -> bool:
        """Whether what is appended now can be written."""
        return not (self.read_only or self._closed or self._failure or self._failing)

    def append(
        self,
        kind: EventKind,
        *,
        release: str,
        subject: str = "",
        payload: Mapping[str, Json],
        id: str | None = None,
    ) -> Event:
        """The event as it was committed: it outlives a crash when this returns.

        An id that is there already with the same content gives the event that is there.
        Raises: StoreError where the id stands for another event, or nothing can be written.
        """
        event = tables.draft(kind, id or f"event-{uuid.uuid4().hex}", release, subject, payload)
        written: Future[Event] = Future()
        with self._guard:
            self._check_open()
            self._put(_Entry(event=event, written=written, offered=False))
        return written.result()

    def offer(self, kind: EventKind, *, release: str, payload: Mapping[str, Json], id: str) -> bool:
        """Leaves an event to be written soon, without waiting; False where too many wait.

        What is appended after it is written after it.
        """
        event = tables.draft(kind, id, release, "", payload)
        with self._guard:
            self._check_open()
            if self._offered >= self._waiting:
                self.dropped += 1
                return False
            self._offered += 1
            self._put(_Entry(event=event, written=Future(), offered=True))
        return True

    def event(self, id: str) -> Event | None:
        """The event of an id; one that still waits for the disk has `seq` 0 and no `prev`."""
        with self._guard:
            waiting = self._pending.get(id)
        if waiting is not None:
            return waiting
        try:
            with self._readers.connect() as connection:
                return tables.find(connection, id)
        except SQLAlchemyError as error:
            raise tables.refused(error, self.path) from error

    def events(
        self,
        *,
        kind: EventKind | None = None,
        release: str | None = None,
        subject: str = "",
        since: str = "",
        until: str = "",
    ) -> Iterator[Event]:
        """What is on the disk, by `seq`; `since` and `until` (left out itself) are as `ts` is."""
        where = {"kind": kind, "release": release, "subject": subject}
        where |= {"since": since, "until": until}
        try:
            yield from tables.pages(self._readers, where)
        except (SQLAlchemyError, msgspec.MsgspecError) as error:
            raise tables.refused(error, self.path) from error

    def verify(self) -> None:
        """Raises StoreError naming the first place where the chain of events is broken."""
        verify(self._readers, self.path)

    def close(self) -> None:
        """Writes what waits, checkpoints, and lets another process write."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            if self._thread is not None:
                self._entries.put(None)
        if self._thread is not None:
            self._thread.join()
        self._readers.dispose()
        self._held.close()

    def _put(self, entry: _Entry) -> None:
        self._pending.setdefault(entry.event.id, entry.event)
        self._entries.put(entry)

    def _check_open(self) -> None:
        if self._closed or self.read_only:
            state = "closed" if self._closed else "open for reading alone"
            raise StoreError(f"the journal is {state}", where=str(self.path))
        if self._failure is not None:
            raise self._failure

    def _begin(self) -> None:
        held, real = "another process writes this journal", self.path.resolve()
        self._held.enter_context(locked(real.with_name(f"{real.name}.lock"), held=held))
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._write_all, args=(ready,), name="journal", daemon=True
        )
        self._thread.start()
        try:
            ready.result()
        except StoreError:
            self._closed = True
            self._held.close()
            raise

    def _write_all(self, ready: Future[None]) -> None:
        """The writing thread, from the first event to the last."""
        engine = tables.writing(self.path)
        group: list[_Entry] | None = []
        failure: StoreError | None = None
        try:
            with engine.connect() as connection:
                with connection.begin():
                    tables.prepare(connection, self.path)
                    check_end(connection, self.path)
                ready.set_result(None)
                while (group := self._group()) is not None:
                    self._write_group(connection, group)
        except Exception as error:  # noqa: BLE001  nobody may wait for a thread that is gone
            failure = tables.refused(error, self.path)
            if ready.done():
                LOG.warning("the journal's writer ended: %s", type(error).__name__)
        finally:
            failure = failure or StoreError("the journal is closed", where=str(self.path))
            self._give_up(group or [], failure)
            if ready.done():
                self._checkpoint(engine)
            else:
                ready.set_exception(failure)
            engine.dispose()

    def _give_up(self, group: list[_Entry], failure: StoreError) -> None:
        """Tells whoever still waits; nothing where the thread ended in its time."""
        with self._guard:
            self._failure = failure
            left = [one for one in group if not one.written.done()]
            while not self._entries.empty():
                entry = self._entries.get()
                left += [entry] if entry is not None else []
            self.dropped += sum(one.offered for one in left)
            self._pending.clear()
        for one in left:
            one.written.set_exception(failure)

    def _checkpoint(self, engine: Engine) -> None:
        """Empties the write-ahead log, which else would lie beside the file."""
        try:
            with engine.connect() as connection:
                emptied = tables.checkpoint(connection)
        except Exception as error:  # noqa: BLE001  all that was acknowledged is on the disk
            LOG.warning("the journal's log was not emptied: %s", type(error).__name__)
        else:
            if not emptied:
                LOG.warning("the journal's log was not emptied: somebody reads it")

    def _group(self) -> list[_Entry] | None:
        """Waits for an event and takes all that came with it; None when it is over.

        Where the file could not be written it waits no longer than until it is tried again.
        """
        group: list[_Entry] = []
        while len(group) < GROUP:
            try:
                wait = RETRY_SECONDS if self._failing else None
                entry = self._entries.get(block=not group, timeout=wait)
            except queue.Empty:
                break
            if entry is None:
                if not group:
                    return None
                self._entries.put(None)  # nothing comes after it: found again next time
                break
            group.append(entry)
        return group

    def _write_group(self, connection: Connection, group: Sequence[_Entry]) -> None:
        failing = False
        try:
            with connection.begin():
                check_end(connection, self.path)
                came = tables.chain(connection, [entry.event for entry in group])
        except Exception as error:  # noqa: BLE001  told to each who waits, and the next are tried
            failure = tables.refused(error, self.path)
            came = [failure for _ in group]
            of_file = isinstance(error, SQLAlchemyError | StoreError)  # else an event is at fault
            if of_file and not self._failing:
                LOG.warning("events are not written: %s", failure.message)
            failing = of_file or self._failing
        with self._guard:
            self._failing = failing
            for entry, outcome in zip(group, came, strict=True):
                self._pending.pop(entry.event.id, None)
                self._offered -= entry.offered
                self.dropped += entry.offered and isinstance(outcome, StoreError)
        for entry, outcome in zip(group, came, strict=True):
            if isinstance(outcome, StoreError):
                entry.written.set_exception(outcome)
            else:
                entry.written.set_result(outcome)
