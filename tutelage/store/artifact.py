"""An immutable result on disk: its files, its manifest, and whether they still agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.artifact import SCHEMA, FileRecord, Kind, Manifest, files_digest
from tutelage.core.digest import file_digest
from tutelage.core.errors import BadRow, StoreError

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An immutable result with a digest, in its folder."""

    folder: Path
    manifest: Manifest

    @property
    def digest(self) -> str:
        """SHA-256 over its files."""
        return self.manifest.digest

    @property
    def key(self) -> str:
        """SHA-256 over what it was made from."""
        return self.manifest.key

    @property
    def kind(self) -> Kind:
        """What it is."""
        return self.manifest.kind

    @property
    def name(self) -> str:
        """`KIND-DIGEST12`."""
        return self.manifest.name

    @property
    def counts(self) -> Mapping[str, int]:
        """What its stage counted."""
        return self.manifest.counts

    def file(self, path: str) -> Path:
        """One of its files.

        Raises: StoreError if the artifact has no such file.
        """
        if path not in self.manifest.files:
            raise StoreError(
                f"{self.name} has no file `{path}`",
                expected=", ".join(self.manifest.files),
            )
        return self.folder / path

    def has(self, path: str) -> bool:
        """Whether it has such a file."""
        return path in self.manifest.files

    def verify(self, *, alone: bool = False) -> None:
        """Compares every file with the manifest, and the manifest with itself.

        Where it must be `alone`, a file too many is wrong too. Counts, time and environment
        are what the manifest alone says: nothing proves them.

        Raises: StoreError that names each file that is missing, changed or too many.
        """
        rows, strays = self._damage(), self._strays() if alone else []
        if rows or strays:
            anew = "remove that folder and run again: the stage makes it anew"
            raise StoreError(
                f"{self.name} is damaged" if rows else f"{self.name} holds files that are not its",
                where=str(self.folder),
                rows=[*rows, *strays],
                hint=anew if rows else "take them out",
            )

    def intact(self) -> bool:
        """Whether every file is as the manifest says."""
        return not self._damage()

    def _damage(self) -> list[BadRow]:
        rows = []
        for path, record in self.manifest.files.items():
            problem = _problem(self.folder / path, record)
            if problem:
                rows.append(BadRow(where=path, problem=problem))
        if not rows and files_digest(self.manifest.files) != self.digest:
            rows.append(BadRow(where=MANIFEST, problem="its digest is not that of its files"))
        problem = _own_problem(self.manifest) or self._manifest_problem()
        if problem:
            rows.append(BadRow(where=MANIFEST, problem=problem))
        return rows

    def _strays(self) -> list[BadRow]:
        """Files that lie among its own."""
        there = (path for path in self.folder.rglob("*") if not path.is_dir())
        names = {path.relative_to(self.folder).as_posix() for path in there}
        strange = sorted(names - self.manifest.files.keys() - {MANIFEST})
        return [BadRow(where=name, problem="is not in the manifest") for name in strange]

    def _manifest_problem(self) -> str:
        """What is wrong with its folder's manifest, which may be of a newer schema."""
        try:
            form = read_json(self.folder / MANIFEST)
            if isinstance(form.get("schema"), int) and form["schema"] > SCHEMA:
                return ""
            found = Manifest.from_dict(form, where=MANIFEST)
        except StoreError:
            return "is missing or cannot be read"
        if found.digest != self.digest:
            return "is that of another artifact"
        return _own_problem(found)


def _own_problem(manifest: Manifest) -> str:
    if manifest.provenance.key == manifest.key:
        return ""
    return "its `key` is not that of its kind, inputs, section, stage_version and seeds"


def _problem(path: Path, record: FileRecord) -> str:
    if not path.is_file():
        return "is missing"
    size = path.stat().st_size
    if size != record.bytes:
        return f"has {size:,} bytes; expected {record.bytes:,}"
    return "" if file_digest(path) == record.sha256 else "has other bytes than were written"


def records_of(folder: Path) -> dict[str, FileRecord]:
    """Every file under a folder but the manifest, paths sorted and written with `/`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): FileRecord(
            sha256=file_digest(path), bytes=path.stat().st_size
        )
        for path in paths
        if path != folder / MANIFEST
    }


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file.

    Raises: StoreError if it is missing, not a manifest, or of a newer schema.
    """
    form = read_json(path)
    return Manifest.from_dict(form, where=str(path))


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in one of the store's own files.

    Raises: StoreError if it is missing or not a JSON object.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise StoreError("this file is missing", where=str(path)) from None
    except OSError as error:
        raise StoreError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StoreError(
            f"not a JSON object: {error}",
            where=str(path),
            hint="remove this file and run again: what it stood for is made anew",
        ) from error


def read_text(path: Path, key: str) -> str:
    """A text in one of the store's own files.

    Raises: StoreError if the file is missing or has no such text.
    """
    value = read_json(path).get(key)
    if not isinstance(value, str):
        raise StoreError(
            f"it has no `{key}`",
            where=str(path),
            hint="remove this file; the next run writes it anew",
        )
    return value


def pretty(form: Mapping[str, Any]) -> bytes:
    """JSON for files that people open too."""
    return msgspec.json.format(msgspec.json.encode(form), indent=2) + b"\n"
