"""People's ratings of a report: sheets handed out, and what comes back as an artifact.

The report stays as it is, under its digest. What people say of it stands in an artifact of
its own, which gate and page read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json, file_digest
from tutelage.core.errors import BadRow, RowError, UsageError
from tutelage.core.seeds import stream
from tutelage.evaluate.filled import Desk, read_filled
from tutelage.evaluate.sheet import Answered, Key, Sheet, Wanted, answered, sheets
from tutelage.score.people import PEOPLE_FORM, people_form
from tutelage.score.rating import RATINGS, Rating, read_ratings
from tutelage.store.artifact import Artifact, pretty, read_json
from tutelage.store.lines import write_lines
from tutelage.store.rated import Rated
from tutelage.store.sheets import write_sheet
from tutelage.store.store import Store

VERSION = 2
SEED = 0  # of the resamples behind its intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import came to."""

    artifact: Artifact
    read: int  # ratings in these files
    blank: int  # lines left blank
    replaced: int  # ratings that took the place of earlier ones

    @property
    def people(self) -> Mapping[str, Json]:
        """All ratings of the report, suite by suite."""
        form: Mapping[str, Json] = read_json(self.artifact.file(PEOPLE_FORM))["suites"]
        return form


def export(store: Store, report: Artifact, wanted: Wanted, path: Path) -> list[tuple[Path, Sheet]]:
    """Writes a blind sheet for each rater, and then its key into the store.

    Of several raters each has a file named after them. A sheet that could not be written is
    nowhere waited for.

    Raises: UsageError for what the report does not have, and where a file is there already;
        StoreError where such a sheet was withdrawn.
    """
    found, rated = [], Rated(store=store)
    for sheet in sheets(report, wanted):
        rated.check_new(sheet.name)
        several = len(wanted.raters) > 1
        name = f"{path.stem}-{sheet.key.rater}{path.suffix}" if several else path.name
        found.append((path.with_name(name), sheet))
    if there := [mine for mine, _ in found if mine.exists()]:
        hint = "name another, or remove it: somebody may have filled it in"
        raise UsageError("there is such a file already", where=str(there[0]), hint=hint)
    for mine, sheet in found:
        write_sheet(mine, sheet.key.columns, sheet.rows)
        try:
            rated.keep_key(sheet.name, sheet.key.to_dict())
        except BaseException:
            mine.unlink()  # nothing opens it
            raise
    return found


def withdraw(store: Store, report: Artifact, sheet: str, because: str) -> None:
    """Waits no more for a sheet that was handed out: it is lost, say, or was a trial.

    Raises: UsageError where no such sheet of the report is out, where it is not said why, and
        where some of it came back: what is known of its lines must not choose whether they count.
    """
    if not because.strip():
        raise UsageError("a sheet is withdrawn for a reason", hint='say it: --because "WORDS"')
    rated = Rated(store=store)
    out = rated.handed_out(report)
    if sheet not in out:
        there = ", ".join(f"{name} of {form['rater']}" for name, form in out.items())
        raise UsageError(
            f"no sheet `{sheet}` of this report is out", hint=f"out: {there or 'none'}"
        )
    before = rated.latest(report)
    known = [] if before is None else read_ratings(before.file(RATINGS))
    if back := sum(1 for one in known if one.sheet == sheet):
        raise UsageError(
            f"{back} line{'s' if back > 1 else ''} of sheet `{sheet}` came back",
            hint="import the rest: what is known of a sheet must not choose whether it counts",
        )
    rated.withdraw(sheet, because)


def take(
    store: Store, report: Artifact, files: Sequence[Path], *, replace: bool = False
) -> Imported:
    """The ratings of these files beside those that were imported before.

    Raises: RowError with every line that cannot be used, and, unless it may `replace` them,
        every look of a rater that said otherwise before.
    """
    rated = Rated(store=store)

    @cache
    def answers_of(suite: str) -> Mapping[str, Answered]:
        return answered(report, suite)

    def key_of(sheet: str) -> Key | None:
        form = rated.key(sheet)
        return None if form is None else Key.from_dict(form)

    desk = Desk(report=report.digest, key_of=key_of, answers_of=answers_of)
    filled = read_filled(files, desk)
    before = rated.latest(report)
    known = (
        {} if before is None else {_look(one): one for one in read_ratings(before.file(RATINGS))}
    )
    new = {_look(one): one for one in filled.ratings}
    changed = [look for look, one in new.items() if look in known and known[look] != one]
    if changed and not replace:
        rows = [
            BadRow(where=filled.seen.get(look, look[1]), problem=_told(known[look]))
            for look in changed
        ]
        raise RowError(
            f"{len(rows)} of these ratings were imported before, and were others",
            rows=rows,
            hint="import with `--replace` where these are the right ones",
        )
    every = sorted({**known, **new}.values(), key=lambda one: (*_look(one), one.swapped))
    inputs = {"report": report.digest, **_files(files)}
    if before is not None:
        inputs["before"] = before.digest
    section = {"replace": replace}
    provenance = Provenance(kind="ratings", inputs=inputs, section=section, stage_version=VERSION)
    with store.put(provenance) as draft:
        write_lines(draft.folder / RATINGS, [one.to_dict() for one in every])
        suites = people_form(every, lambda name: stream(f"rate.{name}", SEED))
        form = {"schema": 1, "report": report.digest, "suites": suites}
        (draft.folder / PEOPLE_FORM).write_bytes(pretty(form))
        draft.counts |= {"ratings": len(every), "raters": len({one.rater for one in every})}
    rated.point(report, draft.artifact)
    return Imported(
        artifact=draft.artifact,
        read=len(filled.ratings),
        blank=filled.blank,
        replaced=len(changed),
    )


def _look(one: Rating) -> tuple[str, str, str, str, str]:
    return (one.rater, one.item, one.first, one.second, one.criterion)


def _told(one: Rating) -> str:
    word = one.criterion or f"{one.first} against {one.second}"
    return f"rater `{one.rater}` gave {word} {one.value:g} before"


def _files(files: Sequence[Path]) -> dict[str, str]:
    return {f"sheet:{number}": file_digest(path) for number, path in enumerate(files)}
