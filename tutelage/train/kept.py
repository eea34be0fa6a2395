"""Lessons of an earlier dataset, so that of a new one only the rows that changed are rendered."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tutelage.core.artifact import Provenance
from tutelage.core.ledger import LedgerEntry
from tutelage.core.row import Split
from tutelage.render.lessons import Lessons
from tutelage.render.worker import SIDES, Taught
from tutelage.store.artifact import Artifact
from tutelage.store.store import Store
from tutelage.store.tables import LEDGER, read_ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is known of rows by id: their weight, their lessons, their ledger entries."""

    weights: Mapping[str, float]
    places: Mapping[str, tuple[Split, NDArray[np.intp]]]  # split then, numbers of its lessons
    lessons: Mapping[Split, Lessons]
    entries: Mapping[str, list[LedgerEntry]]

    def has(self, row: str, weight: float) -> bool:
        """Whether the row was rendered before, with the same weight."""
        return self.weights.get(row) == weight

    def merged(self, fresh: Taught, rows: Mapping[str, float]) -> tuple[Lessons, list[LedgerEntry]]:
        """Fresh lessons and kept ones in the order of `rows` (ids and weights), which they then
        count; and the entries of the kept ones.
        """
        names = list(rows)
        at = {name: number for number, name in enumerate(names)}
        places = np.asarray([at[name] for name in fresh.names], dtype=np.int32)
        records = fresh.records.copy()
        records["row"] = places[records["row"]] if len(places) else 0
        found = [Lessons(ids=fresh.ids, records=records, rows=lambda: names)]
        old = [name for name in names if self.has(name, rows[name])]
        for name in old:
            side, numbers = self.places[name]
            own = self.lessons[side].chosen(numbers)
            own.records["row"] = at[name]
            found.append(own)
        whole = _joined(found, names) if old else found[0]
        return whole, [entry for name in old for entry in self.entries[name]]


NOTHING_KEPT = Kept(weights={}, places={}, lessons={}, entries={})


def latest(store: Store, provenance: Provenance) -> Kept:
    """What the store's latest tokens of the same contract and the same teaching know."""
    alike = [one for one in store.artifacts() if _alike(one, provenance)]
    if not alike:
        return NOTHING_KEPT
    newest = max(alike, key=lambda one: one.manifest.started)
    return _kept(newest) if newest.intact() else NOTHING_KEPT


def _alike(artifact: Artifact, provenance: Provenance) -> bool:
    made = artifact.manifest
    return (made.kind, made.inputs.get("taught"), made.section, made.stage_version) == (
        provenance.kind,
        provenance.inputs["taught"],
        provenance.section,
        provenance.stage_version,
    )


def _kept(artifact: Artifact) -> Kept:
    weights: dict[str, float] = {}
    places: dict[str, tuple[Split, NDArray[np.intp]]] = {}
    lessons: dict[Split, Lessons] = {}
    for side in SIDES:
        with pa.memory_map(str(artifact.folder / f"{side}.arrow")) as source:
            table = pa.ipc.open_file(source).read_all()
            names: list[str] = table["id"].to_pylist()
            weights |= dict(zip(names, table["weight"].to_pylist(), strict=True))
        own = Lessons.open(artifact.folder, side, lambda names=names: names)  # type: ignore[misc]
        bounds = np.searchsorted(own.records["row"], np.arange(len(names) + 1))
        numbers = np.arange(len(own))
        for at, name in enumerate(names):
            places[name] = (side, numbers[bounds[at] : bounds[at + 1]])
        lessons[side] = own
    entries: defaultdict[str, list[LedgerEntry]] = defaultdict(list)
    for entry in read_ledger(artifact.file(LEDGER)):
        entries[entry.row].append(entry)
    return Kept(weights=weights, places=places, lessons=lessons, entries=entries)


def _joined(parts: Sequence[Lessons], names: Sequence[str]) -> Lessons:
    """The parts as one, lessons in the order of their rows."""
    records = np.concatenate([part.records for part in parts])
    shifts = np.cumsum([0, *(len(part.ids) for part in parts)])[:-1]
    records["start"] += np.repeat(shifts, [len(part) for part in parts])
    ids = np.concatenate([part.ids for part in parts])
    whole = Lessons(ids=ids, records=records, rows=lambda: names)
    return whole.chosen(np.argsort(records["row"], kind="stable"))
