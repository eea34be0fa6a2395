"""The review file: proposals that a person edits, approves or refuses, a line each.

A line is `{"approved": null, "kind": ..., "feedback": ..., "answer": ..., "row": {...}}`, with
`problem`, `note` and `comment` where there is one, and `finish` where the answer did not end by
itself. `approved` becomes true or false; the row
may be changed. A line that is taken out is proposed again, unless a row with that answer was
written already; a refused one is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import Reason
from tutelage.core.printable import printable
from tutelage.improve.lines import Lines
from tutelage.improve.propose import Checker, Proposal
from tutelage.store.ingest import OF_EVENT, Fault, example_of
from tutelage.store.ingest.fault import column, flag, mapping, refuse_unknown, text
from tutelage.store.ingest.strict import strict_object

KEYS = ("approved", "kind", "problem", "note", "comment", "feedback", "finish", "answer", "row")
EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
NEEDED = ("approved", "kind", "answer", "row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the review file."""

    form: dict[str, Any]  # as it was written
    line: int = 0

    @property
    def event(self) -> str:
        """`event:ID` of the answer it is about."""
        return str(self.form["row"]["source"]["uri"])

    @property
    def approved(self) -> bool | None:
        """What was decided; None while it waits."""
        decided: bool | None = self.form["approved"]
        return decided

    @property
    def problem(self) -> str:
        """Why it cannot be approved as it stands."""
        return str(self.form.get("problem") or "")

    def checked(self, checker: Checker, uri: str) -> Entry:
        """The same line with the problem its row has now."""
        problem = checker.problem(self.form["row"], uri, self.line) or self._unfinished()
        form = {name: value for name, value in self.form.items() if name != "problem"}
        return replace(self, form=_ordered(form | ({"problem": problem} if problem else {})))

    def _unfinished(self) -> str:
        """What is wrong with an answer that was broken off, while it stands as it was served."""
        answer = self.form["row"]["messages"][-1].get("content")
        if "finish" not in self.form or answer != self.form["answer"]:
            return ""
        return f"its answer was broken off ({self.form['finish']}): end it, or refuse it"


def read_review(review: Lines, checker: Checker) -> list[Entry]:
    """The lines of the review file, none where there is no file.

    Raises: RowError with every line that is malformed, or approved and cannot be taught.
    """
    found: list[Entry] = []
    wrong: list[BadRow] = []
    seen: dict[str, int] = {}
    uri = review.uri
    for line, written in review.numbered():
        where = f"{uri}:{line}"
        try:
            entry = Entry(form=_form(written), line=line)
        except Fault as fault:
            wrong.append(BadRow(where=where, problem=fault.message))
            continue
        first = seen.setdefault(entry.event, line)
        entry = entry.checked(checker, uri)
        if first != line:
            wrong.append(BadRow(where=where, problem=f"{entry.event} is also in line {first}"))
        elif entry.approved and entry.problem:
            wrong.append(BadRow(where=where, problem=f"it is approved, but {entry.problem}"))
        found.append(entry)
    if wrong:
        raise RowError(
            f"{len(wrong)} {'line' if len(wrong) == 1 else 'lines'} of {uri} cannot be used",
            rows=wrong,
            hint="mend the row, or set `approved` to null or false; nothing was written",
        )
    return found


def with_new(entries: Sequence[Entry], fresh: Iterable[Proposal], checker: Checker) -> list[Entry]:
    """The lines as people left them, and after them a line for each new proposal."""
    found = list(entries)
    for one in fresh:
        form: dict[str, Any] = {
            "approved": None,
            "kind": one.kind,
            "note": one.note,
            "comment": one.comment,
            "feedback": one.feedback,
            "finish": one.finish,
            "answer": one.answer,
            "row": one.row,
        }
        kept = {name: value for name, value in form.items() if value != ""} | {"answer": one.answer}
        found.append(Entry(form=_ordered(kept)).checked(checker, one.event))
    return found


def read_rows_of(rows: Lines) -> dict[str, dict[str, Any]]:
    """The rows written so far, by their event.

    Raises: RowError with every line that is no row made from an event, or is of an event
        that has a row already.
    """
    found: dict[str, dict[str, Any]] = {}
    wrong: list[BadRow] = []
    seen: dict[str, int] = {}
    uri = rows.uri
    for line, written in rows.numbered():
        try:
            example = example_of(_object(written), uri, line)
        except Fault as fault:
            wrong.append(BadRow(where=f"{uri}:{line}", problem=fault.message))
            continue
        if example.source.line:
            wrong.append(BadRow(where=f"{uri}:{line}", problem="it was not made from an event"))
        first = seen.setdefault(example.source.uri, line)
        if first != line:
            problem = f"{example.source.uri} is also in line {first}"
            wrong.append(BadRow(where=f"{uri}:{line}", problem=problem))
        found[example.source.uri] = dict(example.to_dict())
    if wrong:
        raise RowError(
            f"{len(wrong)} {'row' if len(wrong) == 1 else 'rows'} of {uri} cannot be kept",
            rows=wrong,
            hint="this file is written from the review: put rows of your own in another file",
        )
    return found


def _object(written: bytes) -> dict[str, Any]:
    try:
        return strict_object(written.decode("utf-8"), "the line")
    except UnicodeDecodeError as error:
        raise Fault(Reason.INVALID_ENCODING, f"byte {error.start + 1} is not UTF-8") from error


def _form(written: bytes) -> dict[str, Any]:
    """The line as an object of the keys it may have, its row naming an event."""
    form = _object(written)
    refuse_unknown(form, KEYS, "the line")
    for name in NEEDED:
        column(form, name)
    flag(form["approved"], "`approved`")
    for name in ("kind", "answer", "finish"):
        text(form.get(name, ""), f"`{name}`")
    source = mapping(mapping(form["row"], "`row`").get("source"), "`source` of `row`")
    uri = text(source.get("uri"), "`uri` of `source`")
    if not EVENT_ID.fullmatch(uri.removeprefix(OF_EVENT)) or not uri.startswith(OF_EVENT):
        problem = f"`uri` of `source` is {printable(uri)}; expected `{OF_EVENT}ID`"
        raise Fault(Reason.WRONG_TYPE, problem)
    return form


def _ordered(form: dict[str, Any]) -> dict[str, Any]:
    return {name: form[name] for name in KEYS if name in form}
