"""A served answer told in lines and as plain JSON, without the words that were said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tutelage.core.event import Event
    from tutelage.store.lineage import EventStory

TOLD = ("model", "finish", "parsed", "valid", "kept", "prompt_digest", "metadata")


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
    return f"{said} by {' '.join(str(author).split())}" if author else said
