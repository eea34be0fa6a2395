"""`improve`: what people said of served answers, and the rows that may come of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import HERE, named, of_events, of_project
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import counted
from tutelage.core.printable import printable

if TYPE_CHECKING:
    from tutelage.core.recipe import Recipe
    from tutelage.core.recipe.improve import Improve
    from tutelage.improve.run import Improved
    from tutelage.improve.triage import Case

EXAMPLES = 3  # of each kind, the newest
LONGEST = 160  # characters of a text that are shown


@click.command("improve")
@click.argument("release", metavar="[RELEASE]", required=False)
@of_events
@of_project
def improve_command(release: str | None, events: Path | None, project: Path) -> Reply:
    """Sort the feedback on RELEASE, propose rows, and write those that were approved.

    Proposals go to `improve.review`: set `approved` in each line to true or false, change
    the row where it is not right yet, and run this again. Without a name the project's
    latest release is meant.
    """
    from tutelage import pipeline
    from tutelage.cli.results import find_release

    found = find_release(release, project)
    improved = pipeline.improve(found, named(project), events=events)
    section = improved.section
    recipe = pipeline.recipe_of(named(project) or found.project or HERE)
    source = _source_line(section, recipe) if improved.rows else None

    def draw(console: Console) -> None:
        for line in _lines(found.label, section, improved, source):
            console.print(Text(printable(line)), soft_wrap=True)

    return Reply(data=_form(section, improved, source), draw=draw)


def _source_line(section: Improve, recipe: Recipe | None) -> str | None:
    """The line to add to `curate.sources`; None where the recipe lists the file."""
    sources = recipe.curate.sources if recipe and recipe.curate else ()
    if any(Path(one.path) == Path(section.rows) for one in sources):
        return None
    fields = f"path: {section.rows}, format: row, origin: human_edited, licence: {section.licence}"
    return f"- {{{fields}}}"


def _lines(label: str, section: Improve, improved: Improved, source: str | None) -> Iterator[str]:
    from tutelage.improve.triage import SAYS, newest

    answers = counted(len(improved.triage.cases), "answer")
    yield f"{label}: feedback on {answers}"
    for kind, count in improved.counts.items():
        if count:
            yield ""
            yield f"{kind} {count:,}: {SAYS[kind]}"
        for case in newest(improved.triage.of(kind), EXAMPLES):
            yield from _case_lines(case)
    yield ""
    if improved.triage.astray:
        events = counted(improved.triage.astray, "event")
        yield f"feedback about answers this journal does not have: {events}"
    if improved.without_text:
        events = counted(improved.without_text, "answer")
        yield f"not proposed, since no text was kept: {events} (`serve.keep`)"
    if improved.without_answer:
        events = counted(improved.without_answer, "answer")
        yield f"not proposed though rated up, since no answer of the model's went out: {events}"
    if improved.renewed:
        lines = counted(improved.renewed, "line")
        yield f"corrected again since: {lines}; take a line out and it is proposed anew"
    yield f"{section.review}: {counted(improved.added, 'new line')}, {_decided(improved)}"
    if improved.with_problem:
        yield f"cannot be approved as they are, see `problem`: {improved.with_problem:,}"
    yield f"{section.rows}: {counted(improved.rows, 'approved row')}{_changed(improved)}"
    if source is not None:
        yield f"add to `curate.sources`:  {source}"


def _decided(improved: Improved) -> str:
    return (
        f"{improved.waiting:,} waiting for review, {improved.approved:,} approved, "
        f"{improved.refused:,} refused"
    )


def _changed(improved: Improved) -> str:
    return "" if improved.rows_changed else ", unchanged"


def _case_lines(case: Case) -> Iterator[str]:
    yield f"  {case.completion.id}  {case.completion.ts[:19].replace('T', ' ')}"
    told = (
        ("asked", case.request),
        ("answered", case.answer),
        ("should be", case.correction),
        ("comment", case.comment),
    )
    for name, words in told:
        if words is not None:
            yield f"    {name:<9}  {_short(words)}"
    if case.request is None:
        yield "    no text was kept"


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def _form(section: Improve, improved: Improved, source: str | None) -> dict[str, Any]:
    from tutelage.improve.triage import newest

    return {
        "counts": dict(improved.counts),
        "newest": {
            kind: [case.completion.id for case in newest(improved.triage.of(kind), EXAMPLES)]
            for kind in improved.counts
        },
        "astray": improved.triage.astray,
        "without_text": improved.without_text,
        "without_answer": improved.without_answer,
        "review": {
            "path": section.review,
            "added": improved.added,
            "waiting": improved.waiting,
            "with_problem": improved.with_problem,
            "approved": improved.approved,
            "refused": improved.refused,
            "corrected_again": improved.renewed,
        },
        "rows": {
            "path": section.rows,
            "count": improved.rows,
            "changed": improved.rows_changed,
            "source_to_add": source,
        },
    }
