"""Whether each event of a journal still names the one before it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from tutelage.core.errors import StoreError
from tutelage.store import events as tables


def verify(engine: Engine, path: Path) -> None:
    """Raises StoreError naming the first place where the chain of events is broken."""
    try:
        _follow(engine, path)
    except (SQLAlchemyError, msgspec.MsgspecError) as error:
        raise tables.refused(error, path) from error


def check_end(connection: Connection, path: Path) -> None:
    """Raises StoreError unless the newest event is the one that was written last.

    It is asked in the transaction that appends: what is written after a change would make
    the change look as if it had always stood there.
    """
    newest, head = tables.last(connection), tables.about(connection, "head")
    if head != (newest.digest if newest is not None else ""):
        seq = newest.seq if newest is not None else 0
        raise _broken(path, "the end", f"event {seq} is not the one that was written last")


def _follow(engine: Engine, path: Path) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")  # both of the same moment
        newest = tables.last(connection)
        head = tables.about(connection, "head")
    prev, seq = "", 0
    for event in tables.pages(engine, {}):
        if newest is None or event.seq > newest.seq:
            break  # written since
        seq += 1
        if event.seq != seq or event.prev != prev:
            raise _broken(path, f"event {seq}", f"event {event.seq} follows event {seq - 1}")
        prev = event.digest
    if prev != head:
        raise _broken(path, "the end", f"event {seq} is not the one that was written last")


def _broken(path: Path, place: str, problem: str) -> StoreError:
    return StoreError(
        f"the chain of events is broken at {place}: {problem}",
        where=str(path),
        expected="each event to name the digest of the one before it",
        hint="an event was changed or taken out: take the journal from a backup",
    )
