"""What people are asked and what they answer: drafts reviewed, answers rated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tutelage.core.errors import StoreError, UsageError
from tutelage.curate.synthesis.review import Taken, export, queue, take
from tutelage.evaluate.rate import Imported, withdraw
from tutelage.evaluate.rate import export as export_ratings
from tutelage.evaluate.rate import take as import_ratings
from tutelage.evaluate.sheet import Sheet, Wanted
from tutelage.pipeline.road import Written, read_in
from tutelage.store.artifact import Artifact
from tutelage.store.sheets import suffix_of
from tutelage.store.store import Store, project_of


def review_sheets(
    recipe: Written, path: Path, reviewers: Sequence[str], limit: int | None = None
) -> list[tuple[Path, str, int]]:
    """Writes what each reviewer is asked of a recipe's drafts: file, reviewer, lines.

    Raises: StoreError where nothing was drafted; UsageError where a file is there already.
    """
    return export(queue(read_in(recipe)), path, reviewers, limit)


def take_reviews(recipe: Written, files: Sequence[Path], *, replace: bool = False) -> Taken:
    """Takes filled-in sheets of a recipe's drafts in, and writes the rows that passed.

    Raises: UsageError for a file that is not there; RowError with every line that cannot be used;
        StoreError where nothing was drafted, or rows were changed since they were written.
    """
    _there(files)
    whole = read_in(recipe)
    with queue(whole).store.lock():
        return take(queue(whole), files, replace=replace)


def rating_sheets(report: Artifact, wanted: Wanted, path: Path) -> list[tuple[Path, Sheet]]:
    """Writes blind sheets of a report's answers, one for each rater.

    Raises: UsageError for what the report does not have, and where a file is there already.
    """
    suffix_of(path)
    store = store_of(report)
    with store.lock():
        return export_ratings(store, report, wanted, path)


def take_ratings(report: Artifact, files: Sequence[Path], *, replace: bool = False) -> Imported:
    """Takes filled-in sheets of a report's answers in, beside those taken in before.

    Raises: UsageError for a file that is not there; RowError with every line that cannot be used.
    """
    _there(files)
    store = store_of(report)
    with store.lock():
        return import_ratings(store, report, files, replace=replace)


def withdraw_sheet(report: Artifact, sheet: str, because: str) -> None:
    """Waits no more for a sheet of a report's answers: it is lost, or was a trial.

    Raises: UsageError where no such sheet is out, and where some of it came back.
    """
    store = store_of(report)
    with store.lock():
        withdraw(store, report, sheet, because)


def store_of(artifact: Artifact) -> Store:
    """The store an artifact lies in.

    Raises: StoreError where it lies in none.
    """
    project = project_of(artifact.folder)
    if project is None:
        raise StoreError("it lies in no project's store", where=str(artifact.folder))
    return Store.beside(project)


def _there(files: Sequence[Path]) -> None:
    for path in files:
        if not path.exists():
            raise UsageError("there is no such sheet", where=str(path))
