"""Consoles for stdout and stderr, and how figures are written on them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import IO

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

FILE_COLUMNS = 120  # of a file or a pipe, where nothing says how wide it is
UNBOUNDED = 10_000  # columns, to ask how wide a table would like to be
INDENT = 2
MARKS = {"good": ("ok", "green"), "note": ("note", "yellow"), "bad": ("BAD", "red")}
OUTCOMES = {"pass": ("PASS", "green"), "fail": ("FAIL", "red"), "inconclusive": ("OPEN", "yellow")}
SECONDS_A_MINUTE = 60
SECONDS_AN_HOUR = 3600


def console(stream: IO[str]) -> Console:
    """A console that writes plainly to files and pipes and heeds NO_COLOR."""
    columns = os.environ.get("COLUMNS", "")
    width = None if stream.isatty() or columns.isdigit() else FILE_COLUMNS
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def tell(console: Console, line: str) -> None:
    """Prints a line; what a terminal has no room for goes on below, indented.

    In a file or a pipe it stays one line.
    """
    if cell_len(line) <= console.width or console.width == FILE_COLUMNS:
        console.print(Text(line), soft_wrap=True)
        return
    words = line.lstrip()
    lead = len(line) - len(words)
    parts = Text(words).wrap(console, max(1, console.width - lead - INDENT))
    for number, part in enumerate(parts):
        part.rstrip()
        console.print(Text(" " * (lead + INDENT * (number > 0))) + part, soft_wrap=True)


def listed(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    """Names and what is said of each, a line each; two where one has no room for both."""
    width = max(cell_len(name) for name, _ in rows)
    lines = [f"  {name}{' ' * (width - cell_len(name))}  {says}" for name, says in rows]
    for line, (name, says) in zip(lines, rows, strict=True):
        if max(map(cell_len, lines)) <= console.width:
            tell(console, line)
        else:
            tell(console, f"  {name}")
            tell(console, f"    {says}")


def fits(console: Console, table: Table) -> bool:
    """Whether a table has room for all its cells, none of them folded."""
    natural = console.measure(table, options=console.options.update(width=UNBOUNDED))
    return natural.maximum <= console.width


def duration(seconds: float) -> str:
    """A time for people: `8 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < SECONDS_A_MINUTE:
        return f"{whole} s"
    if whole < SECONDS_AN_HOUR:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def size(count: float) -> str:
    """Bytes for people: `812 B`, `3.1 MiB`, `1.20 GiB`."""
    if count < 1 << 10:
        return f"{count:.0f} B"
    if count < 1 << 20:
        return f"{count / (1 << 10):.1f} KiB"
    if count < 1 << 30:
        return f"{count / (1 << 20):.1f} MiB"
    return f"{count / (1 << 30):.2f} GiB"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 row`, `12 rows`."""
    return f"{count:,} {one}" if count == 1 else f"{count:,} {many or one + 's'}"


def marked(state: str, what: str, says: str, *, width: int) -> Text:
    """One line of a list of findings: its state in a word and a colour, what, and how it is."""
    mark, colour = MARKS[state]
    line = Text(f"{mark:<4} ", style=colour)
    line.append(f"{what:<{width}}  ", style="bold")
    line.append(says, style="default")
    return line
