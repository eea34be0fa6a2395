"""The files of a dataset: rows as whoever works on them makes a table of, the ledger, the card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from tutelage.core.ledger import Decision, LedgerEntry, Reason, tally
from tutelage.core.row import Example
from tutelage.curate.card import text as card_text
from tutelage.curate.measured import Measured, measured, together
from tutelage.curate.packed import Packed, placed
from tutelage.curate.page import page
from tutelage.curate.passes import Passes
from tutelage.curate.shelf import Rows
from tutelage.curate.sieve import STAGE, Sieve
from tutelage.curate.sources import rejections
from tutelage.store.artifact import pretty
from tutelage.store.ingest import Ingested
from tutelage.store.row_table import rows_table
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import alike_table, ledger_writer, rows_writer

CARD = "card.md"
CARD_JSON = "card.json"
CARD_HTML = "card.html"
REJECTED = "rejected.jsonl"  # lines that never became a row, there if any was
ENTRIES_AT_ONCE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What becomes of the rows that are kept, in their order."""

    held: NDArray[np.bool_]
    stages: Sequence[str] = ()  # none where there are no stages


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabled:
    """A part of the rows as a table, and what the card counts of it."""

    table: Any
    measured: Measured | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tabling:
    """Gives rows their side and stage and makes a table of them; without a side, as they are."""

    words: bool = False  # whether it matters which words requests have

    def __call__(self, part: Packed) -> Tabled:
        rows = part.texts()
        if part.more is None:
            return Tabled(table=rows_table(rows))
        sides: Sides = part.more
        stages: Sequence[str | None] = sides.stages or [one.stage for one in rows]
        staged = [
            placed(one, "validation" if held else "train", stage)
            for one, held, stage in zip(rows, sides.held.tolist(), stages, strict=True)
        ]
        return Tabled(table=rows_table(staged), measured=measured(staged, words=self.words))


def write_kept(
    path: Path, rows: Rows, sides: Sides, canaries: Iterable[Example], passes: Passes, words: bool
) -> Measured:
    """Writes the rows kept, then the canaries; what the card counts of the former."""
    found: list[Measured] = []
    with rows_writer(path) as append:
        for one in passes.over(Tabling(words=words), _with_sides(rows, sides, passes.part_rows)):
            append(one.table)
            found.append(one.measured)
            passes.told(len(one.table))
        append(rows_table(canaries))
    return together(found)


def write_dropped(path: Path, rows: Rows, passes: Passes) -> None:
    """Writes rows left out, in their order."""
    with rows_writer(path) as append:
        for one in passes.over(Tabling(), rows.parts(passes.part_rows)):
            append(one.table)


def _with_sides(rows: Rows, sides: Sides, size: int) -> Iterator[Packed]:
    for begin in range(0, len(rows), size):
        part = slice(begin, min(begin + size, len(rows)))
        own = Sides(held=sides.held[part], stages=sides.stages[part])
        yield rows.packed(np.arange(part.start, part.stop), more=own, first=begin)


def write_ledger_of(
    path: Path, decided: Sequence[LedgerEntry], sieve: Sieve, planted: Sequence[LedgerEntry]
) -> None:
    """Writes a ledger of any length: what was decided, an entry for each row kept, canaries."""
    rows, read = sieve.clean()
    clean = LedgerEntry(row="", stage=STAGE, decision=Decision.KEEP, reason=Reason.CLEAN)
    with ledger_writer(path) as append:
        for part in _parts(len(decided)):
            append(decided[part])
        for part in _parts(len(rows)):
            append(alike_table(clean, rows[part], read[part]))
        for part in _parts(len(planted)):
            append(planted[part])


def _parts(entries: int) -> Iterator[slice]:
    for begin in range(0, entries, ENTRIES_AT_ONCE):
        yield slice(begin, begin + ENTRIES_AT_ONCE)


def write_card(folder: Path, form: Mapping[str, Any]) -> None:
    """Writes the card for programs and for people."""
    (folder / CARD_JSON).write_bytes(pretty(form))
    (folder / CARD).write_text(card_text(form), encoding="utf-8")
    (folder / CARD_HTML).write_text(page(card_text(form), form["name"]), encoding="utf-8")


def write_rejected(folder: Path, files: Sequence[Ingested]) -> None:
    """Writes the bad rows, if there are any."""
    lines = [msgspec.json.encode(form) + b"\n" for form in rejections(files)]
    if lines:
        (folder / REJECTED).write_bytes(b"".join(lines))


def count(
    draft: Draft,
    form: Mapping[str, Any],
    ledger: Sequence[LedgerEntry],  # without the rows that nothing happened to
    stages: Mapping[str, Mapping[str, int]],
) -> None:
    """Counts of the dataset, by what was decided and found."""
    draft.counts |= {**form["rows"], **form["splits"], "groups": form["groups"]["count"]}
    draft.counts |= tally(ledger) | {"keep.clean": form["rows"]["kept"]}
    draft.counts |= {f"review.{reason}": rows for reason, rows in form["for_review"].items()}
    draft.counts |= {
        f"found.{one['detector']}.{one['kind']}.{one['action']}": one["rows"]
        for one in form["findings"]
    }
    draft.counts |= {
        f"stage.{stage}.{source}": count
        for stage, counts in stages.items()
        for source, count in counts.items()
    }


def warn(run: Run, form: Mapping[str, Any], unmet: Sequence[str]) -> None:
    """Says what the user should know of the dataset; `unmet` are names in the recipe."""
    for name in unmet:
        run.progress.warn(f"`{name}` has no effect: no row has it")
    rejected = sum(source["rejected"] for source in form["sources"])
    if rejected:
        run.progress.warn(f"{rejected:,} bad rows were left out; {REJECTED} has each with its line")
    if form["groups"]["largest"] > 0.5 * form["rows"]["kept"]:
        run.progress.warn(
            f"one group has {form['groups']['largest']:,} of {form['rows']['kept']:,} rows: "
            "the split cannot be even"
        )
