"""What people rate: the keys of blind sheets, and which ratings of a report are the latest.

.tutelage/ratings/
  keys/SHEET.json      which system gave which answer of a sheet; never in the sheet
  of/REPORT12.json     the ratings that gate and page read of a report
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.artifact import SCHEMA
from tutelage.core.errors import StoreError
from tutelage.store.artifact import Artifact, pretty, read_json
from tutelage.store.disk import write_file
from tutelage.store.pointed import Pointed
from tutelage.store.store import Store

FOLDER = "ratings"
DIGITS = 12  # of a digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """The sheets and ratings of one project."""

    store: Store

    def keep_key(self, sheet: str, form: Mapping[str, Any]) -> None:
        """Writes down what opens a sheet.

        Raises: as `check_new`.
        """
        self.check_new(sheet)
        write_file(self._key(sheet), pretty({"schema": SCHEMA, **form}))

    def check_new(self, sheet: str) -> None:
        """Whether a sheet of that name may be handed out.

        Raises: StoreError where one was withdrawn: it stays so.
        """
        if known := (self.key(sheet) or {}).get("withdrawn"):
            raise StoreError(
                f"sheet `{sheet}` was withdrawn: {known}",
                hint="another `--seed`, `--tasks` or `--rater` makes another sheet",
            )

    def key(self, sheet: str) -> Mapping[str, Any] | None:
        """What opens a sheet, None where this project handed none out by that name.

        Raises: StoreError for a newer schema.
        """
        path = self._key(sheet)
        if not sheet.isalnum() or not path.exists():
            return None
        form: dict[str, Any] = read_json(path)
        if form["schema"] > SCHEMA:
            raise StoreError(
                f"written by a newer tutelage: schema {form['schema']}, this one reads {SCHEMA}",
                where=str(path),
                hint="upgrade tutelage",
            )
        return form

    def handed_out(self, report: Artifact) -> dict[str, Mapping[str, Any]]:
        """What opens each sheet of a report that is not withdrawn, by its name."""
        return {name: form for name, form in self._keys(report) if not form.get("withdrawn")}

    def withdrawn(self, report: Artifact) -> dict[str, Mapping[str, Any]]:
        """What opened each sheet of a report that is withdrawn, by its name."""
        return {name: form for name, form in self._keys(report) if form.get("withdrawn")}

    def _keys(self, report: Artifact) -> Iterator[tuple[str, Mapping[str, Any]]]:
        names = sorted(path.stem for path in (self.store.root / FOLDER / "keys").glob("*.json"))
        forms = ((name, self.key(name)) for name in names)
        for name, form in forms:
            if form is not None and form.get("report") == report.digest:
                yield name, form

    def withdraw(self, sheet: str, because: str) -> None:
        """Waits for a sheet no more; why is kept with its key, and told by every verdict."""
        form = self.key(sheet)
        assert form is not None
        write_file(self._key(sheet), pretty({**form, "withdrawn": because}))

    def point(self, report: Artifact, ratings: Artifact) -> None:
        """Makes these the ratings of a report; the report itself stays as it is."""
        self._latest.point(report.digest[:DIGITS], ratings, {"report": report.digest})

    def latest(self, report: Artifact) -> Artifact | None:
        """The verified ratings of a report, None where nobody has rated it.

        Raises: StoreError where they are damaged, or were taken out of the store.
        """
        return self._latest.latest(report.digest[:DIGITS], report.name)

    def _key(self, sheet: str) -> Path:
        return self.store.root / FOLDER / "keys" / f"{sheet}.json"

    @property
    def _latest(self) -> Pointed:
        return Pointed(store=self.store, folder=self.store.root / FOLDER / "of", what=FOLDER)
