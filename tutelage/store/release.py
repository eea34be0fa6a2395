"""A release as it lies on disk, wherever it was copied to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from tutelage.core.artifact import Manifest
from tutelage.core.errors import BadRow, StoreError
from tutelage.core.metric import Metric
from tutelage.core.recipe import Improve, Monitor, Precision, Section, Serve, Waiver
from tutelage.store.artifact import MANIFEST, Artifact, read_json, read_manifest
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.store import PROJECT, project_of

SCHEMA = 1
RELEASE = "release.json"
CONTRACT = "contract.json"
ADAPTER = "adapter"
TOKENIZER = "tokenizer"
CARD, DATASET_CARD = "README.md", "dataset_card.md"
LINEAGE = "lineage.json"
VERDICT = "verdict.json"
EVENTS = "events.sqlite"
Kept = TypeVar("Kept", bound=Section)
DIGITS = 12  # of a digest, in the name a release is served under


class _Base(BaseModel):
    name: str
    digests: dict[str, str]


class _Waived(Waiver):
    outcome: str


class _Form(BaseModel):
    """What every release.json has; its sections are read when they are asked for."""

    name: str
    outcome: str
    waivers: list[_Waived]
    base: _Base
    precision: Precision
    fingerprint: dict[str, list[float] | None]
    serve: dict[str, Any]
    monitor: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseFolder:
    """A release as it lies on disk: its manifest, and what it says of itself."""

    folder: Path
    manifest: Manifest
    form: Mapping[str, Any]  # release.json

    @property
    def name(self) -> str:
        """The recipe's name."""
        return str(self.form["name"])

    @property
    def digest(self) -> str:
        """SHA-256 over its files."""
        return self.manifest.digest

    @property
    def label(self) -> str:
        """The identity it is served under."""
        return f"{self.name}@{self.digest[:DIGITS]}"

    @property
    def serve(self) -> Serve:
        """How it is served, as it was released."""
        return self._section(Serve, "serve")

    @property
    def monitor(self) -> Monitor:
        """What is watched of it."""
        return self._section(Monitor, "monitor")

    @property
    def improve(self) -> Improve | None:
        """How its feedback becomes rows, where the recipe says so."""
        return None if self.form.get("improve") is None else self._section(Improve, "improve")

    @property
    def contract(self) -> Mapping[str, Any]:
        """The prompt contract it was trained with, as plain JSON."""
        return read_json(self.folder / CONTRACT)

    @property
    def precision(self) -> Precision:
        """The number format it was measured in."""
        return cast(Precision, self.form["precision"])

    @property
    def adapter(self) -> Path:
        """The folder of its weights."""
        return self.folder / ADAPTER

    @property
    def project(self) -> Path | None:
        """The folder of the project whose store it lies in, None where it was copied out."""
        return project_of(self.folder)

    def metrics(self) -> list[Metric]:
        """What the evaluation measured before it was released."""
        return read_metrics(self.folder / METRICS)

    def verify(self) -> None:
        """Compares every file with the manifest, and the manifest with itself.

        Raises: StoreError that names each file that is missing, changed or too many.
        """
        Artifact(folder=self.folder, manifest=self.manifest).verify(alone=True)

    def _section(self, kind: type[Kept], name: str) -> Kept:
        try:
            section = kind.model_validate(self.form[name])
        except (KeyError, ValidationError) as error:
            raise StoreError(
                f"section `{name}` of this release cannot be read: {error}",
                where=str(self.folder / RELEASE),
                hint="upgrade tutelage, or release again",
            ) from error
        return section


def read_release(folder: Path) -> ReleaseFolder:
    """The release in a folder; its files are not compared yet.

    Raises: StoreError if it is none, or of a newer schema.
    """
    if not (folder / RELEASE).exists():
        raise StoreError(
            "this folder is no release",
            where=str(folder),
            expected=f"a folder with {RELEASE} and {MANIFEST}",
            hint="`tutelage release RECIPE` makes one of a verdict that passes",
        )
    form = read_json(folder / RELEASE)
    if form.get("schema") != SCHEMA:
        raise StoreError(
            f"release of schema {form.get('schema')}; this tutelage reads {SCHEMA}",
            where=str(folder / RELEASE),
            hint="upgrade tutelage, or release again",
        )
    _check(form, folder / RELEASE)
    return ReleaseFolder(folder=folder, manifest=read_manifest(folder / MANIFEST), form=form)


def _check(form: Mapping[str, Any], path: Path) -> None:
    """Raises StoreError naming all that is missing or is not what it must be."""
    try:
        _Form.model_validate(form)
    except ValidationError as error:
        rows = [
            BadRow(where=".".join(map(str, one["loc"])), problem=one["msg"])
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise StoreError(
            "what it says of itself is not whole",
            where=str(path),
            expected="the file as `tutelage release` writes it",
            rows=rows,
            hint="copy the release anew, or release again",
        ) from error


def events_path(release: ReleaseFolder, project: Path | None = None) -> Path:
    """Where the release's events are kept: with its project, else beside its folder."""
    home = project or release.project
    return home / PROJECT / EVENTS if home is not None else release.folder.parent / EVENTS
