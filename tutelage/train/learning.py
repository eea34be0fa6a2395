"""What more rows would be worth: the recipe's training on parts of its rows, nothing of it kept."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import xxhash

from tutelage.core.artifact import Provenance
from tutelage.core.curve import Curve, power_law
from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.core.row import Example
from tutelage.store.artifact import Artifact
from tutelage.store.lines import METRICS
from tutelage.store.run import Run
from tutelage.store.store import Store
from tutelage.store.tables import LEDGER, ROWS, read_rows, write_ledger, write_rows
from tutelage.train.run import run as train
from tutelage.train.standing import VALIDATION

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
LEAST_ROWS = 32  # to train on: an eighth of fewer is no training


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A training on some of the rows, and the loss on those held out it came to."""

    rows: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """The points and the law through them."""

    points: list[Point]
    curve: Curve


def learning_curve(section: Train, dataset: Artifact, run: Run) -> Learned:
    """Trains on an eighth, a quarter, a half and all of the rows, each held to all rows held out.

    The rows of a smaller part stand in every larger one; each is trained on as the recipe says,
    with as many epochs, in a store of its own that is gone afterwards.

    Raises: TrainingError where nothing is held out, or there are too few rows.
    """
    rows = read_rows(dataset.file(ROWS))
    taught = [one for one in rows if one.split == "train"]
    held = [one for one in rows if one.split != "train"]
    if not held or len(taught) < LEAST_ROWS:
        raise TrainingError(
            f"no learning curve of {len(taught):,} rows and {len(held):,} held out",
            where="curate",
            expected=f"{LEAST_ROWS} rows to train on, and some held out",
            hint="raise `curate.validation`, or add rows",
        )
    ranked = sorted(taught, key=lambda one: _rank(one, run))
    points = []
    for share in SHARES:
        count = round(len(ranked) * share)
        points.append(Point(rows=count, loss=_loss(section, ranked[:count], held, run)))
    law = power_law([one.rows for one in points], [one.loss for one in points])
    return Learned(points=points, curve=law)


def _rank(example: Example, run: Run) -> tuple[int, str]:
    """Where a row stands in a seeded order, whatever other rows there are."""
    return xxhash.xxh64_intdigest(example.id.encode(), seed=run.recipe.seed), example.id


def _loss(section: Train, taught: Sequence[Example], held: Sequence[Example], run: Run) -> float:
    """The best loss on rows held out while training on some."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(root=Path(folder))
        own = replace(run, store=store, folder=store.root / "run", force=False)
        about = Provenance(
            kind="dataset", inputs={}, section={"rows": len(taught)}, stage_version=1
        )
        with store.put(about) as draft:
            write_rows(draft.folder / ROWS, [*taught, *held])
            write_ledger(draft.folder / LEDGER, [])
        adapter = train(section, {"dataset": draft.artifact}, own)
        told = map(msgspec.json.decode, adapter.file(METRICS).read_bytes().splitlines())
        return min(float(one[VALIDATION]) for one in told if VALIDATION in one)
