"""The journal's tables in SQLite: how they are opened, written and read.

SQLite before 3.51.3 can damage a write-ahead log that two connections checkpoint, so
only `writing` yields one that may; those of `reading` are read-only and never do.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, insert, select
from sqlalchemy import event as hooks
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.engine import Connection, Engine, RowMapping
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tutelage.core.digest import Json, strong_digest
from tutelage.core.errors import StoreError
from tutelage.core.event import Event, EventKind

SCHEMA = 1
CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"
PAGE = 500  # events read at once: a long read would keep the log from being checkpointed
BUSY_SECONDS = 5.0

TABLES = MetaData()
EVENTS = Table(
    "events",
    TABLES,
    Column("seq", Integer, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("ts", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("payload", Text, nullable=False),
    Column("prev", Text, nullable=False),
)
ABOUT = Table(  # schema, and the digest of the last event: a cut tail is noticed too
    "about", TABLES, Column("key", Text, primary_key=True), Column("value", Text, nullable=False)
)


def writing(path: Path) -> Engine:
    """The engine of the one connection that writes; only its thread may use it."""

    def connect() -> sqlite3.Connection:
        found = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        found.execute("PRAGMA journal_mode=WAL")
        found.execute("PRAGMA synchronous=FULL")
        return found

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    hooks.listen(engine, "begin", _begin)
    return engine


def reading(path: Path) -> Engine:
    """An engine of read-only connections, a fresh one each time it is asked."""

    def connect() -> sqlite3.Connection:
        where = f"file:{quote(str(path.absolute()))}?mode=ro"
        if not os.access(path.parent, os.W_OK) and not _log_bytes(path):
            where += "&immutable=1"  # else SQLite wants to lay its index of the log beside it
        return sqlite3.connect(where, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)

    return create_engine("sqlite://", creator=connect, poolclass=NullPool)


def _log_bytes(path: Path) -> int:
    log = path.with_name(f"{path.name}-wal")
    return log.stat().st_size if log.exists() else 0


def look(engine: Engine, path: Path) -> None:
    """Raises StoreError unless there is a journal that can be read."""
    if not path.is_file():
        raise StoreError(
            "there are no events yet",
            where=str(path),
            hint="`tutelage serve` writes them; `--events FILE` names another journal",
        )
    try:
        with engine.connect() as connection:
            check_schema(connection, path)
    except SQLAlchemyError as error:
        raise refused(error, path) from error


def checkpoint(connection: Connection) -> bool:
    """Moves the write-ahead log into the file and empties it; False while somebody reads.

    It cannot be done inside a transaction, which every statement of `connection` begins.
    """
    raw = connection.connection.cursor()
    raw.execute(CHECKPOINT)
    told: Any = raw.fetchone()  # busy, pages of the log, pages moved
    raw.close()
    return not told[0]


def prepare(connection: Connection, path: Path) -> None:
    """Makes the tables where there are none.

    Raises: StoreError where the journal is of another schema.
    """
    TABLES.create_all(connection)
    if about(connection, "schema") is None:
        tell(connection, schema=str(SCHEMA), head="")
    check_schema(connection, path)


def check_schema(connection: Connection, path: Path) -> None:
    """Raises StoreError unless the journal is of the schema this version writes."""
    found = about(connection, "schema")
    if found != str(SCHEMA):
        raise StoreError(
            f"journal of schema {found}",
            where=str(path),
            expected=f"schema {SCHEMA}",
            hint="a newer tutelage wrote it: read it with that one",
        )


def about(connection: Connection, key: str) -> str | None:
    """One thing the journal says of itself."""
    value: str | None = connection.scalar(select(ABOUT.c.value).where(ABOUT.c.key == key))
    return value


def tell(connection: Connection, **values: str) -> None:
    """Notes what the journal says of itself."""
    for key, value in values.items():
        row = upsert(ABOUT).values(key=key, value=value)
        connection.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def draft(
    kind: EventKind, id: str, release: str, subject: str, payload: Mapping[str, Json]
) -> Event:
    """An event of now, as it will be read again, without its place in the chain."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    plain: dict[str, Json] = msgspec.json.decode(msgspec.json.encode(dict(payload)))
    return Event(seq=0, id=id, ts=now, kind=kind, release=release, subject=subject, payload=plain)


