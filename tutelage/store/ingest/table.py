"""Rows of CSV and TSV, a line or several each."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault

OTHERS = ";\t"  # what may stand in a comma's place
SAID = re.compile(r"^sep=(.)\r?\n?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """One row of a table: its values by column, or what is wrong with it."""

    line: int  # where it begins
    text: str
    value: dict[str, Any] = field(default_factory=dict)
    problem: Fault | None = None


def table(stream: io.BufferedReader, delimiter: str, name: str) -> Iterator[Cells]:
    """The rows below the header, of which the names have no outer blanks.

    A header that is one cell by commas and several by semicolons or tabs, as spreadsheets of
    some countries write it, is taken so; a first line `sep=;` says it.

    Raises: RowError for a table that is none, or has a column twice.
    """
    csv.field_size_limit(sys.maxsize)  # an answer may be long; the module's own limit is 128 KiB
    # what is not UTF-8 survives as lone surrogates, so that only its own row is refused
    written = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    first = written.readline()
    above = 1 if (said := SAID.match(first)) else 0
    delimiter = said[1] if said else _delimiter(first, delimiter)
    lines = chain([] if said else [first], written)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    while True:
        begin = reader.line_num + above + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise RowError(f"line {begin} is not CSV: {error}", where=name) from error
        if cells is None:
            written.detach()  # the stream is its opener's to close
            return
        if header is None:
            header = _header([cell.strip() for cell in cells], name)
        elif cells:
            yield _row(cells, header, begin)


def _delimiter(first: str, usual: str) -> str:
    found = {one: len(next(csv.reader([first], delimiter=one), [])) for one in (usual, *OTHERS)}
    others = [one for one in OTHERS if found[one] > 1]
    return others[0] if usual == "," and found[usual] == 1 and others else usual


def _header(cells: list[str], name: str) -> list[str]:
    twice = sorted({cell for cell in cells if cells.count(cell) > 1})
    if twice:
        raise RowError(f"the column `{twice[0]}` is there twice", where=f"{name}:1")
    return cells


def _row(cells: list[str], header: list[str], line: int) -> Cells:
    written = ",".join(cells)
    shown = written.encode(errors="surrogateescape").decode(errors="backslashreplace")
    if shown != written:
        fault = Fault(Reason.INVALID_ENCODING, "the row is not UTF-8")
        return Cells(line=line, text=shown, problem=fault)
    if len(cells) != len(header):
        fault = Fault(Reason.MISSING_FIELD, f"it has {len(cells)} columns; expected {len(header)}")
        return Cells(line=line, text=shown, problem=fault)
    # CSV knows no null: an empty cell stands for a value that is not there
    value = {title: cell or None for title, cell in zip(header, cells, strict=True)}
    return Cells(line=line, text=shown, value=value)
