"""A release at work: served, watched, bettered, and proved to be what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from tutelage.core.errors import RecipeError, TutelageError
from tutelage.core.recipe import Monitor, Recipe, load
from tutelage.release.run import RECIPE
from tutelage.release.verify import Checked, admitted
from tutelage.release.verify import verify as checks_of
from tutelage.store.artifact import Artifact
from tutelage.store.release import ReleaseFolder, events_path, read_release
from tutelage.store.store import Store

if TYPE_CHECKING:
    from tutelage.improve.run import Improved
    from tutelage.monitor.run import Report as Watched
    from tutelage.serve.run import Place
    from tutelage.store.journal import Journal

Released: TypeAlias = "ReleaseFolder | Artifact | Path | str"


def verify(released: Released, *, base: str | None = None) -> list[Checked]:
    """What a release says of itself, compared with what it is, check by check.

    `base` is where its base lies, if not where it lay then.
    """
    folder = opened_folder(released)
    return [*checks_of(folder, base=base, today=datetime.now(UTC).date())]


@contextmanager
def serving(released: Released, *, place: Place | None = None) -> Iterator[str]:
    """The address of a server that answers with a release for the block, on a free port of
    this machine unless `place` says otherwise.

    Raises: StoreError for damaged files; GateShut where a waiver it needs has ended;
        TutelageError where it cannot be opened, with what differs.
    """
    from tutelage.serve.run import Place
    from tutelage.serve.run import serving as serve

    folder = opened_folder(released)
    folder.verify()
    admitted(folder, datetime.now(UTC).date())
    with serve(folder, place or Place(port=0)) as address:
        yield address


def monitor(
    released: Released,
    project: Path | None = None,
    *,
    section: Monitor | None = None,
    events: Path | None = None,
    until: datetime | None = None,
) -> Watched:
    """What a release served in the window before `until` (now), against what was promised.

    Events are those of `project`, the one it lies in if left out; `section` takes the place of
    the release's. Where it lies in a project's store and something was served, that store keeps
    the report.

    Raises: RecipeError for rules about what is not measured; StoreError without a journal,
        or where an event was changed or taken out.
    """
    from tutelage.monitor.page import html
    from tutelage.monitor.run import keep
    from tutelage.monitor.run import run as monitor_door

    folder = opened_folder(released)
    with proven(folder, events, project) as journal:
        asked = section or folder.monitor
        report = monitor_door(asked, folder, journal, until or datetime.now(UTC))
    if folder.project is None or not report.requests:
        return report
    return replace(report, kept=keep(report, html(report), Store.beside(folder.project)))


def improve(
    released: Released, project: Path | None = None, *, events: Path | None = None
) -> Improved:
    """Proposes rows from the feedback on a release, and writes those a person approved.

    Events are those of `project`, the one it lies in if left out, and paths of the section
    relative to it. Where the release has no section, that of the project's recipe counts.

    Raises: RecipeError without a section `improve`; RowError for lines that cannot be used;
        StoreError without a journal, or where an event was changed or taken out.
    """
    from tutelage.improve.run import run as improve_door

    folder = opened_folder(released)
    home = project or folder.project or Path()
    recipe = recipe_of(home)
    section = folder.improve or (recipe.improve if recipe else None)
    if section is None:
        raise RecipeError(
            "neither the release nor the recipe has a section `improve`",
            where=folder.label,
            hint="add `improve: {licence: ...}` to the recipe: the licence the rows will have",
        )
    with proven(folder, events, project) as journal:
        return improve_door(section, folder, journal, home)


def recipe_of(project: Path) -> Recipe | None:
    """A project's recipe as it stands; None where there is none that can be read."""
    try:
        return load(project / RECIPE) if (project / RECIPE).exists() else None
    except TutelageError:
        return None  # nothing rests on it; `tutelage check` tells what is wrong with it


def opened_folder(released: Released) -> ReleaseFolder:
    """The release of an artifact or a folder."""
    if isinstance(released, ReleaseFolder):
        return released
    return read_release(released.folder if isinstance(released, Artifact) else Path(released))


@contextmanager
def proven(release: ReleaseFolder, events: Path | None, project: Path | None) -> Iterator[Journal]:
    """The journal a release's server writes, or the one that is named, its chain unbroken.

    Raises: StoreError where there is none, or an event was changed or taken out.
    """
    from tutelage.store.journal import Journal

    with Journal.open(events or events_path(release, project), read_only=True) as journal:
        journal.verify()
        yield journal
