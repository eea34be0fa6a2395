"""Which layout rows have, by their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tutelage.core.errors import RowError
from tutelage.core.recipe import Format
from tutelage.store.ingest.fault import Fault

MARKS: tuple[tuple[Format, tuple[str, ...]], ...] = (  # the first whose columns are all there
    ("row", ("id", "messages", "origin", "licence", "source")),
    ("preference", ("prompt", "chosen", "rejected")),
    ("messages", ("messages",)),
    ("preference", ("chosen", "rejected")),
    ("chat_log", ("request", "response")),
    ("preference", ("input", "preferred_output", "non_preferred_output")),
    ("sharegpt", ("conversations",)),
    ("alpaca", ("instruction", "output")),
    ("prompt_completion", ("prompt", "completion")),
)


def detect(rows: Iterable[dict[str, Any]], name: str) -> Format:
    """The layout most of these rows have, by their columns; there is one row at least.

    Raises: RowError if it is none.
    """
    seen = list(rows)
    layout = Counter(map(looks_like, seen)).most_common(1)[0][0]
    if layout is None:
        known = "; ".join(f"{' and '.join(marks)} ({layout})" for layout, marks in MARKS)
        columns = ", ".join(seen[0])
        raise RowError(
            f"the layout of its rows is not known: {columns}",
            where=name,
            expected=f"the columns {known}",
            hint="name your own columns: `format: fields` and "
            "`fields: {user: COLUMN, assistant: COLUMN}`",
        )
    return layout


def looks_like(row: Mapping[str, Any]) -> Format | None:
    """The layout a row has by its columns, None if it is none that is known.

    Columns that are null count only where the others tell nothing: a table has every
    column in every row.
    """
    filled = {name for name, value in row.items() if value is not None}
    return _marked(filled) or _marked(row)


def told_apart(fault: Fault, row: Mapping[str, Any], layout: Format) -> Fault:
    """The fault, with the layout the row looks like where it lacks the columns of its own."""
    own = [marks for name, marks in MARKS if name == layout]
    other = looks_like(row)
    if not own or other in (None, layout) or any(_holds(row, marks) for marks in own):
        return fault
    return Fault(
        fault.reason,
        f"{fault.message}; the row looks like `{other}`, the file is read as `{layout}`",
    )


def _marked(columns: Iterable[str]) -> Format | None:
    present = set(columns)
    return next((layout for layout, marks in MARKS if present.issuperset(marks)), None)


def _holds(row: Mapping[str, Any], marks: Iterable[str]) -> bool:
    return all(row.get(mark) is not None for mark in marks)
