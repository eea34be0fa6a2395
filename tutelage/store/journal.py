"""The journal: Events in the order they happened, each chained to the one before it.

One thread has the one connection that writes and checkpoints. It commits whatever
waits in one transaction, so that many writers share one wait for the disk.
"""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError

from tutelage.core.digest import Json
from tutelage.core.errors import StoreError
from tutelage.core.event import Event, EventKind
from tutelage.store import events as tables
from tutelage.store.lock import locked

WAITING = 4096  # events offered that may wait for the disk; more are dropped and counted
GROUP = 512  # events of one transaction
CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"


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
            journal._look()
        else:
            journal._begin()
        return journal

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
        since: str = "",
        until: str = "",
    ) -> Iterator[Event]:
        """What is on the disk, by `seq`; `since` and `until` (left out itself) are as `ts` is."""
        where = {"kind": kind, "release": release, "since": since, "until": until}
        try:
            yield from tables.pages(self._readers, where)
        except SQLAlchemyError as error:
            raise tables.refused(error, self.path) from error

    def verify(self) -> None:
        """Raises StoreError naming the first place where the chain of events is broken."""
        with self._readers.connect() as connection:
            connection.exec_driver_sql("BEGIN")  # both of the same moment
            newest = tables.last(connection)
            head = tables.about(connection, "head")
        prev, seq = "", 0
        for event in self.events():
            if newest is None or event.seq > newest.seq:
                break  # written since
            seq += 1
            if event.seq != seq or event.prev != prev:
                raise self._broken(f"event {seq}", f"event {event.seq} follows event {seq - 1}")
            prev = event.digest
        if prev != head:
            raise self._broken("the end", f"event {seq} is not the one that was written last")

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

    def _look(self) -> None:
        if not self.path.is_file():
            raise StoreError(
                "there are no events yet",
                where=str(self.path),
                hint="`tutelage serve` writes them; `--events FILE` names another journal",
            )
        try:
            with self._readers.connect() as connection:
                tables.check_schema(connection, self.path)
        except SQLAlchemyError as error:
            raise tables.refused(error, self.path) from error

    def _begin(self) -> None:
        held = "another process writes this journal"
        self._held.enter_context(locked(self.path.with_name(f"{self.path.name}.lock"), held=held))
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
        try:
            with engine.connect() as connection:
                with connection.begin():
                    tables.prepare(connection, self.path)
                ready.set_result(None)
                while group := self._group():
                    self._write_group(connection, group)
                with connection.execution_options(isolation_level="AUTOCOMMIT") as last:
                    last.exec_driver_sql(CHECKPOINT)
        except SQLAlchemyError as error:
            if not ready.done():
                ready.set_exception(tables.refused(error, self.path))
        except StoreError as error:
            ready.set_exception(error)
        finally:
            engine.dispose()

    def _group(self) -> list[_Entry]:
        """Waits for an event and takes all that came with it; nothing when it is over."""
        group: list[_Entry] = []
        while len(group) < GROUP:
            try:
                entry = self._entries.get(block=not group)
            except queue.Empty:
                break
            if entry is None:
                if group:
                    self._entries.put(None)  # nothing comes after it: found again next time
                break
            group.append(entry)
        return group

    def _write_group(self, connection: Connection, group: Sequence[_Entry]) -> None:
        try:
            with connection.begin():
                came = tables.chain(connection, [entry.event for entry in group])
        except (SQLAlchemyError, msgspec.MsgspecError) as error:
            failure = tables.refused(error, self.path)
            came = [failure for _ in group]
        with self._guard:
            for entry, outcome in zip(group, came, strict=True):
                self._pending.pop(entry.event.id, None)
                self._offered -= entry.offered
                self.dropped += entry.offered and isinstance(outcome, StoreError)
        for entry, outcome in zip(group, came, strict=True):
            if isinstance(outcome, StoreError):
                entry.written.set_exception(outcome)
            else:
                entry.written.set_result(outcome)

    def _broken(self, place: str, problem: str) -> StoreError:
        return StoreError(
            f"the chain of events is broken at {place}: {problem}",
            where=str(self.path),
            expected="each event to name the digest of the one before it",
            hint="an event was changed or taken out: take the journal from a backup",
        )
