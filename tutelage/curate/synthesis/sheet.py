"""Review sheets: drafts to accept, edit or reject, and what comes back, strictly read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.errors import BadRow, RowError
from tutelage.core.printable import printable
from tutelage.core.review import person
from tutelage.curate.sides import request
from tutelage.curate.synthesis.opinion import DECISIONS, Case, Decision, Opinion, edited
from tutelage.score.task import answer_text
from tutelage.store.ingest.shape import blank
from tutelage.store.sheets import Row, read_rows, same_cell

DIGITS = 16  # of a draft's digest
REVIEWER = re.compile(r"[\w.-]+")
SHOWN = ("context", "request", "answer")
FILLED = ("decision", "edit", "edit_request", "note")
COLUMNS = ("draft", *SHOWN, "reasons", "alike", "said", *FILLED, "reviewer")


def sheet_row(case: Case, reviewer: str) -> dict[str, str]:
    """The line of a sheet; what others said of it is shown only to whom has decided on it."""
    told = "; ".join(_told(one) for one in case.latest.values()) if reviewer in case.latest else ""
    draft = case.draft
    return {
        "draft": draft.digest[:DIGITS],
        **_shown(case),
        "reasons": "; ".join(draft.reasons),
        "alike": f"{draft.alike} of {draft.samples}",
        "said": told,
        **dict.fromkeys(FILLED, ""),
        "reviewer": reviewer,
    }


def asks(case: Case, reviewer: str, reviewers: int) -> bool:
    """Whether a reviewer is asked: what is undecided, and again where reviewers differ."""
    state = case.state(reviewers) if case.said else "waiting"
    return state == "open" or (state == "waiting" and reviewer not in case.latest)


def _shown(case: Case) -> dict[str, str]:
    example = case.draft.example
    before = (one for one in example.messages[:-1] if one.role != "user")
    return {
        "context": "\n\n".join(f"{one.role}: {one.content}" for one in before),
        "request": request(example),
        "answer": answer_text(example.messages[-1]),
    }


def _told(one: Opinion) -> str:
    words = [f"request {one.request}" if one.request else "", one.answer]
    said = ": ".join([one.decision, *filter(None, words)])
    return f"{one.reviewer} {said}" + (f" ({one.note})" if one.note else "")


@dataclass(slots=True, kw_only=True)
class Filled:
    """What sheets came to."""

    said: list[tuple[str, Opinion]] = field(default_factory=list)  # by digest of the draft
    blank: int = 0
    again: int = 0  # lines that say what was said before
    replaced: int = 0
    bad: list[BadRow] = field(default_factory=list)
    seen: dict[tuple[str, str], str] = field(default_factory=dict)  # where each was decided


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What filled-in sheets are held against."""

    cases: Mapping[str, Case]  # by the digits of a sheet
    reviewers: int
    valid: Callable[[str], bool]  # whether the contract allows an answer
    replace: bool = False


def read_filled(files: Sequence[Path], desk: Desk) -> Filled:
    """What reviewers decided in these files; a line left blank is counted.

    Raises: RowError with every line that cannot be used; none is taken then.
    """
    filled = Filled()
    for path in files:
        for row in read_rows(path):
            _take(row, desk, filled)
    if filled.bad:
        count = len(filled.bad)
        raise RowError(
            f"{count} line{'s' if count > 1 else ''} of the sheets cannot be used",
            rows=filled.bad,
            hint="fix them: sheets are taken whole or not at all",
        )
    if not filled.said and not filled.again:
        hint = f"write {', '.join(DECISIONS)} into `decision`"
        raise RowError("no line is filled in", hint=hint)
    return filled


def _take(row: Row, desk: Desk, filled: Filled) -> None:
    """One line's decision, or what is wrong with it."""
    problem = _misfit(row, desk)
    if not problem and not any(row.cells[name].strip() for name in FILLED):
        filled.blank += 1
        return
    if not problem:
        case = desk.cases[row.cells["draft"].strip()]
        opinion = _opinion(row)
        problem = next(_unclear(row, opinion, case, desk), "") or _twice(row, opinion, case, filled)
        if not problem:
            _note(opinion, case, filled)
    if problem:
        filled.bad.append(BadRow(where=row.where, problem=problem))


def _misfit(row: Row, desk: Desk) -> str:
    """Why the line is not one that was exported, empty where it is."""
    if missing := [column for column in COLUMNS if column not in row.cells]:
        return f"column `{missing[0]}` is missing"
    name = row.cells["draft"].strip()
    if name not in desk.cases:
        return f"no draft `{name[:40]}` is known here: it was drafted anew, or never"
    reviewer = row.cells["reviewer"].strip()
    if not reviewer:
        return "`reviewer` is empty"
    if not REVIEWER.fullmatch(reviewer) or not person(reviewer):
        shown = printable(reviewer[:40])
        return f"`{shown}` cannot name a reviewer; expected letters, digits, `.`, `-` and `_`"
    for column, text in _shown(desk.cases[name]).items():
        if not same_cell(row.cells[column], text):
            return f"`{column}` is not what was exported as `{name}`; write changes into `edit`"
    return ""


def _opinion(row: Row) -> Opinion:
    said = {name: row.cells[name].strip() for name in FILLED}
    decision: Decision = next(
        (one for one in DECISIONS if one == said["decision"].lower()), "reject"
    )
    return Opinion(
        reviewer=person(row.cells["reviewer"]),
        decision=decision,
        request=said["edit_request"],
        answer=said["edit"],
        note=said["note"],
    )


def _unclear(row: Row, opinion: Opinion, case: Case, desk: Desk) -> Iterator[str]:
    """What is wrong with a decision."""
    word = row.cells["decision"].strip()
    if word.lower() not in DECISIONS:
        yield f"`decision` is `{word[:40]}`; expected {', '.join(DECISIONS)}"
    if opinion.decision == "edit":
        yield from _unsound(opinion, case, desk)
    elif opinion.request or opinion.answer:
        yield f"it is edited and `decision` is {opinion.decision}; expected edit"
    said = case.latest.get(opinion.reviewer)
    settled = bool(case.said) and case.state(desk.reviewers) != "open"
    if said is not None and said != opinion and settled and not desk.replace:
        told = f"`{said.reviewer}` decided {said.decision} before"
        yield f"{told}; import with `--replace` where this is right"


def _unsound(opinion: Opinion, case: Case, desk: Desk) -> Iterator[str]:
    """What is wrong with an edit."""
    if edited(case.draft.example, opinion).id == case.draft.example.id:
        yield "nothing is edited: write the words as they should be into `edit` or `edit_request`"
    for column, words in (("edit", opinion.answer), ("edit_request", opinion.request)):
        if words and blank(words):
            yield f"`{column}` holds nothing that can be seen"
    if opinion.answer and not desk.valid(opinion.answer):
        yield "`edit` is an answer that contract.output_schema does not allow"


def _twice(row: Row, opinion: Opinion, case: Case, filled: Filled) -> str:
    look = (case.draft.digest, opinion.reviewer)
    if other := filled.seen.get(look):
        return f"`{opinion.reviewer}` has decided on it in {other}, too"
    filled.seen[look] = row.where
    return ""


def _note(opinion: Opinion, case: Case, filled: Filled) -> None:
    said = case.latest.get(opinion.reviewer)
    if said == opinion:
        filled.again += 1
        return
    filled.replaced += said is not None
    filled.said.append((case.draft.digest, opinion))
