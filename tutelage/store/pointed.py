"""Which artifact is the latest of several that were made for one thing: a small file names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.artifact import SCHEMA
from tutelage.core.errors import StoreError
from tutelage.store.artifact import Artifact, pretty, read_text
from tutelage.store.disk import write_file
from tutelage.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointed:
    """The latest artifacts of one kind, by the name of what they were made for."""

    store: Store
    folder: Path
    what: str  # such as `ratings`, in errors

    def point(self, name: str, artifact: Artifact, about: Mapping[str, str]) -> None:
        """Makes this the latest one; `about` is kept beside its key."""
        write_file(self._file(name), pretty({"schema": SCHEMA, **about, "key": artifact.key}))

    def latest(self, name: str, of: str) -> Artifact | None:
        """The verified latest one, None where there is none; `of` names the thing in errors.

        Raises: StoreError where it is damaged, or was taken out of the store.
        """
        pointer = self._file(name)
        if not pointer.exists():
            return None
        found = self.store.find(read_text(pointer, "key"))
        if found is None:
            raise StoreError(
                f"the {self.what} of {of} are not in the store",
                where=str(pointer),
                hint="import the filled-in sheets again, or remove that file",
            )
        return found

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.json"
