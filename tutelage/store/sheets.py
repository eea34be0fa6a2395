"""Sheets as files: CSV for spreadsheets, JSON Lines for programs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tutelage.core.errors import BadRow, RowError, UsageError

SUFFIXES = (".csv", ".jsonl")
DELIMITERS = ",;\t"  # spreadsheets of some countries write the others
SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what makes a cell of text a formula
GUARD = "'"  # what makes of a cell no more than text
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
VALUE = re.compile(  # what is saved as it was understood: `007` as `7`, `3/4` as a day in spring
    rf"true|false|[^\w']*\d[\d\W_]*(e[+-]?\d+|am|pm)?|\d{{1,4}}[ /-]*({MONTHS})[a-z]*[ ,/-]*\d*"
    rf"|({MONTHS})[a-z]*[ ,/-]*\d{{1,4}}",
    re.IGNORECASE,
)
CELL = 10_000_000  # characters a cell may have
BOM = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a file."""

    where: str
    cells: Mapping[str, str]


def write_sheet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Writes a sheet as CSV or JSON Lines, as its name says.

    In CSV a cell that a spreadsheet would take for more than text begins with an apostrophe.
    """
    if suffix_of(path) == ".jsonl":
        path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        return
    stream = io.StringIO(newline="")
    writer = csv.DictWriter(stream, columns)
    writer.writeheader()
    writer.writerows({name: guarded(cell) for name, cell in row.items()} for row in rows)
    path.write_bytes((BOM + stream.getvalue()).encode("utf-8"))  # without it some take it for ANSI


def suffix_of(path: Path) -> str:
    """What a sheet is written as.

    Raises: UsageError for a name that does not tell.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UsageError(
            "a sheet is CSV or JSON Lines", where=str(path), hint="name it *.csv or *.jsonl"
        )
    return suffix


def guarded(cell: str) -> str:
    """The cell as text that no spreadsheet computes, nor writes otherwise."""
    return GUARD + cell if _worked_on(cell) else cell


def same_cell(cell: str, text: str) -> bool:
    """Whether a cell still holds a text, whatever a spreadsheet did to its blanks."""
    return cell.split() in [one.split() for one in (text, guarded(text), unguarded(text))]


def unguarded(cell: str) -> str:
    """The text of a cell that `guarded` wrote."""
    return cell[1:] if cell.startswith(GUARD) and _worked_on(cell[1:]) else cell


def _worked_on(cell: str) -> bool:
    """Whether a spreadsheet takes the cell for a formula, a number, a date or a truth.

    Or for one that is guarded, and takes its apostrophe off.
    """
    return cell.startswith((*FORMULAS, GUARD)) or bool(VALUE.fullmatch(cell.strip()))


def read_rows(path: Path) -> list[Row]:
    """The lines of a file.

    Raises: RowError for what is no table; UsageError for a name that does not tell what it is.
    """
    suffix = suffix_of(path)
    try:
        text = path.read_bytes().decode("utf-8").removeprefix(BOM)
    except UnicodeDecodeError as error:
        hint = "save it as `CSV UTF-8`"
        raise RowError("it is not UTF-8", where=path.name, hint=hint) from error
    found = list(_json_rows(path.name, text) if suffix == ".jsonl" else _csv_rows(path.name, text))
    if not found:
        raise RowError("it holds no line", where=path.name, hint="export a sheet, and fill it in")
    return found


def _csv_rows(name: str, text: str) -> Iterator[Row]:
    said = SEPARATOR.match(text)  # which Excel writes above the head, and takes off again
    text = text[said.end() :] if said else text
    head = text.partition("\n")[0]
    delimiter = said[1] if said else max(DELIMITERS, key=head.count)
    csv.field_size_limit(CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        if twice := [one for number, one in enumerate(columns) if one and one in columns[:number]]:
            raise RowError(f"column `{twice[0]}` stands in it twice", where=name, hint="keep one")
        for number, cells in enumerate(reader, 2):
            if not any(cells):
                continue
            if len(cells) != len(columns):
                told = f"{len(cells)} cells where the head has {len(columns)}"
                row = BadRow(where=f"{name} row {number}", problem=told)
                raise RowError("it is no table", rows=[row], hint="export it as CSV again")
            texts = dict(zip(columns, map(unguarded, cells), strict=True))
            yield Row(where=f"{name} row {number}", cells=texts)
    except csv.Error as error:
        raise RowError(f"it is no CSV: {error}", where=f"{name} line {reader.line_num}") from error


def _json_rows(name: str, text: str) -> Iterator[Row]:
    bad = []
    for number, line in enumerate(text.split("\n"), 1):
        where = f"{name} line {number}"
        if not line.strip():
            continue
        try:
            cells = msgspec.json.decode(line, type=dict[str, str | int | None])
        except msgspec.MsgspecError as error:
            bad.append(BadRow(where=where, problem=str(error)))
            continue
        words = {key: "" if cell is None else str(cell) for key, cell in cells.items()}
        yield Row(where=where, cells=words)
    if bad:
        raise RowError("lines are no objects of texts", rows=bad, hint="fix them")
