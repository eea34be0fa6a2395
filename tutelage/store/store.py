"""The store: artifacts by digest, found by key, and never half-written.

.tutelage/
  store/KIND-DIGEST12/   files and manifest.json of one artifact
  store/keys/KEY.json    the manifest by which that key finds its artifact
  checkpoints/KEY12/     states to resume from, towards an artifact not made yet
  runs/NAME-DIGEST8/     run folders
  temp/                  what is being written
  lock                   held by the run that writes
"""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import tutelage
from tutelage.core.artifact import Manifest, Provenance, files_digest
from tutelage.core.errors import StoreError
from tutelage.store.artifact import MANIFEST, Artifact, pretty, read_manifest, records_of
from tutelage.store.checkpoint import KEPT, Checkpoints
from tutelage.store.disk import publish, scratch, sweep, write_file
from tutelage.store.lock import locked

PROJECT = ".tutelage"  # beside the recipe
CHECKPOINTS = "checkpoints"  # a folder a training that has not ended


def project_of(path: Path) -> Path | None:
    """The folder of the project whose store holds a path, None where it lies in no store."""
    parents = path.resolve().parents
    return next((one.parent for one in parents if one.name == PROJECT), None)


@dataclass(slots=True, kw_only=True)
class Draft:
    """An artifact being made: write files into `folder`, count into `counts`."""

    folder: Path
    counts: dict[str, int] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)  # such as torch's version
    note: str = ""  # what is said of it beside its name, once it is made
    made: Artifact | None = None

    @property
    def artifact(self) -> Artifact:
        """The artifact, once the `put` block has ended well."""
        if self.made is None:
            raise StoreError("the artifact is not made before its `put` block ends")
        return self.made


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The artifacts of one project."""

    root: Path

    @classmethod
    def beside(cls, recipe_folder: Path) -> Store:
        """The store of the project whose recipe lies in this folder."""
        return cls(root=recipe_folder / PROJECT)

    @classmethod
    def of(cls, project: Path) -> Store:
        """The store of a project in which something was made.

        Raises: StoreError where nothing was.
        """
        store = cls.beside(project)
        if not store.root.is_dir():
            raise StoreError(
                "nothing was made here yet",
                where=str(project),
                hint="`tutelage run` makes something; `--project FOLDER` looks elsewhere",
            )
        return store

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the store for one writer and sweeps up after writers that died.

        Raises: StoreError that names the process which holds it.
        """
        with locked(self.root / "lock"):
            sweep(self.temp)
            yield

    @property
    def temp(self) -> Path:
        """Where things are written before they appear; same file system as the rest."""
        return self.root / "temp"

    def find(self, key: str) -> Artifact | None:
        """The verified artifact of a key, None where it was not made yet.

        Raises: StoreError if it is damaged or of a newer schema.
        """
        record = self._key_file(key)
        if not record.exists():
            return None
        manifest = read_manifest(record)
        artifact = Artifact(folder=self.root / "store" / manifest.name, manifest=manifest)
        if not artifact.folder.exists():
            return None
        artifact.verify()
        return artifact

    def load(self, reference: str) -> Artifact:
        """The verified artifact of a digest (or its first 6 digits or more) or of a name.

        Raises: StoreError if none or several match, or it is damaged.
        """
        digits = reference.rpartition("-")[2]
        found = [
            artifact
            for artifact in self.artifacts()
            if artifact.name == reference
            or (len(digits) >= 6 and artifact.digest.startswith(digits) and "-" not in reference)
        ]
        if len(found) != 1:
            names = ", ".join(artifact.name for artifact in found or self.artifacts())
            raise StoreError(
                f"{len(found) or 'no'} artifacts match `{reference}`",
                where=str(self.root / "store"),
                expected=f"one of {names}" if names else "",
                hint="" if names else "`tutelage run` makes some",
            )
        found[0].verify()
        return found[0]

    def artifacts(self) -> list[Artifact]:
        """Every artifact, names sorted; their files are not compared."""
        manifests = sorted((self.root / "store").glob(f"*-*/{MANIFEST}"))
        return [Artifact(folder=path.parent, manifest=read_manifest(path)) for path in manifests]

    @contextmanager
    def put(self, provenance: Provenance) -> Iterator[Draft]:
        """A draft that becomes the artifact of this provenance when the block ends well.

        If the block raises, nothing of it is left. Files equal to those of an
        artifact that is already there are not kept twice; a damaged one is replaced.

        Raises: StoreError when the disk is full.
        """
        started, clock = datetime.now(UTC), time.perf_counter()
        with scratch(self.temp) as folder:
            draft = Draft(folder=folder)
            yield draft
            files = records_of(folder)
            manifest = Manifest(
                kind=provenance.kind,
                digest=files_digest(files),
                key=provenance.key,
                files=files,
                inputs=provenance.inputs,
                section=provenance.section,
                stage_version=provenance.stage_version,
                seeds=provenance.seeds,
                counts=draft.counts,
                environment=environment() | draft.environment,
                started=started.isoformat(timespec="microseconds"),
                seconds=round(time.perf_counter() - clock, 3),
            )
            draft.made = self._keep(folder, manifest)

    def checkpoints(
        self, key: str, *, part: str = "", kept: int | None = KEPT, ordered: bool = True
    ) -> Checkpoints:
        """The checkpoints towards the artifact of a key, or a `part` that is kept beside them."""
        folder = self.root / CHECKPOINTS / key[:12] / part
        return Checkpoints(folder=folder, temp=self.temp, kept=kept, ordered=ordered)

    def _keep(self, folder: Path, manifest: Manifest) -> Artifact:
        target = self.root / "store" / manifest.name
        content = pretty(manifest.to_dict())
        artifact = Artifact(folder=target, manifest=manifest)
        if target.exists() and not artifact.intact():
            # aside first: the name never stands for a folder half removed
            damaged = target.rename(folder.with_name(f"{folder.name}-damaged"))
            shutil.rmtree(damaged, ignore_errors=True)
        if not target.exists():
            (folder / MANIFEST).write_bytes(content)
            publish(folder, target)
        write_file(self._key_file(manifest.key), content)
        return artifact

    def _key_file(self, key: str) -> Path:
        return self.root / "store" / "keys" / f"{key}.json"


def environment() -> dict[str, str]:
    """Versions an artifact was made with; no host, no user, no path."""
    return {
        "tutelage": tutelage.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
    }
