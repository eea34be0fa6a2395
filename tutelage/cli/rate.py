"""`rate`: blind sheets of a report's answers for people, and their ratings taken in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.contract import Parts
from tutelage.cli.options import as_json, of_project
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import counted
from tutelage.core.errors import StoreError, UsageError
from tutelage.core.printable import printable

if TYPE_CHECKING:
    from tutelage.evaluate.rate import Imported
    from tutelage.store.artifact import Artifact
    from tutelage.store.run import PastRun

CRITERIA = ("helpfulness", "harmlessness", "faithfulness", "formatting")
NAME = re.compile(r"[\w.-]+")  # of a rater: it names a file, too
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("rate", cls=Parts, no_args_is_help=True)
@as_json
def rate_command() -> None:
    """Have people rate a report's answers blind, and take their ratings in.

    `export` writes sheets that do not tell whose an answer is; the key stays in the project.
    `import` reads them filled in; `withdraw` waits for one no more. Gate and page then read the
    ratings beside the report, which stays as it is: `tutelage gate RECIPE` decides rules such as
    `calls.people_win_rate_over_zero_shot >= 0.5`.
    """


@rate_command.command("export")
@click.argument("run")
@click.option("--suite", required=True, metavar="NAME", help="The suite whose answers are rated.")
@click.option("--against", metavar="BASELINE", help="Compare the tuned answers with this one's.")
@click.option(
    "--criterion",
    "criteria",
    multiple=True,
    type=click.Choice(CRITERIA),
    help="Mark each answer alone for this, 1 to 5; may be given again.",
)
@click.option(
    "-o", "--output", required=True, type=FILE, metavar="FILE", help="A *.csv or *.jsonl to write."
)
@click.option(
    "--rater",
    "raters",
    multiple=True,
    default=("rater",),
    metavar="NAME",
    help="Who rates, best a pseudonym; given again, each has a FILE-NAME of their own.",
)
@click.option("--tasks", type=click.IntRange(1), metavar="N", help="So many, drawn; else all.")
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Draws tasks, orders.")
@of_project
def export_sheets(run: str, project: Path, output: Path, **asked: Any) -> Reply:
    """Write blind sheets of RUN's answers for people to fill in.

    With --against a line shows two answers, A and B; write A, B or tie into `prefers`. Half of
    the lines show the tuned answer first, and the next rater sees them the other way round.
    Two equal answers are on no sheet and count as a tie. With --criterion a line shows one
    answer; write a mark from 1 to 5 for each criterion. A line left blank counts for nothing.
    """
    from tutelage.evaluate.rate import export
    from tutelage.evaluate.sheet import Wanted
    from tutelage.store.sheets import suffix_of

    suffix_of(output)
    _check(asked)
    past, report = _found(run, project)
    with past.store.lock():
        written = export(past.store, report, Wanted(**asked), output)

    def draw(console: Console) -> None:
        for path, sheet in written:
            told = f"{path}: {counted(len(sheet.rows), 'line')} for {sheet.key.rater}"
            console.print(Text(printable(told)), soft_wrap=True)
        alike = len(written[0][1].key.alike)
        if alike:
            console.print(f"{counted(alike, 'task')} with two equal answers: a tie, on no sheet")
        files = " ".join(str(path) for path, _ in written)
        console.print(Text(printable(f"then: tutelage rate import {run} {files}")), soft_wrap=True)

    data = {
        "report": report.digest,
        "suite": asked["suite"],
        "alike": len(written[0][1].key.alike),
        "sheets": [
            {
                "file": str(path),
                "sheet": sheet.name,
                "rater": sheet.key.rater,
                "lines": len(sheet.rows),
            }
            for path, sheet in written
        ],
    }
    return Reply(data=data, draw=draw, artifacts=[("evaluate", report)])


@rate_command.command("import")
@click.argument("run")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--replace", is_flag=True, help="Let these take the place of earlier ratings.")
@of_project
def import_sheets(run: str, files: tuple[Path, ...], replace: bool, project: Path) -> Reply:
    """Take in sheets of RUN that were filled in, beside those taken in before.

    Every line that cannot be used is told, all at once, and then none is taken. What raters
    agree on, how often each prefers what is shown first, and the win rates are printed.
    """
    from tutelage.evaluate.rate import take

    past, report = _found(run, project)
    for path in files:
        if not path.exists():
            raise UsageError("there is no such sheet", where=str(path))
    with past.store.lock():
        found = take(past.store, report, files, replace=replace)

    def draw(console: Console) -> None:
        for line in _lines(found):
            console.print(Text(printable(line)), soft_wrap=True)

    data = {
        "report": report.digest,
        "read": found.read,
        "blank": found.blank,
        "replaced": found.replaced,
        "ratings": found.artifact.counts["ratings"],
        "suites": found.people,
    }
    return Reply(data=data, draw=draw, artifacts=[("rate", found.artifact)])


@rate_command.command("withdraw")
@click.argument("run")
@click.argument("sheet")
@click.option("--because", required=True, metavar="WORDS", help="Why; kept with the sheet's key.")
@of_project
def withdraw_sheet(run: str, sheet: str, because: str, project: Path) -> Reply:
    """Wait no more for SHEET of RUN's answers: it is lost, or was a trial.

    A rule on the rate at equal length waits for every line that was handed out. A sheet of which
    a line has come back cannot be withdrawn, and one that is withdrawn is not taken in.
    """
    from tutelage.evaluate.rate import withdraw

    past, report = _found(run, project)
    with past.store.lock():
        withdraw(past.store, report, sheet, because)

    def draw(console: Console) -> None:
        console.print(Text(printable(f"sheet {sheet} is withdrawn: {because}")), soft_wrap=True)

    data = {"report": report.digest, "sheet": sheet, "because": because}
    return Reply(data=data, draw=draw, artifacts=[("evaluate", report)])


def _found(run: str, project: Path) -> tuple[PastRun, Artifact]:
    from tutelage.cli.results import find_past_run

    past = find_past_run(run, project)
    report = past.stages().get("evaluate")
    if report is None:
        raise StoreError(
            f"run `{past.name}` has no report", hint="`tutelage evaluate` with its recipe makes one"
        )
    return past, report


def _check(asked: Mapping[str, Any]) -> None:
    if bool(asked["against"]) == bool(asked["criteria"]):
        raise UsageError(
            "a sheet compares answers or marks them",
            expected="either `--against BASELINE` or `--criterion NAME`",
        )
    for name in asked["raters"]:
        if not NAME.fullmatch(name):
            hint = "letters, digits, `.`, `-` and `_`: it names a file, too"
            raise UsageError(f"`{name}` cannot name a rater", hint=hint)
    if len(set(asked["raters"])) < len(asked["raters"]):
        raise UsageError("a rater is named twice", hint="give each a name of their own")


def _lines(found: Imported) -> Iterator[str]:
    blank = f", {counted(found.blank, 'line')} left blank" if found.blank else ""
    again = f", {found.replaced:,} in place of earlier ones" if found.replaced else ""
    yield f"{counted(found.read, 'rating')} taken in{again}{blank}: {found.artifact.name}"
    for suite, form in found.people.items():
        yield from _suite(suite, form)
    yield ""
    yield "`tutelage gate RECIPE` decides with them, and draws them on its page"


def _suite(suite: str, form: Any) -> Iterator[str]:
    for baseline, pair in form["pairs"].items():
        so_far = pair["preference"]
        yield ""
        yield f"{suite}: tuned against {baseline}"
        yield f"  win rate               {_share(pair['win_rate'])}"
        yield f"  at equal length        {_share(pair['length_controlled'])}"
        yield f"  agreement (alpha)      {_alpha(pair['agreement'])}"
        yield f"  first shown preferred  {_share(pair['first_shown'])}"
        yield f"  won, lost, tied        {so_far['won']:,}, {so_far['lost']:,}, {so_far['tied']:,}"
        if "e_value" in so_far:
            words = {"better": "tuned is preferred", "worse": "tuned is not preferred"}
            told = words.get(so_far["outcome"], "open")
            yield f"  however often looked   {told} (e-value {so_far['e_value']:.3g}; 20 tells)"
        for rater, one in pair["raters"].items():
            first = one["first_shown"]
            shown = "–" if first is None else f"{100 * first:.0f} %"
            yield f"  {rater}: {one['rated']:,} rated, first shown preferred {shown}"
    for criterion, marks in form["marks"].items():
        yield ""
        yield f"{suite}: {criterion}"
        for system, one in marks["means"].items():
            yield f"  {system:<21}  {_share(one)}"
        yield f"  agreement (alpha)      {_alpha(marks['agreement'])}"


def _share(form: Mapping[str, Any]) -> str:
    if form["value"] is None:
        return "–"
    low, high = 100 * form["low"], 100 * form["high"]
    return f"{100 * form['value']:.1f} [{low:.1f} {high:.1f}], n {form['n']:,}"


def _alpha(form: Mapping[str, Any]) -> str:
    if form["value"] is None and form["n"]:
        return f"not known: {counted(form['n'], 'answer')} rated by several, all of them the same"
    if form["value"] is None:
        return "not known: no answer is rated by two or more"
    return f"{form['value']:.2f} [{form['low']:.2f} {form['high']:.2f}], n {form['n']:,}"