def chain(connection: Connection, drafts: Sequence[Event]) -> list[Event | StoreError]:
    """Writes drafts at the end of the chain; of each, the event as it stands there.

    One whose id is there already is not written: where it says the same, that event
    is given in its place, else an error.
    """
    newest = last(connection)
    seq, head = (newest.seq, newest.digest) if newest is not None else (0, "")
    came: list[Event | StoreError] = []
    for one in drafts:
        there = find(connection, one.id)
        if there is not None:
            came.append(there if _said(there) == _said(one) else _taken(there))
            continue
        seq += 1
        event = replace(one, seq=seq, prev=head)
        _write(connection, event)
        head = event.digest
        came.append(event)
    tell(connection, head=head)
    return came


def _write(connection: Connection, event: Event) -> None:
    row = event.to_dict() | {"payload": msgspec.json.encode(event.payload).decode()}
    connection.execute(insert(EVENTS).values(row))


def _said(event: Event) -> str:
    """Names what an event says, whenever it was written."""
    return strong_digest([event.kind, event.release, event.subject, event.payload])


def _taken(event: Event) -> StoreError:
    return StoreError(
        f"the id {event.id} stands for another event",
        expected="an id of its own, or the same content again",
    )


def find(connection: Connection, id: str) -> Event | None:
    """The event of an id."""
    row = connection.execute(select(EVENTS).where(EVENTS.c.id == id)).mappings().first()
    return None if row is None else of_row(row)


def last(connection: Connection) -> Event | None:
    """The event that was written last."""
    row = connection.execute(select(EVENTS).order_by(EVENTS.c.seq.desc()).limit(1)).mappings()
    return next((of_row(one) for one in row), None)


def pages(engine: Engine, where: Mapping[str, str | None]) -> Iterator[Event]:
    """Events by `seq`, read a page at a time.

    `where` has kind, release and subject, since and until; what is empty chooses nothing.
    """
    wanted = select(EVENTS).order_by(EVENTS.c.seq).limit(PAGE)
    for key in ("kind", "release", "subject"):
        if where.get(key):
            wanted = wanted.where(EVENTS.c[key] == where[key])
    if where.get("since"):
        wanted = wanted.where(EVENTS.c.ts >= where["since"])
    if where.get("until"):
        wanted = wanted.where(EVENTS.c.ts < where["until"])
    after = 0
    while True:
        with engine.connect() as connection:
            rows = connection.execute(wanted.where(EVENTS.c.seq > after)).mappings().all()
        yield from map(of_row, rows)
        if len(rows) < PAGE:
            return
        after = rows[-1]["seq"]


def of_row(row: RowMapping) -> Event:
    """The event of a row of the table."""
    kind: EventKind = row["kind"]
    return Event(
        seq=row["seq"],
        id=row["id"],
        ts=row["ts"],
        kind=kind,
        release=row["release"],
        subject=row["subject"],
        payload=msgspec.json.decode(row["payload"]),
        prev=row["prev"],
    )


def refused(error: Exception, path: Path) -> StoreError:
    """What SQLite refused, in the words of this project."""
    if isinstance(error, StoreError):
        return error
    cause = str(getattr(error, "orig", None) or error)
    hint = "free room where the disk is full; a file that is no journal must be moved away"
    if "unable to open" in cause or "readonly" in cause:
        hint = f"let {path.parent} be written, or copy the file and its -wal to where you may write"
    return StoreError(f"the journal refuses: {cause}", where=str(path), hint=hint)


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
