"""`explain-row`: all that was decided about one row, and what was made with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import of_events, of_project
from tutelage.cli.reply import Reply
from tutelage.core.printable import printable

if TYPE_CHECKING:
    from tutelage.core.ledger import LedgerEntry
    from tutelage.core.row import Example
    from tutelage.store.lineage import EventStory, RowStory
    from tutelage.store.store import Store


@click.command("explain-row")
@click.argument("row", metavar="ROW_ID|FILE:LINE|event:ID")
@of_events
@of_project
def explain_row_command(row: str, events: Path | None, project: Path) -> Reply:
    """Print every decision made about a row, by its id, as FILE:LINE or as event:ID.

    FILE is written as in the recipe. The beginning of an id is enough. A row that was made
    from a served answer leads on to the release that gave it.
    """
    from tutelage.store.store import Store
    from tutelage.store.stories import stories

    store = Store.of(project)
    found = stories(store, row)
    answers = _answers(store, found, events)

    def draw(console: Console) -> None:
        for story in found:
            for line in [*_lines(story), *_answer_lines(story, answers.get(story.row))]:
                console.print(Text(printable(line)), soft_wrap=True)

    forms = [_form(story, answers.get(story.row)) for story in found]
    return Reply(data={"asked": row, "rows": forms}, draw=draw)


def _answers(
    store: Store, stories: Sequence[RowStory], events: Path | None
) -> dict[str, EventStory]:
    """The served answer of each row that was made from one the journal still has."""
    from tutelage.store.ingest import OF_EVENT
    from tutelage.store.release import EVENTS

    made = {
        story.row: story.example.source.uri
        for story in stories
        if story.example is not None and story.example.source.uri.startswith(OF_EVENT)
    }
    if not made or not (events or store.root / EVENTS).exists():
        return {}
    from tutelage.store.journal import Journal
    from tutelage.store.lineage import explain_event

    with Journal.open(events or store.root / EVENTS, read_only=True) as journal:
        kept = {row: uri for row, uri in made.items() if journal.event(uri.removeprefix(OF_EVENT))}
        return {row: explain_event(store, journal, uri) for row, uri in kept.items()}


def _form(story: RowStory, answer: EventStory | None) -> dict[str, Any]:
    from tutelage.cli.events import story_form
    from tutelage.cli.lineage import form

    example = story.example
    return {
        "row": story.row,
        "source": str(example.source) if example else None,
        "split": example.split if example else None,
        "provenance": _provenance(example) if example else None,
        "content": example.content() if example else None,
        "decisions": [
            {
                "stage": entry.stage,
                "row": entry.row,
                "decision": entry.decision,
                "reason": entry.reason,
                "detail": entry.detail,
                "other_row": entry.other_row,
                "artifacts": list(artifacts),
            }
            for entry, artifacts in zip(story.entries, story.decided_in, strict=True)
        ],
        "datasets": [one.name for one in story.datasets],
        "left_out_of": [one.name for one in story.left_out],
        "made_with_it": [one.name for one in story.offspring],
        "answer": {"tree": form(answer.release), **story_form(answer)} if answer else None,
    }


def _lines(story: RowStory) -> Iterator[str]:
    example = story.example
    yield f"row {story.row}"
    if example is not None:
        yield f"  read from    {example.source}, {example.licence}, {example.origin}"
        yield from (f"  {name:<12} {said}" for name, said in _told(example))
    if story.datasets:
        split = example.split if example else ""
        yield f"  stands in    {', '.join(one.name for one in story.datasets)}, {split}"
    else:
        yield "  stands in    no dataset"
    if story.left_out:
        yield f"  left out of  {', '.join(one.name for one in story.left_out)}"
    for entry in story.entries:
        yield f"  {entry.stage:<12} {_decided(entry, story.row)}"
    if story.offspring:
        yield f"  made with it {', '.join(one.name for one in story.offspring)}"
    for message in example.messages if example else ():
        yield f"  | {message.role}: {message.content}"


def _provenance(example: Example) -> dict[str, Any]:
    """All that is known of where a row comes from."""
    form = example.to_dict()
    for name in ("id", "messages", "tools", "chosen", "rejected", "split", "weight"):
        form.pop(name, None)
    return form


def _told(example: Example) -> Iterator[tuple[str, str]]:
    """What a row says of itself beside origin and licence, where it says it."""
    if example.licence_basis:
        yield "licensed by", example.licence_basis
    if example.generator is not None:
        about = example.generator.to_dict()
        yield "written by", ", ".join(f"{name} {value}" for name, value in about.items())
    for name, value in (
        ("author", example.author),
        ("editor", example.editor),
        ("consent key", example.consent_key),
        ("stage", example.stage),
        ("edited from" if example.editor else "drafted from", ", ".join(example.parents)),
        ("reviewed by", ", ".join(f"{one.reviewer} {one.decision}" for one in example.reviews)),
        ("tags", ", ".join(f"{tag} {value}" for tag, value in example.tags.items())),
    ):
        if value:
            yield name, value


def _answer_lines(story: RowStory, answer: EventStory | None) -> Iterator[str]:
    """The served answer the row was made from, and the release that gave it."""
    from tutelage.cli.events import event_lines
    from tutelage.cli.lineage import branches
    from tutelage.store.ingest import OF_EVENT

    uri = story.example.source.uri if story.example else ""
    if answer is None and uri.startswith(OF_EVENT):
        yield f"  made from    {uri}, which no journal here holds"
    if answer is not None:
        yield "  made from"
        for line in [*event_lines(answer), *branches(answer.release)]:
            yield f"    {line}"


def _decided(entry: LedgerEntry, row: str) -> str:
    detail = f": {entry.detail}" if entry.detail else ""
    if entry.other_row == row:
        return f"{entry.decision} of {entry.row}, {entry.reason}{detail}"
    other = f", see {entry.other_row}" if entry.other_row else ""
    return f"{entry.decision}, {entry.reason}{detail}{other}"
