"""Records of a file with their lines: JSON Lines, a JSON list, or CSV, each also gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault, kind

LINES = (".jsonl", ".ndjson")
TABLES = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (*LINES, ".json", *TABLES)
GZIP = b"\x1f\x8b"
MARK = b"\xef\xbb\xbf"  # the byte order mark some editors put before UTF-8
SIXTEEN = (b"\xff\xfe", b"\xfe\xff")
KEY = re.compile(r'"\s*:')


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row as it stands in the file."""

    line: int  # counted from 1, where the row begins
    value: dict[str, Any]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that cannot be used: where it stands, why, and its text, kept on file."""

    line: int
    reason: Reason
    problem: str
    text: str


def records(path: Path, name: str) -> Iterator[Record | Refused]:
    """The rows of a file, in order; `name` stands for it in errors.

    Raises: RowError if the file as a whole cannot be read.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in SUFFIXES:
        raise RowError(
            f"`{suffix or path.name}` is no kind of file that holds rows",
            where=name,
            expected=f"{', '.join(SUFFIXES)}, each also .gz",
        )
    content = _content(path, name)
    if content.startswith(SIXTEEN):
        raise RowError(
            "the file is UTF-16; expected UTF-8",
            where=name,
            hint=f"iconv -f UTF-16 -t UTF-8 {name} > utf8{suffix}",
        )
    content = content.removeprefix(MARK)
    if suffix in TABLES:
        return _table(content, TABLES[suffix], name)
    if suffix == ".json" and content.lstrip()[:1] == b"[":
        return _list(content, name)
    return _lines(content)


def _content(path: Path, name: str) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RowError(
            f"the gzip file is damaged or cut off: {error}",
            where=name,
            hint="fetch or make it again: rows may be missing",
        ) from error
    except OSError as error:
        raise RowError(f"cannot be read: {error.strerror}", where=name) from error


def _lines(content: bytes) -> Iterator[Record | Refused]:
    for number, line in enumerate(content.split(b"\n"), start=1):
        if line.strip():
            yield _record(line.strip(b"\r"), number)


def _list(content: bytes, name: str) -> Iterator[Record | Refused]:
    try:
        rows = msgspec.json.decode(content, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RowError(f"not a JSON list: {_said(error, content)}", where=name) from error
    return _elements(content, [bytes(row) for row in rows])


def _elements(content: bytes, rows: list[bytes]) -> Iterator[Record | Refused]:
    line, seen = 1, 0
    for row in rows:
        start = content.index(row, seen)
        line += content.count(b"\n", seen, start)
        yield _record(row, line)
        seen = start + len(row)
        line += row.count(b"\n")


def _record(content: bytes, line: int) -> Record | Refused:
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


def strict_object(written: str, what: str) -> dict[str, Any]:
    """The JSON object a text holds, every key once.

    Raises: Fault for anything else.
    """
    value = strict_json(written, what)
    if not isinstance(value, dict):
        raise Fault(Reason.WRONG_TYPE, f"{what} is {kind(value)}; expected an object")
    return value


def strict_json(written: str, what: str) -> Any:
    """The JSON value a text holds, no key of an object twice.

    Raises: Fault for anything else.
    """
    try:
        value = msgspec.json.decode(written)
        # a parser keeps the last of two equal keys; look closer only where one can be missing
        if _keys(value) != len(KEY.findall(written)):
            json.loads(written, object_pairs_hook=_each_key_once)
    except Fault:
        raise
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        said = _said(error, written.encode(errors="replace"))
        raise Fault(Reason.INVALID_JSON, f"{what} is not JSON: {said}") from error
    return value


def _keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_keys(inner) for inner in value.values())
    if isinstance(value, list):
        return sum(_keys(inner) for inner in value)
    return 0


def _each_key_once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise Fault(Reason.INVALID_JSON, f"the key `{name}` is there twice")


def _said(error: Exception, content: bytes) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    said = str(error).removeprefix("JSON is malformed: ")
    if "truncated" in said:
        return "it ends too early"
    place = re.search(r"\(byte (\d+)\)", said)
    if place is None:
        return said
    at = int(place[1])
    line = content.count(b"\n", 0, at)
    where = f"line {line + 1}" if line else f"byte {at + 1}"
    return said.replace(place[0], f"at {where}")


def _table(content: bytes, delimiter: str, name: str) -> Iterator[Record | Refused]:
    # what is not UTF-8 survives as lone surrogates, so that only its own row is refused
    written = io.StringIO(content.decode("utf-8", errors="surrogateescape"), newline="")
    reader = csv.reader(written, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise RowError(f"line {begin} is not CSV: {error}", where=name) from error
        if cells is None:
            return
        if header is None:
            header = _header(cells, name)
        elif cells:
            yield _row(cells, header, begin)


def _header(cells: list[str], name: str) -> list[str]:
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise RowError(f"the column `{twice[0]}` is there twice", where=f"{name}:1")
    return cells


def _row(cells: list[str], header: list[str], line: int) -> Record | Refused:
    written = ",".join(cells)
    shown = written.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if shown != written:
        problem = "the row is not UTF-8"
        return Refused(line=line, reason=Reason.INVALID_ENCODING, problem=problem, text=shown)
    if len(cells) != len(header):
        problem = f"it has {len(cells)} columns; expected {len(header)}"
        return Refused(line=line, reason=Reason.MISSING_FIELD, problem=problem, text=shown)
    # CSV knows no null: an empty cell stands for a value that is not there
    value = {title: cell or None for title, cell in zip(header, cells, strict=True)}
    return Record(line=line, value=value, text=shown)
