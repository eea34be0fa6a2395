"""An Artifact's manifest: what it holds, what it was made from, and the key that finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tutelage.core.digest import Json, strong_digest
from tutelage.core.errors import StoreError

SCHEMA = 1  # of a manifest; a newer one is refused

Kind = Literal[
    "dataset", "tokens", "adapter", "report", "ratings", "drafts", "reviews", "verdict", "release"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One file of an artifact."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What an artifact is made from: equal provenance, equal key.

    Inputs are digests by name: of artifacts (`dataset`), and SHA-256 of files from
    outside (`source:data/train.jsonl`). The section is plain JSON, defaults included.
    """

    kind: Kind
    inputs: Mapping[str, str]
    section: Mapping[str, Any]
    stage_version: int  # raised by the stage when its output changes
    seeds: Mapping[str, int] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """SHA-256 of all of it."""
        return strong_digest(
            {
                "kind": self.kind,
                "inputs": dict(self.inputs),
                "section": dict(self.section),
                "stage_version": self.stage_version,
                "seeds": dict(self.seeds),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`manifest.json`. No host name and no absolute path is recorded.

    `digest` covers the files only; time and environment enter neither digest nor key.
    """

    kind: Kind
    digest: str
    key: str
    files: Mapping[str, FileRecord]
    inputs: Mapping[str, str]
    section: Mapping[str, Any]
    stage_version: int
    seeds: Mapping[str, int]
    counts: Mapping[str, int]
    environment: Mapping[str, str]
    started: str  # UTC, ISO 8601
    seconds: float

    @property
    def provenance(self) -> Provenance:
        """What it says it was made from; counts, time and environment are no part of that."""
        return Provenance(
            kind=self.kind,
            inputs=self.inputs,
            section=self.section,
            stage_version=self.stage_version,
            seeds=self.seeds,
        )

    @property
    def name(self) -> str:
        """Name of the artifact's folder."""
        return f"{self.kind}-{self.digest[:12]}"

    def to_dict(self) -> dict[str, Json]:
        """The manifest as plain JSON."""
        files: dict[str, Json] = {
            path: {"sha256": record.sha256, "bytes": record.bytes}
            for path, record in self.files.items()
        }
        return {
            "schema": SCHEMA,
            "kind": self.kind,
            "digest": self.digest,
            "key": self.key,
            "files": files,
            "inputs": dict(self.inputs),
            "section": dict(self.section),
            "stage_version": self.stage_version,
            "seeds": dict(self.seeds),
            "counts": dict(self.counts),
            "environment": dict(self.environment),
            "started": self.started,
            "seconds": self.seconds,
        }

    @classmethod
    def from_dict(cls, form: Mapping[str, Any], where: str) -> Manifest:
        """The manifest of `to_dict`; `where` names its file in errors.

        Raises: StoreError for a newer schema and for what is not a manifest.
        """
        schema = form.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise StoreError(
                f"written by a newer tutelage: schema {schema}, this one reads {SCHEMA}",
                where=where,
                hint="upgrade tutelage, or use another project folder",
            )
        try:
            files = {
                path: FileRecord(sha256=record["sha256"], bytes=record["bytes"])
                for path, record in form["files"].items()
            }
            return cls(
                kind=form["kind"],
                digest=form["digest"],
                key=form["key"],
                files=files,
                inputs=form["inputs"],
                section=form["section"],
                stage_version=form["stage_version"],
                seeds=form["seeds"],
                counts=form["counts"],
                environment=form["environment"],
                started=form["started"],
                seconds=form["seconds"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"not a manifest: {error}", where=where, hint="remove its folder"
            ) from error


def files_digest(files: Mapping[str, FileRecord]) -> str:
    """The digest of an artifact: its files' paths and digests, nothing else."""
    return strong_digest({path: record.sha256 for path, record in files.items()})
