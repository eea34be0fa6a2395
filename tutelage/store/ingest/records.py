"""Records of a file with their places: JSON Lines, JSON, CSV, Parquet or Arrow, read in parts.

However large a file is, a part of it is in memory at a time, save a JSON object of arrays, which
cannot be read otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault
from tutelage.store.ingest.json_list import elements
from tutelage.store.ingest.opened import opened, plain_suffix
from tutelage.store.ingest.strict import strict_object
from tutelage.store.ingest.table import Cells, table

LINES = (".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}
COLUMNAR = (".parquet", ".arrow", ".feather")  # their rows have numbers, not lines
SUFFIXES = (*LINES, ".json", *TABLES, *COLUMNAR)
OTHERWISE = {  # how files are read that hold no rows as such
    **dict.fromkeys((".txt", ".log"), "transcript` reads texts in which speakers take turns"),
    **dict.fromkeys((".yaml", ".yml"), "policy` reads the topics of a policy"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row as it stands in the file."""

    line: int  # counted from 1, where the row begins; of a columnar file the row's number
    value: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that cannot be used: where it stands, why, and its text, kept on file."""

    line: int
    reason: Reason
    problem: str
    text: str
    uri: str = ""  # of its file


def records(path: Path, name: str) -> Iterator[Record | Refused]:
    """The rows of a file, in order; `name` stands for it in errors.

    Raises: RowError if the file as a whole cannot be read.
    """
    suffix = plain_suffix(path)
    if suffix in COLUMNAR:
        from tutelage.store.ingest.columnar import rows  # pyarrow: few files need it

        return rows(path, name)
    if suffix in (*LINES, ".json", *TABLES):
        return _written(path, name, suffix)
    raise RowError(
        f"`{suffix or path.name}` is no kind of file that holds rows",
        where=name,
        expected=f"{', '.join(SUFFIXES)}, the texts among them also .gz or .zst",
        hint=f"`format: {OTHERWISE[suffix]}" if suffix in OTHERWISE else "",
    )


def _written(path: Path, name: str, suffix: str) -> Iterator[Record | Refused]:
    with opened(path, name) as stream:
        if suffix in TABLES:
            yield from map(_row, table(stream, TABLES[suffix], name))
        elif suffix == ".json":
            yield from _json(stream, name)
        else:
            yield from _lines(stream)


def _lines(lines: Iterable[bytes]) -> Iterator[Record | Refused]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield record(line.strip(b"\r\n"), number)


def _json(stream: BufferedReader, name: str) -> Iterator[Record | Refused]:
    """A list of rows, an object of arrays, one row, or rows a line each: by how it begins."""
    if stream.peek(1).lstrip()[:1] == b"[":
        for line, text in elements(stream, name):
            yield record(text.encode(errors="surrogateescape"), line)
        return
    head = list(_to_first(stream))
    first = head[-1] if head else b""
    if _is_row(first):
        yield from _lines(chain(head, stream))
        return
    rest = stream.readlines()
    try:
        value = strict_object(b"".join([first, *rest]).decode(), "the file")
    except (Fault, UnicodeDecodeError):
        yield from _lines([*head, *rest])
        return
    if _of_arrays(value):
        yield from _transposed(value)
    else:
        yield record(b"".join([first, *rest]).strip(), len(head))


def _to_first(stream: BufferedReader) -> Iterator[bytes]:
    """The lines up to the first that is not blank."""
    for line in stream:
        yield line
        if line.strip():
            return


def _is_row(line: bytes) -> bool:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(value, dict) and not _of_arrays(value)


def _of_arrays(value: dict[str, Any]) -> bool:
    """Whether an object holds columns of one length, and not the turns of one row."""
    columns = list(value.values())
    if not columns or not all(isinstance(column, list) for column in columns):
        return False
    if len({len(column) for column in columns}) != 1:
        return False
    items = [item for column in columns for item in column[:1]]
    return not any(isinstance(item, dict) and ("role" in item or "from" in item) for item in items)


def _transposed(columns: dict[str, list[Any]]) -> Iterator[Record]:
    for number, cells in enumerate(zip(*columns.values(), strict=True), start=1):
        yield Record(line=number, value=dict(zip(columns, cells, strict=True)), text="")


def record(content: bytes, line: int) -> Record | Refused:
    """The row a piece of JSON is, or what is wrong with it."""
    try:
        written = content.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = f"byte {error.start + 1} is not UTF-8"
        shown = content.decode("utf-8", errors="backslashreplace")
        return Refused(line=line, reason=Reason.INVALID_ENCODING, problem=problem, text=shown)
    try:
        return Record(line=line, value=strict_object(written, "the row"), text=written)
    except Fault as fault:
        return Refused(line=line, reason=fault.reason, problem=fault.message, text=written)


def _row(cells: Cells) -> Record | Refused:
    if cells.problem is not None:
        return Refused(
            line=cells.line,
            reason=cells.problem.reason,
            problem=cells.problem.message,
            text=cells.text,
        )
    return Record(line=cells.line, value=cells.value, text=cells.text)
