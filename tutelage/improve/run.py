"""The door of `improve`: feedback in, proposals to review and approved rows out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.recipe.improve import Improve
from tutelage.improve.propose import Checker, proposals
from tutelage.improve.review import (
    Entry,
    read_review,
    read_rows_of,
    with_new,
    write_lines,
    write_review,
)
from tutelage.improve.triage import Kind, Triage, triage
from tutelage.store.ingest import example_of, uri_of
from tutelage.store.journal import Journal
from tutelage.store.release import ReleaseFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Improved:
    """What feedback there was, and what became of it."""

    section: Improve  # by which it was done
    triage: Triage
    added: int  # to the review file
    waiting: int  # for a person, those with a problem among them
    with_problem: int
    approved: int
    refused: int
    without_text: int  # that would be proposed, had their events kept it
    without_answer: int  # praised, though what the model said was held back or failed
    renewed: int  # that were corrected again after they were proposed
    rows: int  # in the file of approved rows
    rows_changed: bool

    @property
    def counts(self) -> Mapping[Kind, int]:
        """Cases by kind."""
        return self.triage.counts


def run(section: Improve, release: ReleaseFolder, journal: Journal, folder: Path) -> Improved:
    """Proposes rows from feedback, and writes those that were approved.

    Paths are relative to `folder`, the recipe's. What people wrote into the review file
    stays; an event that is in it, or among the rows already, is not proposed again.

    Raises: RowError with every line of either file that cannot be used; nothing is
        written then.
    """
    review = folder / Path(section.review).expanduser()
    rows = folder / Path(section.rows).expanduser()
    checker = Checker.of(release)
    entries = read_review(review, uri_of(section.review), checker)
    written = read_rows_of(rows, uri_of(section.rows))
    sorted_out = triage(journal, release.digest)
    proposed = proposals(sorted_out.cases, section, release)
    known = {entry.event: entry for entry in entries}
    fresh = [one for one in proposed.found if one.event not in known and one.event not in written]
    entries = with_new(entries, fresh, checker)
    write_review(review, entries)
    changed = _write_rows(rows, entries, written, uri_of(section.review))
    waiting = [entry for entry in entries if entry.approved is None]
    return Improved(
        section=section,
        triage=sorted_out,
        added=len(fresh),
        waiting=len(waiting),
        with_problem=sum(bool(entry.problem) for entry in waiting),
        approved=sum(entry.approved is True for entry in entries),
        refused=sum(entry.approved is False for entry in entries),
        without_text=proposed.without_text,
        without_answer=proposed.without_answer,
        renewed=sum(
            one.event in known and known[one.event].form.get("feedback") != one.feedback
            for one in proposed.found
        ),
        rows=len(written),
        rows_changed=changed,
    )


def _write_rows(
    path: Path, entries: list[Entry], written: dict[str, dict[str, Any]], uri: str
) -> bool:
    """Writes the approved rows, sorted by event; `written` becomes what the file holds.

    Rows whose line was taken out of the review stay; those refused since then go.
    """
    for entry in entries:
        if entry.approved:
            example = example_of(entry.form["row"], uri, entry.line)
            written[entry.event] = dict(example.to_dict())
        else:
            written.pop(entry.event, None)
    return write_lines(path, [written[event] for event in sorted(written)])
