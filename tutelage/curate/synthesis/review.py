"""People's review of drafts: sheets out, decisions in, and the rows that passed.

All that was ever decided is an artifact, each made from the one before it; the rows that passed
are written whole where the recipe says, each with its reviews.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json, file_digest
from tutelage.core.errors import StoreError, UsageError
from tutelage.core.recipe import Recipe
from tutelage.core.review import person
from tutelage.core.seeds import stream
from tutelage.curate.reviewed import review_key
from tutelage.curate.sources import output_schema
from tutelage.curate.synthesis.ground import reads_drafts
from tutelage.curate.synthesis.latest import SUMMARY, latest, pointed
from tutelage.curate.synthesis.opinion import Case, agreement, counts
from tutelage.curate.synthesis.run import lines, needed, provenance, read_drafts, read_summary
from tutelage.curate.synthesis.sheet import (
    COLUMNS,
    DIGITS,
    Desk,
    Filled,
    asks,
    read_filled,
    sheet_row,
)
from tutelage.score.rating import interval_form
from tutelage.score.schema import Schema
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.disk import write_file
from tutelage.store.run import Run
from tutelage.store.sheets import suffix_of, write_sheet
from tutelage.store.store import Store

VERSION = 2
REVIEWS = "reviews.jsonl"
ROWS_WRITTEN = "synthetic.jsonl"
SEED = 0  # of the resamples behind its interval
Summary = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The drafts of a recipe with all that was said of them."""

    recipe: Recipe
    store: Store
    drafts: Artifact
    before: Artifact | None  # what was decided so far
    cases: Mapping[str, Case]  # by digest of the draft

    @property
    def reviewers(self) -> int:
        """How many must agree."""
        section, _ = needed(self.recipe)
        return section.review.reviewers


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an import came to."""

    artifact: Artifact
    filled: Filled
    summary: Summary
    rows: Path
    listed: bool  # whether the recipe reads them


def queue(recipe: Recipe) -> Queue:
    """The drafts of a recipe as they stand.

    Raises: StoreError where nothing was drafted since recipe or rows changed.
    """
    section, keys = needed(recipe)
    beside = Run.beside(recipe)
    drafts = beside.store.find(provenance(section, keys, beside).key)
    if drafts is None:
        raise StoreError(
            f"recipe `{recipe.name}` has no drafts as it stands",
            hint="`tutelage draft` makes them; what the teacher said before is not asked again",
        )
    before = latest(beside.store, recipe)
    cases = {one.digest: Case(draft=one) for one in read_drafts(drafts)}
    return Queue(
        recipe=recipe,
        store=beside.store,
        drafts=drafts,
        before=before,
        cases={**cases, **({} if before is None else _cases(before))},
    )


def _cases(reviews: Artifact) -> dict[str, Case]:
    """The drafts somebody decided on."""
    written = reviews.file(REVIEWS).read_bytes().splitlines()
    cases = [Case.from_dict(msgspec.json.decode(line)) for line in written]
    return {case.draft.digest: case for case in cases}


def export(
    waiting: Queue, path: Path, reviewers: Sequence[str], limit: int | None = None
) -> list[tuple[Path, str, int]]:
    """Writes a sheet for each reviewer of what they are asked; those asked nothing have none.

    Of several reviewers each has a file named after them.

    Raises: UsageError where a file is there already.
    """
    suffix_of(path)
    sheets = []
    for reviewer in reviewers:
        name = f"{path.stem}-{reviewer}{path.suffix}" if len(reviewers) > 1 else path.name
        rows = [
            sheet_row(case, person(reviewer))
            for case in _ordered(waiting.cases.values())
            if asks(case, person(reviewer), waiting.reviewers)
        ]
        sheets.append((path.with_name(name), reviewer, rows[:limit]))
    if there := [mine for mine, _, _ in sheets if mine.exists()]:
        hint = "name another, or remove it: somebody may have filled it in"
        raise UsageError("there is such a file already", where=str(there[0]), hint=hint)
    for mine, _, rows in sheets:
        if rows:
            write_sheet(mine, COLUMNS, rows)
    return [(mine, reviewer, len(rows)) for mine, reviewer, rows in sheets]


def _ordered(cases: Any) -> list[Case]:
    """Drafts with a reason to look closely first."""
    return sorted(cases, key=lambda one: (not one.draft.reasons, str(one.draft.example.source)))


def take(waiting: Queue, files: Sequence[Path], *, replace: bool = False) -> Taken:
    """Takes decisions in, and writes the rows that passed.

    Raises: RowError with every line that cannot be used; StoreError where the file of rows is
        not as the last import wrote it.
    """
    section, keys = needed(waiting.recipe)
    key = review_key(section)
    schema = output_schema(waiting.recipe)
    desk = Desk(
        cases={digest[:DIGITS]: case for digest, case in waiting.cases.items()},
        reviewers=waiting.reviewers,
        valid=Schema(schema).valid if schema is not None else lambda answer: True,
        replace=replace,
    )
    filled = read_filled(files, desk)
    cases = dict(waiting.cases)
    for digest, opinion in filled.said:
        cases[digest] = cases[digest].with_opinion(opinion)
    passed = [
        case.row(key).to_dict()
        for case in _by_place(cases)
        if case.said and case.state(waiting.reviewers) in ("accept", "edit")
    ]
    content = lines(passed)
    path = waiting.recipe.path(keys.rows)
    _check(path, content, waiting)
    inputs = {"drafts": waiting.drafts.digest}
    inputs |= {f"sheet:{number}": file_digest(one) for number, one in enumerate(files)}
    if waiting.before is not None:
        inputs["before"] = waiting.before.digest
    made = Provenance(
        kind="reviews",
        inputs=inputs,
        section={"reviewers": waiting.reviewers, "replace": replace},
        stage_version=VERSION,
    )
    summary = _summary(waiting, cases, len(passed))
    with waiting.store.put(made) as draft:
        spoken = [case.to_dict() for case in _by_place(cases) if case.said]
        (draft.folder / REVIEWS).write_bytes(lines(spoken))
        (draft.folder / ROWS_WRITTEN).write_bytes(content)
        (draft.folder / SUMMARY).write_bytes(pretty(summary))
        draft.counts |= {**counts(list(cases.values()), waiting.reviewers), "rows": len(passed)}
    write_file(path, content)
    pointed(waiting.store).point(
        waiting.recipe.name, draft.artifact, {"recipe": waiting.recipe.name}
    )
    return Taken(
        artifact=draft.artifact,
        filled=filled,
        summary=summary,
        rows=path,
        listed=any(reads_drafts(one, keys, waiting.recipe) for one in section.sources),
    )


def _by_place(cases: Mapping[str, Case]) -> list[Case]:
    return [
        cases[digest]
        for digest in sorted(cases, key=lambda one: (str(cases[one].draft.example.source), one))
    ]


def _check(path: Path, content: bytes, waiting: Queue) -> None:
    """Refuses to write over what no import wrote."""
    if not path.exists():
        return
    found, before = path.read_bytes(), waiting.before
    known = [] if before is None else [before]
    known += [  # imports that were killed before they were the latest
        one
        for one in waiting.store.artifacts()
        if one.kind == "reviews"
        and one.manifest.inputs["drafts"] == waiting.drafts.digest
        and one.manifest.inputs.get("before") == (before and before.digest)
    ]
    if found not in (content, *(one.file(ROWS_WRITTEN).read_bytes() for one in known)):
        raise StoreError(
            "it was not written by `tutelage review import`, or was changed since",
            where=str(path),
            expected="the rows of the last import, as they were",
            hint="move it away: this file is written whole from what reviewers decided",
        )


def _summary(waiting: Queue, cases: Mapping[str, Case], rows: int) -> dict[str, Any]:
    every = list(cases.values())
    drafts: dict[str, Json] = read_summary(waiting.drafts)
    told = {
        name: drafts[name] for name in ("teacher", "seeds", "made", "dropped", "flagged", "spent")
    }
    by = Counter(name for case in every for name in case.latest)
    found = agreement(every, stream("review", SEED))
    return {
        "schema": 1,
        **told,
        "reviews": {
            **counts(every, waiting.reviewers),
            "wanted": waiting.reviewers,
            "reviewers": dict(sorted(by.items())),
            "agreement": interval_form(found),
        },
        "rows": rows,
    }
