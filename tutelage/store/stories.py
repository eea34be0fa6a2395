"""The stories of the rows somebody means: by id, by the beginning of one, by file and line."""

from __future__ import annotations

from pyarrow.lib import ArrowException

from tutelage.core.errors import StoreError
from tutelage.store.lineage import RowStory, explain_row
from tutelage.store.store import Store
from tutelage.store.tables import DROPPED, LEDGER, ROWS, places, read_ledger


def stories(store: Store, asked: str) -> list[RowStory]:
    """The story of each row that is meant: one, or more where a line changed over time.

    Raises: StoreError where no ledger and no dataset knows it, or one of them is damaged.
    """
    try:
        named = _ids(store, asked)
        found = [explain_row(store, one) for one in named]
    except (OSError, ArrowException):
        for artifact in store.artifacts():
            artifact.verify()  # tells which file is damaged
        raise
    told = [story for story in found if story.entries or story.datasets]
    if not told:
        raise StoreError(
            f"no dataset and no ledger knows the row `{asked}`",
            expected="a row's id, or its file as the recipe names it and its line: FILE:LINE",
            hint="`tutelage lineage --rows` lists every row that was kept",
        )
    return told


def _ids(store: Store, asked: str) -> list[str]:
    """The names under which the row may stand in ledgers and datasets."""
    found = dict.fromkeys([asked])
    for artifact in store.artifacts():
        rows = [
            row
            for name in (ROWS, DROPPED)
            if artifact.has(name)
            for row in places(artifact.file(name))
        ]
        entries = read_ledger(artifact.file(LEDGER)) if artifact.has(LEDGER) else []
        kept = [row for row, source in rows if str(source) == asked or _begins(row, asked)]
        # curation begins a detail with the place where the row was read
        told = [
            entry.row
            for entry in entries
            if _begins(entry.row, asked)
            or f"{entry.detail} ".startswith(f"{asked} ")
            or entry.was == asked != ""  # its id before it was screened
        ]
        found |= dict.fromkeys([*kept, *told])
    return list(found)


def _begins(row: str, asked: str) -> bool:
    return len(asked) >= 6 and ":" not in asked and row.startswith(asked)
