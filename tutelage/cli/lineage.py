"""`lineage`: from an artifact to all it came from, down to the rows, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import of_events, of_project
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import counted
from tutelage.core.errors import UsageError
from tutelage.core.printable import printable

if TYPE_CHECKING:
    from tutelage.core.row import Example
    from tutelage.store.artifact import Artifact
    from tutelage.store.lineage import Node

DIGITS = 12  # of a digest, as in an artifact's name


@click.command("lineage")
@click.argument("reference", metavar="[ARTIFACT|RUN|RECIPE|event:ID]", required=False)
@click.option("--rows", is_flag=True, help="List the rows at the end of it too.")
@click.option("--down", is_flag=True, help="The other way: what was made from it.")
@click.option(
    "--opt-out",
    "opt_out",
    metavar="FILE",
    help="List everything made with rows that this file of keys, authors and texts takes back.",
)
@of_events
@of_project
def lineage_command(
    reference: str | None,
    rows: bool,
    down: bool,
    opt_out: str | None,
    events: Path | None,
    project: Path,
) -> Reply:
    """Print what an artifact, a run or a served answer came from: artifacts, files, rows.

    An artifact is named by its name or digest, a run by its name or its recipe, an answer
    by `event:ID`, the id its client got. Without a name the latest run is meant.

    With --opt-out the names in rows may be pseudonyms: the environment variable
    TUTELAGE_PSEUDONYMS then holds their key, or several, each on a line.
    """
    if opt_out is not None:
        if reference is not None or rows or down or events is not None:
            raise UsageError("`--opt-out` asks the whole store and goes with no other question")
        from tutelage.cli.opt_out import of_opt_outs

        return of_opt_outs(opt_out, project)

    from tutelage.cli.results import find
    from tutelage.store import lineage
    from tutelage.store.ingest import OF_EVENT

    if reference is not None and reference.startswith(OF_EVENT):
        return _of_event(reference, (rows, down), events, project)
    if events is not None:
        raise UsageError(
            "`--events` names the journal of a served answer, and none is asked for",
            expected=f"{OF_EVENT}ID",
        )
    found = find(reference, project)
    artifact = next(iter(found.artifacts.values())) if down else found.last
    tree = lineage.ancestry(found.store, artifact)
    made = lineage.descendants(found.store, artifact.digest) if down else []
    examples = lineage.rows(found.store, artifact) if rows else []
    data: dict[str, Any] = {"name": found.name, "tree": form(tree)}
    if down:
        data["descendants"] = [one.name for one in made]
    if rows:
        data["rows"] = [_row_form(example) for example in examples]

    def draw(console: Console) -> None:
        lines = list(_down(artifact, made)) if down else list(branches(tree))
        for line in [*lines, *_row_lines(examples)]:
            console.print(Text(printable(line)), soft_wrap=True)

    artifacts = [(one.kind, one) for one in made] if down else [(artifact.kind, artifact)]
    return Reply(data=data, draw=draw, artifacts=artifacts)


def _of_event(
    reference: str, asked: tuple[bool, bool], events: Path | None, project: Path
) -> Reply:
    """From a served answer to its release and all that came from, or down to its rows.

    `asked`: whether for its rows, and whether for the way down.
    """
    from tutelage.cli.events import event_lines, row_lines, story_form
    from tutelage.store.journal import Journal
    from tutelage.store.lineage import explain_event
    from tutelage.store.release import EVENTS
    from tutelage.store.store import Store

    rows, down = asked
    store = Store.of(project)
    with Journal.open(events or store.root / EVENTS, read_only=True) as journal:
        story = explain_event(store, journal, reference)

    def draw(console: Console) -> None:
        below = row_lines(story) if down else branches(story.release)
        for line in [*event_lines(story), *below, *_row_lines(story.rows if rows else ())]:
            console.print(Text(printable(line)), soft_wrap=True)

    release = story.release.artifact
    return Reply(
        data={"name": reference, "tree": form(story.release), **story_form(story)},
        draw=draw,
        artifacts=[("release", release)] if release is not None else [],
    )


def form(node: Node) -> dict[str, Any]:
    """A node and all below it as plain JSON."""
    return {
        "input": node.name,
        "digest": node.digest,
        "artifact": node.artifact.name if node.artifact else None,
        "counts": dict(node.artifact.counts) if node.artifact else {},
        "inputs": [form(inner) for inner in node.inputs],
    }


def branches(node: Node, lead: str = "", last: bool | None = None) -> Iterator[str]:
    """The tree as lines; an artifact already drawn is named but not unfolded again."""
    yield from _branches(node, lead, last, set())


def _branches(node: Node, lead: str, last: bool | None, drawn: set[str]) -> Iterator[str]:
    mark = "" if last is None else "└─ " if last else "├─ "
    again = node.artifact is not None and node.digest in drawn
    yield f"{lead}{mark}{_label(node)}{' (see above)' if again else ''}"
    if again:
        return
    drawn.add(node.digest)
    below = lead if last is None else lead + ("   " if last else "│  ")
    for index, inner in enumerate(node.inputs):
        yield from _branches(inner, below, index == len(node.inputs) - 1, drawn)


def _label(node: Node) -> str:
    if node.artifact is None:
        return f"{node.name} {node.digest[:DIGITS]}"
    rows = node.artifact.counts.get("kept")
    return node.artifact.name + (f"  {counted(rows, 'row')}" if rows is not None else "")


def _down(artifact: Artifact, made: Sequence[Artifact]) -> Iterator[str]:
    yield artifact.name
    for index, one in enumerate(made):
        mark = "└─" if index == len(made) - 1 else "├─"
        yield f"{mark} {one.name}  {one.manifest.started}"
    if not made:
        yield "nothing was made from it"


def _row_form(example: Example) -> dict[str, Any]:
    return {"id": example.id, "source": str(example.source), "split": example.split}


def _row_lines(examples: Sequence[Example]) -> Iterator[str]:
    if examples:
        yield ""
        yield counted(len(examples), "row")
    for example in examples:
        yield f"{example.id}  {example.split or '':<10}  {example.source}"
