"""`monitor`: what a release served, beside what was proven of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.cli.options import named, of_events, of_project
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import OUTCOMES, counted
from tutelage.core.errors import GateShut, UsageError
from tutelage.core.metric import ALL
from tutelage.core.printable import printable
from tutelage.core.served import MOST_HOURS

if TYPE_CHECKING:
    from tutelage.monitor.run import Report

HEADS = ("", "value", "95 % interval", "n", "evaluation")
NARROWEST = 16  # columns in which the evaluation's figures still read well
LONGEST = 60  # characters of a segment's name that are shown


@click.command("monitor")
@click.argument("release", metavar="[RELEASE]", required=False)
@of_events
@click.option(
    "--hours",
    type=click.FloatRange(min=0, max=MOST_HOURS, min_open=True),
    metavar="H",
    help="How far back events count, in place of `monitor.window_hours`.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Also write the page there.",
)
@of_project
def monitor_command(
    release: str | None,
    events: Path | None,
    hours: float | None,
    html: Path | None,
    project: Path,
) -> Reply:
    """Measure what RELEASE served, and hold it against its rules.

    Without a name the project's latest release is meant. A journal in which an event was
    changed or taken out is an error. Ends with exit code 3 where a
    rule is broken; one that the evidence does not decide is shown and does not alarm.
    """
    from tutelage import pipeline
    from tutelage.cli.results import find_release
    from tutelage.monitor.page import html as page_of
    from tutelage.store.disk import write_file

    if hours is not None and math.isnan(hours):  # it is neither above nor below any bound
        raise UsageError("`--hours` is no number", expected=f"above 0, up to {MOST_HOURS:g}")
    found = find_release(release, project)
    section = found.monitor
    if hours is not None:
        section = section.model_copy(update={"window_hours": hours})
    report = pipeline.monitor(found, named(project), section=section, events=events)
    kept = report.kept
    if html is not None:
        write_file(html, page_of(report).encode())

    def draw(console: Console) -> None:
        _draw(console, report)
        if kept is not None:
            console.print(Text(f"\nreport: {kept.name}"))

    artifacts = (("monitor", kept),) if kept is not None else ()
    return Reply(data=report.to_dict(), draw=draw, artifacts=artifacts, error=_alarm(report))


def _alarm(report: Report) -> GateShut | None:
    if report.outcome != "fail":
        return None
    broken = [one.rule.text for one in report.rules if one.outcome == "fail"]
    return GateShut(
        f"{counted(len(broken), 'rule')} of `monitor` broken: {'; '.join(broken)}",
        where=report.release,
        hint="`tutelage improve` shows the answers people rated down",
    )


def _draw(console: Console, report: Report) -> None:
    window = report.window
    span = f"{window.since:%Y-%m-%d %H:%M} to {window.until:%Y-%m-%d %H:%M} UTC"
    console.print(Text(f"{report.release}, {span}: {counted(report.requests, 'request')}", "bold"))
    if report.requests:
        for part in (ALL, *report.parts):
            console.print(Text(f"\n{_heading(part)}", "bold"), soft_wrap=True)
            _draw_figures(console, report, part)
    else:
        console.print(Text("nothing was served in this window"))
    for key, count in report.left_out.items():
        console.print(Text(printable(f"{key}: {counted(count, 'rarer value')} not shown")))
    if report.rules:
        console.print()
    for one in report.rules:
        mark, colour = OUTCOMES[one.outcome]
        line = Text(f"{mark}", colour)
        line.append(f"  {printable(one.rule.text)}", "default")
        console.print(line)
        console.print(Text(f"      {printable(one.because)}", "dim"), soft_wrap=True)


def _heading(part: str) -> str:
    """A segment as a line of its own; its value is what a client wrote."""
    line = " ".join(printable(part).split()) or "all requests"
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def _draw_figures(console: Console, report: Report, part: str) -> None:
    """The figures of a part: value, interval and n are whole however narrow the console is."""
    from tutelage.monitor.page import rows

    shown = [
        (one.name, one.value, one.span, f"{one.n:,}", one.proven) for one in rows(report, part)
    ]
    name, *figures, _ = [max(map(cell_len, texts)) for texts in zip(HEADS, *shown, strict=True)]
    room = console.width - name - sum(figures) - 4  # a space between columns
    if room < 0:
        _draw_apart(console, shown, figures)
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for head in HEADS[: 5 if room >= NARROWEST else 4]:
            side: Literal["left", "right"] = "right" if head in ("value", "n") else "left"
            table.add_column(head, justify=side, no_wrap=head != HEADS[-1], overflow="fold")
        for texts in shown:
            table.add_row(*map(Text, texts[: len(table.columns)]))
        console.print(table)
    if room < NARROWEST and any(proven for *_, proven in shown):
        console.print(Text("the evaluation's figures need a wider terminal, or --json", "dim"))


def _draw_apart(console: Console, shown: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    """Each name on a line of its own above its figures."""
    for name, value, span, n, _ in ("", *HEADS[1:]), *shown:
        if name:
            console.print(Text(name), soft_wrap=True)
        line = f"{value:>{widths[0]}} {span:<{widths[1]}} {n:>{widths[2]}}"
        console.print(Text(line, "default" if name else "bold"), soft_wrap=True)
