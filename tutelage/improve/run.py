"""The door of `improve`: feedback in, proposals to review and approved rows out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tutelage.core.recipe.improve import Improve
from tutelage.improve.lines import Lines
from tutelage.improve.propose import Checker, Proposal, proposals
from tutelage.improve.review import Entry, read_review, read_rows_of, with_new
from tutelage.improve.triage import Kind, Triage, triage
from tutelage.store.ingest import example_of, uri_of
from tutelage.store.journal import Journal
from tutelage.store.release import ReleaseFolder

AGAIN = (
    "a row with another answer was approved before and stands while this waits: "
    "approved, this one takes its place; refused, there is none"
)


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
    stays; an event that is in it is not proposed again, and one among the rows only where
    it was corrected to another answer since.

    Raises: RowError with every line of either file that cannot be used, StoreError where a
        person saved one of them meanwhile; nothing is written then.
    """
    review = Lines.read(folder / Path(section.review).expanduser(), uri_of(section.review))
    rows = Lines.read(folder / Path(section.rows).expanduser(), uri_of(section.rows))
    checker = Checker.of(release)
    entries = read_review(review, checker)
    written = read_rows_of(rows)
    sorted_out = triage(journal, release.digest)
    proposed = proposals(sorted_out.cases, section, release)
    known = {entry.event: entry for entry in entries}
    fresh = [*_fresh(proposed.found, known, written)]
    entries = with_new(entries, fresh, checker)
    _decide(written, entries, review.uri)
    for file in (review, rows):  # both, before the first of them is written
        file.check()
    review.replace([entry.form for entry in entries])
    changed = rows.replace([written[event] for event in sorted(written)])
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
            one.event in known
            and known[one.event].form.get("feedback") != one.feedback
            and one.corrects(known[one.event].form["row"])
            for one in proposed.found
        ),
        rows=len(written),
        rows_changed=changed,
    )


def _fresh(
    found: Iterable[Proposal], known: Mapping[str, Entry], written: Mapping[str, dict[str, Any]]
) -> Iterator[Proposal]:
    """What is to be added to the review: what is in neither file, or was corrected since."""
    for one in found:
        if one.event not in known and one.event not in written:
            yield one
        elif one.event not in known and one.corrects(written[one.event]):
            yield replace(one, note="; ".join(note for note in (AGAIN, one.note) if note))


def _decide(written: dict[str, dict[str, Any]], entries: Iterable[Entry], uri: str) -> None:
    """Puts the approved rows among those that were written, in the place of an older one.

    A row stays while its line waits, and where its line was taken out of the review; it
    goes where its line is refused.
    """
    for entry in entries:
        if entry.approved:
            example = example_of(entry.form["row"], uri, entry.line)
            written[entry.event] = dict(example.to_dict())
        elif entry.approved is False:
            written.pop(entry.event, None)
