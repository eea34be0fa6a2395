"""`monitor`: what a release served, beside what was proven of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.cli.options import named, of_events, of_project
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import OUTCOMES, counted
from tutelage.core.errors import GateShut
from tutelage.core.metric import ALL
from tutelage.core.served import MOST_HOURS

if TYPE_CHECKING:
    from tutelage.monitor.run import Report


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
            console.print(Text(f"\n{part or 'all requests'}", "bold"))
            console.print(_table(report, part))
    else:
        console.print(Text("nothing was served in this window"))
    for key, count in report.left_out.items():
        console.print(Text(f"{key}: {counted(count, 'rarer value')} not shown"))
    if report.rules:
        console.print()
    for one in report.rules:
        mark, colour = OUTCOMES[one.outcome]
        line = Text(f"{mark}", colour)
        line.append(f"  {one.rule.text}", "default")
        console.print(line)
        console.print(Text(f"      {one.because}", "dim"), soft_wrap=True)


def _table(report: Report, part: str) -> Table:
    from tutelage.monitor.page import rows

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", "value", "95 % interval", "n", "evaluation"):
        table.add_column(name, justify="right" if name in ("value", "n") else "left", no_wrap=True)
    for row in rows(report, part):
        cells = (row.name, row.value, row.span, f"{row.n:,}", row.proven)
        table.add_row(*map(Text, cells))
    return table
