"""A served answer told in lines and as plain JSON, without the words that were said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutelage.core.event import Event
    from tutelage.store.journal import Journal
    from tutelage.store.lineage import EventStory
    from tutelage.store.release import ReleaseFolder
    from tutelage.store.store import Store

HERE = Path()  # `--project` left out
TOLD = ("model", "finish", "parsed", "valid", "kept", "prompt_digest", "metadata")


@contextmanager
def journal_of(store: Store, events: Path | None) -> Iterator[Journal]:
    """The journal of a project, or the one that is named, open for reading.

    Raises: StoreError where there is none.
    """
    from tutelage.store.journal import Journal
    from tutelage.store.release import EVENTS

    journal = Journal.open(events or store.root / EVENTS, read_only=True)
    try:
        yield journal
    finally:
        journal.close()


@contextmanager
def journal_for(release: ReleaseFolder, events: Path | None, project: Path) -> Iterator[Journal]:
    """The journal a release's server writes, or the one that is named, open for reading.

    Raises: StoreError where there is none.
    """
    from tutelage.store.journal import Journal
    from tutelage.store.release import events_path

    written = events_path(release, None if project == HERE else project)
    journal = Journal.open(events or written, read_only=True)
    try:
        yield journal
    finally:
        journal.close()


def home_of(release: ReleaseFolder, project: Path) -> Path:
    """The folder of the recipe a release belongs to: the one named, else where it lies."""
    return project if project != HERE else release.project or HERE


def event_lines(story: EventStory) -> Iterator[str]:
    """When it was answered and how it ended, and what was said of it."""
    event = story.event
    yield f"event:{event.id}  {_moment(event)}, {event.payload.get('finish')}"
    for one in story.feedback:
        yield f"  {one.id}  {_moment(one)}, {_said(one.payload)}"


def row_lines(story: EventStory) -> Iterator[str]:
    """The rows made from it, and what holds them."""
    for example in story.rows:
        yield f"row {example.id}  {example.origin}, {example.split}"
    for dataset in story.datasets:
        yield f"{dataset.name}  holds it"
    for one in story.offspring:
        yield f"{one.name}  made with it"
    if not story.rows:
        yield "no dataset holds a row made from it"


def story_form(story: EventStory) -> dict[str, Any]:
    """The story as plain JSON, beside the tree of its release."""
    payload = story.event.payload
    return {
        "event": {
            "id": story.event.id,
            "ts": story.event.ts,
            "release": story.event.release,
            "digest": story.event.digest,
            **{name: payload[name] for name in TOLD if name in payload},
        },
        "feedback": [
            {
                "id": one.id,
                "ts": one.ts,
                "rating": one.payload.get("rating"),
                "corrected": one.payload.get("correction") is not None,
                "author": one.payload.get("author"),
            }
            for one in story.feedback
        ],
        "rows": [
            {"id": one.id, "source": str(one.source), "split": one.split} for one in story.rows
        ],
        "datasets": [one.name for one in story.datasets],
        "made_with_it": [one.name for one in story.offspring],
    }


def _moment(event: Event) -> str:
    return f"{event.ts[:19].replace('T', ' ')} UTC"


def _said(payload: Mapping[str, Any]) -> str:
    rating, author = payload.get("rating"), payload.get("author")
    parts = [
        f"rated {rating}" if rating else "",
        "corrected" if payload.get("correction") is not None else "",
        "commented" if payload.get("comment") else "",
    ]
    said = ", ".join(part for part in parts if part) or "nothing said"
    return f"{said} by {author}" if author else said
