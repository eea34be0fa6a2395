"""Lineage: from an artifact to the rows it came from, from a row to all that saw it, and from a
served answer to the release that gave it and the rows it became.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tutelage.core.errors import StoreError
from tutelage.core.event import Event
from tutelage.core.ledger import LedgerEntry
from tutelage.core.row import Example
from tutelage.store.artifact import Artifact
from tutelage.store.ingest import OF_EVENT
from tutelage.store.store import Store
from tutelage.store.tables import LEDGER, ROWS, read_ledger, read_rows, row_ids

if TYPE_CHECKING:
    from tutelage.store.journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An input of an artifact: another artifact with its own inputs, or a file from outside."""

    name: str  # under which the artifact above uses it
    digest: str
    artifact: Artifact | None = None  # None: a file from outside, or no longer in the store
    inputs: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """This node and all below it, depth first."""
        yield self
        for node in self.inputs:
            yield from node.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowStory:
    """All that the store knows of one row."""

    row: str
    example: Example | None  # None: it is in no dataset
    entries: tuple[LedgerEntry, ...]
    datasets: tuple[Artifact, ...] = ()  # that hold it
    offspring: tuple[Artifact, ...] = field(default=())  # made from those datasets


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStory:
    """A served answer: who gave it, what was said of it, and what it became."""

    event: Event
    release: Node  # its artifact is None where the store does not hold it
    feedback: tuple[Event, ...]
    rows: tuple[Example, ...]  # made from it, each once
    datasets: tuple[Artifact, ...]  # that hold one of them
    offspring: tuple[Artifact, ...]  # made from those datasets


def ancestry(store: Store, artifact: Artifact) -> Node:
    """The artifact and all it came from."""
    by_digest = {known.digest: known for known in store.artifacts()}
    return _node(artifact.kind, artifact.digest, {**by_digest, artifact.digest: artifact})


def _node(name: str, digest: str, known: dict[str, Artifact]) -> Node:
    artifact = known.get(digest)
    inputs = artifact.manifest.inputs.items() if artifact else ()
    below = tuple(_node(name, inner, known) for name, inner in inputs)
    return Node(name=name, digest=digest, artifact=artifact, inputs=below)


def descendants(store: Store, digest: str) -> list[Artifact]:
    """Every artifact made from this digest, directly or not, in the order of making."""
    found: dict[str, Artifact] = {}
    wanted = {digest}
    remaining = store.artifacts()
    while True:
        fresh = [one for one in remaining if wanted & set(one.manifest.inputs.values())]
        if not fresh:
            return sorted(found.values(), key=lambda one: (one.manifest.started, one.name))
        found |= {one.digest: one for one in fresh}
        wanted = {one.digest for one in fresh}
        remaining = [one for one in remaining if one.digest not in found]


def rows(store: Store, artifact: Artifact) -> list[Example]:
    """The rows of every dataset the artifact came from, each once."""
    found: dict[str, Example] = {}
    for node in ancestry(store, artifact).walk():
        if node.artifact is not None and node.artifact.has(ROWS):
            for example in read_rows(node.artifact.file(ROWS)):
                found.setdefault(example.id, example)
    return list(found.values())


def explain_row(store: Store, row: str) -> RowStory:
    """What became of a row, by its id or as `uri:line`: every decision, and what saw it."""
    entries: list[LedgerEntry] = []
    datasets: list[Artifact] = []
    offspring: dict[str, Artifact] = {}
    example: Example | None = None
    for artifact in store.artifacts():
        if artifact.has(LEDGER):
            ledger = read_ledger(artifact.file(LEDGER))
            entries += [entry for entry in ledger if row in (entry.row, entry.other_row)]
        if artifact.has(ROWS) and row in row_ids(artifact.file(ROWS)):
            datasets.append(artifact)
            held = (one for one in read_rows(artifact.file(ROWS)) if one.id == row)
            example = example or next(held)
            offspring |= {one.digest: one for one in descendants(store, artifact.digest)}
    return RowStory(
        row=row,
        example=example,
        entries=tuple(dict.fromkeys(entries)),
        datasets=tuple(datasets),
        offspring=tuple(offspring.values()),
    )


def explain_event(store: Store, journal: Journal, reference: str) -> EventStory:
    """What became of a served answer, and what it came from; `reference` is `event:ID`.

    Feedback's id leads to the answer it is about.

    Raises: StoreError where the journal does not know it.
    """
    name = reference.removeprefix(OF_EVENT)
    event = journal.event(name)
    if event is not None and event.kind == "feedback":
        event = journal.event(event.subject)
    if event is None:
        raise StoreError(
            f"the journal has no event `{name}`",
            where=str(journal.path),
            expected=f"{OF_EVENT}ID, the id of an answer as its client got it",
            hint="`--events FILE` names another journal",
        )
    feedback = journal.events(kind="feedback", subject=event.id)
    made, datasets = _rows_of(store, f"{OF_EVENT}{event.id}")
    offspring = {one.digest: one for data in datasets for one in descendants(store, data.digest)}
    known = {artifact.digest: artifact for artifact in store.artifacts()}
    return EventStory(
        event=event,
        release=_node("release", event.release, known),
        feedback=tuple(feedback),
        rows=tuple(made),
        datasets=tuple(datasets),
        offspring=tuple(offspring.values()),
    )


def _rows_of(store: Store, uri: str) -> tuple[list[Example], list[Artifact]]:
    """The rows made from an event, each once, and the datasets that hold one."""
    found: dict[str, Example] = {}
    datasets = []
    for artifact in store.artifacts():
        examples = read_rows(artifact.file(ROWS)) if artifact.has(ROWS) else []
        own = [example for example in examples if example.source.uri == uri]
        if own:
            datasets.append(artifact)
            found |= {example.id: example for example in own}
    return list(found.values()), datasets
