"""`review`: sheets of drafts for people, and their decisions taken in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.contract import Parts
from tutelage.cli.options import as_json, load_recipe, of_recipe, overridden
from tutelage.cli.rate import NAME
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import counted
from tutelage.core.errors import UsageError
from tutelage.core.printable import printable
from tutelage.core.review import person

if TYPE_CHECKING:
    from tutelage.core.recipe import Recipe
    from tutelage.curate.synthesis.review import Taken

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("review", cls=Parts, no_args_is_help=True)
@as_json
def review_command() -> None:
    """Have people review what a teacher drafted, and take their decisions in.

    `export` writes a sheet for each reviewer. `import` reads them filled in and writes the rows
    that passed, with their reviews, where `curate.synthesis.rows` says; `tutelage curate` takes
    no others.
    """


@review_command.command("export")
@of_recipe
@click.option(
    "-o", "--output", required=True, type=FILE, metavar="FILE", help="A *.csv or *.jsonl to write."
)
@click.option(
    "--reviewer",
    "reviewers",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Who reviews, best a pseudonym; given again, each has a FILE-NAME of their own.",
)
@click.option("--limit", type=click.IntRange(1), metavar="N", help="First so many; else all.")
def export_sheets(
    recipe: str,
    overrides: tuple[str, ...],
    output: Path,
    reviewers: tuple[str, ...],
    limit: int | None,
) -> Reply:
    """Write what RECIPE's teacher drafted for people to accept, edit or reject.

    Drafts with a reason to look closely stand first. Write accept, edit or reject into `decision`;
    of an edit, the answer as it should be into `edit`, the request into `edit_request`. A line
    left blank counts for nothing. Drafts on which reviewers differ are asked again, with what
    was said.
    """
    from tutelage.curate.synthesis.review import queue
    from tutelage.pipeline import review_sheets

    _check(reviewers)
    loaded = load_recipe(recipe, overrides)
    written = review_sheets(loaded, output, reviewers, limit)

    def draw(console: Console) -> None:
        for path, name, count in written:
            told = f"{path}: {counted(count, 'draft')} for {name}"
            told = told if count else f"{name} is asked nothing: all is decided or waits for others"
            console.print(Text(printable(told)), soft_wrap=True)
        files = " ".join(str(path) for path, _, count in written if count)
        if files:
            told = f"then: tutelage review import {recipe} {files}"
            console.print(Text(printable(told)), soft_wrap=True)

    sheets = [
        {"file": str(path) if count else None, "reviewer": name, "lines": count}
        for path, name, count in written
    ]
    return Reply(data={"drafts": queue(loaded).drafts.digest, "sheets": sheets}, draw=draw)


@review_command.command("import")
@click.argument("recipe")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--replace", is_flag=True, help="Let these take the place of earlier decisions.")
@overridden
@as_json
def import_sheets(
    recipe: str, overrides: tuple[str, ...], files: tuple[Path, ...], replace: bool
) -> Reply:
    """Take in sheets of RECIPE's drafts that were filled in, beside those taken in before.

    Every line that cannot be used is told, all at once, and then none is taken. Rows on which as
    many reviewers agree as `curate.review` demands are written, all others wait.
    """
    from tutelage.pipeline import take_reviews

    loaded = load_recipe(recipe, overrides)
    taken = take_reviews(loaded, files, replace=replace)

    def draw(console: Console) -> None:
        for line in _lines(taken, loaded, recipe):
            console.print(Text(printable(line)), soft_wrap=True)

    data = {
        "read": len(taken.filled.said),
        "blank": taken.filled.blank,
        "again": taken.filled.again,
        "replaced": taken.filled.replaced,
        "reviews": taken.summary["reviews"],
        "rows": {"path": _rows(loaded), "count": taken.summary["rows"], "listed": taken.listed},
    }
    return Reply(data=data, draw=draw, artifacts=[("review", taken.artifact)])


def _check(reviewers: tuple[str, ...]) -> None:
    for name in reviewers:
        if not NAME.fullmatch(name) or not person(name):
            hint = "letters, digits, `.`, `-` and `_`: it names a file, too"
            raise UsageError(f"`{name}` cannot name a reviewer", hint=hint)
    if len({person(name) for name in reviewers}) < len(reviewers):
        raise UsageError("a reviewer is named twice", hint="give each a name of their own")


def _rows(recipe: Recipe) -> str:
    from tutelage.curate.synthesis.run import needed

    return needed(recipe)[1].rows


def _lines(taken: Taken, recipe: Recipe, written: str) -> Iterator[str]:
    filled, form = taken.filled, taken.summary["reviews"]
    blank = f", {counted(filled.blank, 'line')} left blank" if filled.blank else ""
    same = f", {filled.again:,} as before" if filled.again else ""
    again = f", {filled.replaced:,} in place of earlier ones" if filled.replaced else ""
    yield f"{counted(len(filled.said), 'decision')} taken in{same}{again}{blank}"
    yield (
        f"of {counted(form['drafts'], 'draft')}: {form['accepted']:,} accepted, "
        f"{form['edited']:,} edited, {form['rejected']:,} rejected, {form['waiting']:,} waiting "
        f"for {counted(form['wanted'], 'reviewer')}"
    )
    if form["open"]:
        yield (
            f"reviewers differ on {counted(form['open'], 'draft')}: "
            f"`tutelage review export {written}` asks again"
        )
    yield f"agreement (alpha): {_alpha(form['agreement'])}"
    path = _rows(recipe)
    yield f"{path}: {counted(taken.summary['rows'], 'row')}"
    if not taken.listed:
        licence = "of the drafts"
        if recipe.curate and recipe.curate.synthesis:
            licence = recipe.curate.synthesis.teacher.licence
        fields = f"path: {path}, format: row, origin: synthetic, licence: {licence}"
        yield f"add to `curate.sources`:  - {{{fields}}}"


def _alpha(form: Any) -> str:
    if form["value"] is None:
        why = "all of them the same" if form["n"] else "none is reviewed by two or more"
        return f"not known: {counted(form['n'], 'draft')} reviewed by several, {why}"
    return f"{form['value']:.2f} [{form['low']:.2f} {form['high']:.2f}], n {form['n']:,}"
