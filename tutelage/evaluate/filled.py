"""Filled-in sheets, read strictly: every line that cannot be used is told, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.errors import BadRow, RowError
from tutelage.evaluate.sheet import PREFERS, RATER, TUNED, Answered, Key, Shown
from tutelage.score.people import ALIKE
from tutelage.score.rating import Rating
from tutelage.store.sheets import Row, read_rows, same_cell

VERDICTS = {"a": 1.0, "b": 0.0, "tie": 0.5}
MARKS = {str(mark): (mark - 1) / 4 for mark in range(1, 6)}
Look = tuple[str, str, str, str, str]  # rater, task, systems, criterion


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What filled-in sheets are held against."""

    report: str  # by digest
    key_of: Callable[[str], Key | None]  # by the name of a sheet
    answers_of: Callable[[str], Mapping[str, Answered]]  # by suite


@dataclass(slots=True, kw_only=True)
class Filled:
    """What files came to."""

    ratings: list[Rating] = field(default_factory=list)
    blank: int = 0  # lines without a word
    bad: list[BadRow] = field(default_factory=list)
    seen: dict[Look, str] = field(default_factory=dict)  # where a look was found
    sheets: dict[str, Key] = field(default_factory=dict)


def read_filled(files: Sequence[Path], desk: Desk) -> Filled:
    """What raters said in these files; a line left blank is counted.

    Tasks both of whose answers are one are ties, once for all raters.

    Raises: RowError with every line that cannot be used.
    """
    filled = Filled()
    for path in files:
        for row in read_rows(path):
            _take(row, desk, filled)
    if filled.bad:
        count = len(filled.bad)
        told = f"{count} line{'s' if count > 1 else ''} of the sheets cannot be used"
        hint = "fix them: ratings are taken whole or not at all"
        raise RowError(told, rows=filled.bad, hint=hint)
    if not filled.ratings:
        raise RowError("no line is filled in", hint=f"write A, B or tie into `{PREFERS}`, or marks")
    alike = {
        (key.suite, key.against or "", one) for key in filled.sheets.values() for one in key.alike
    }
    for suite, against, task in sorted(alike):
        there = desk.answers_of(suite)[task]
        tie = Rating(
            rater=ALIKE, item=task, cluster=there.cluster, first=TUNED, second=against, value=0.5
        )
        filled.ratings.append(tie)
    return filled


def _take(row: Row, desk: Desk, filled: Filled) -> None:
    """One line's ratings, or what is wrong with it."""
    name = row.cells.get("sheet", "").strip()
    key = filled.sheets.get(name) or desk.key_of(name)
    problem = f"no sheet `{name[:40]}` was exported here"
    if "sheet" not in row.cells:
        problem = "column `sheet` is missing"
    if key is not None:
        problem = _misfit(row, key, desk)
    if key is not None and not problem:
        spoken = {column: row.cells[column].strip() for column in key.criteria or (PREFERS,)}
        if not any(spoken.values()):
            filled.blank += 1
            return
        problem = _unclear(spoken)
    if key is None or problem:
        filled.bad.append(BadRow(where=row.where, problem=problem))
        return
    filled.sheets[name] = key
    for one in _ratings(row, key, desk):
        look = (one.rater, one.item, one.first, one.second, one.criterion)
        if other := filled.seen.get(look):
            told = f"rater `{one.rater}` has rated it in {other}, too"
            filled.bad.append(BadRow(where=row.where, problem=told))
            return
        filled.seen[look] = row.where
        filled.ratings.append(one)


def _misfit(row: Row, key: Key, desk: Desk) -> str:
    """Why the line is not one that was exported, empty where it is."""
    if key.report != desk.report:
        return f"its sheet is of another report, {key.report[:12]}"
    if key.withdrawn:
        return f"its sheet was withdrawn: {key.withdrawn}"
    missing = [column for column in key.columns if column not in row.cells]
    if missing:
        return f"column `{missing[0]}` is missing"
    if row.cells[RATER].strip() in ("", ALIKE):
        return f"`{RATER}` is no name"
    line = row.cells["line"].strip()
    if line not in key.lines:
        return f"its sheet has no line `{line[:40]}`"
    hidden, there = _hidden(row, key, desk)
    for column, text in there.texts(hidden.systems).items():
        if not same_cell(row.cells[column], text):
            return f"`{column}` is not what was exported as line `{line}`"
    return ""


def _unclear(spoken: Mapping[str, str]) -> str:
    for column, word in spoken.items():
        if column == PREFERS and word.lower() not in VERDICTS:
            return f"`{column}` is `{word[:40]}`; expected A, B or tie"
        if column != PREFERS and word and word not in MARKS:
            return f"`{column}` is `{word[:40]}`; expected a mark from 1 to 5"
    return ""


def _ratings(row: Row, key: Key, desk: Desk) -> Iterator[Rating]:
    hidden, there = _hidden(row, key, desk)
    rater = row.cells[RATER].strip()
    for criterion in key.criteria:
        if word := row.cells[criterion].strip():
            yield Rating(
                rater=rater,
                item=there.task,
                cluster=there.cluster,
                first=hidden.systems[0],
                criterion=criterion,
                value=MARKS[word],
                sheet=row.cells["sheet"].strip(),
            )
    if key.criteria:
        return
    shown_first = VERDICTS[row.cells[PREFERS].strip().lower()]
    swapped = hidden.systems[0] != TUNED
    other = hidden.systems[0 if swapped else 1]
    yield Rating(
        rater=rater,
        item=there.task,
        cluster=there.cluster,
        first=TUNED,
        second=other,
        value=1 - shown_first if swapped else shown_first,
        swapped=swapped,
        longer=len(there.answers[TUNED]) - len(there.answers[other]),
        sheet=row.cells["sheet"].strip(),
    )


def _hidden(row: Row, key: Key, desk: Desk) -> tuple[Shown, Answered]:
    hidden = key.lines[row.cells["line"].strip()]
    return hidden, desk.answers_of(key.suite)[hidden.task]
