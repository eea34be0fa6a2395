"""A Run: one execution of a recipe and its folder, handed to every stage's door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tutelage.core import seeds
from tutelage.core.artifact import SCHEMA, Provenance
from tutelage.core.errors import StoreError
from tutelage.core.progress import Progress, Silent
from tutelage.core.recipe import Recipe, resolved
from tutelage.store.artifact import Artifact, pretty, read_text
from tutelage.store.disk import write_file
from tutelage.store.store import Draft, Store

RECIPE = "recipe.resolved.yaml"
POINTER = "artifact.json"  # in each stage's folder: which artifact it came to
RUN = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a stage may use: the recipe, the store, its seeds, and someone who listens."""

    recipe: Recipe
    store: Store
    folder: Path
    progress: Progress = field(default_factory=Silent)
    force: bool = False  # make every artifact anew
    training: int = 1  # which of the recipe's trainings, each with random streams of its own

    @classmethod
    @contextmanager
    def open(
        cls, recipe: Recipe, *, progress: Progress | None = None, force: bool = False
    ) -> Iterator[Run]:
        """The run of a recipe, its store held for the block.

        The folder is named after the recipe's name and content, so the same recipe
        goes on in the same folder.

        Raises: StoreError if another run holds the store or the disk is full.
        """
        run = replace(cls.beside(recipe), progress=progress or Silent(), force=force)
        with run.store.lock():
            write_file(run.folder / RECIPE, resolved(recipe).encode())
            opened = datetime.now(UTC).isoformat(timespec="microseconds")
            write_file(run.folder / RUN, pretty({"schema": SCHEMA, "opened": opened}))
            yield run

    @classmethod
    def beside(cls, recipe: Recipe) -> Run:
        """The run as one sees it who holds no lock and writes nothing."""
        store = Store.beside(recipe.base_dir)
        folder = store.root / "runs" / f"{recipe.name}-{recipe.digest()[:8]}"
        return cls(recipe=recipe, store=store, folder=folder)

    def seed(self, name: str) -> int:
        """The seed of a named stream, for torch."""
        return seeds.seed_of(name, self.root)

    def generator(self, name: str) -> np.random.Generator:
        """The generator of a named stream."""
        return seeds.stream(name, self.root)

    @property
    def root(self) -> int:
        """The root of all random streams: the recipe's seed, or that of one of its trainings."""
        if self.training == 1:
            return self.recipe.seed
        return seeds.seed_of(f"train.seeds.{self.training}", self.recipe.seed)

    def seeds(self, *names: str) -> dict[str, int]:
        """The seeds a stage uses, for its provenance."""
        return {name: self.seed(name) for name in names}

    def named(self, stage: str) -> str:
        """The name of a stage that is gone through once a training: `train`, `train-2`."""
        return stage if self.training == 1 else f"{stage}-{self.training}"

    def make(self, stage: str, provenance: Provenance, build: Callable[[Draft], None]) -> Artifact:
        """The stage's artifact: from the store where it is there, else built.

        Points the run's stage folder at it.
        """
        found = None if self.force else self.store.find(provenance.key)
        if found is not None:
            self._point(stage, found)
            self.progress.stage(stage, "reused", found.name)
            return found
        self.progress.stage(stage, "begun", provenance.kind)
        with self.store.put(provenance) as draft:
            build(draft)
        self._point(stage, draft.artifact)
        note = f" ({draft.note})" if draft.note else ""
        self.progress.stage(stage, "made", draft.artifact.name + note)
        return draft.artifact

    def artifact(self, stage: str) -> Artifact | None:
        """What a stage of this run came to, None where it did not come that far."""
        return stage_artifact(self.store, self.folder, stage)

    def _point(self, stage: str, artifact: Artifact) -> None:
        pointer = {
            "schema": SCHEMA,
            "kind": artifact.kind,
            "digest": artifact.digest,
            "key": artifact.key,
            "artifact": f"../../../store/{artifact.name}",
        }
        write_file(self.folder / stage / POINTER, pretty(pointer))


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """A run's folder, looked at afterwards."""

    store: Store
    folder: Path
    opened: str

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.name

    def stages(self) -> dict[str, Artifact]:
        """The artifact of each stage it came to, in the order they were made."""
        pointers = sorted(
            self.folder.glob(f"*/{POINTER}"), key=lambda path: (path.stat().st_mtime_ns, path)
        )
        found = {}
        for pointer in pointers:
            artifact = stage_artifact(self.store, self.folder, pointer.parent.name)
            if artifact is not None:
                found[pointer.parent.name] = artifact
        return found


def runs(store: Store) -> list[PastRun]:
    """Every run of a store, the latest first."""
    found = [
        PastRun(store=store, folder=path.parent, opened=read_text(path, "opened"))
        for path in (store.root / "runs").glob(f"*/{RUN}")
    ]
    return sorted(found, key=lambda run: run.opened, reverse=True)


def find_run(store: Store, name: str | None = None) -> PastRun:
    """The run whose folder has this name or begins with it; of a recipe's name, or if none is
    named, the latest.

    Raises: StoreError if none or several match.
    """
    every = runs(store)
    exact = [run for run in every if name in (run.name, run.name.rpartition("-")[0])][:1]
    found = exact or [run for run in every if name is None or run.name.startswith(name)]
    if not found or (name is not None and len(found) > 1):
        raise StoreError(
            f"{len(found) or 'no'} runs match `{name or ''}`",
            where=str(store.root / "runs"),
            expected=", ".join(run.name for run in every),
            hint="" if every else "`tutelage run` makes one",
        )
    return found[0]


def stage_artifact(store: Store, folder: Path, stage: str) -> Artifact | None:
    """The verified artifact a run's stage folder points at, None where there is none."""
    pointer = folder / stage / POINTER
    if not pointer.exists():
        return None
    return store.find(read_text(pointer, "key"))
