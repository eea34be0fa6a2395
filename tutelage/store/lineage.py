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
from tutelage.store.opt_outs import OptOuts
from tutelage.store.store import Store
from tutelage.store.tables import DROPPED, LEDGER, ROWS, read_ledger, read_rows, row_ids
from tutelage.store.taken_back import Traced, kept_rows

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
    example: Example | None  # None: no dataset keeps its words
    entries: tuple[LedgerEntry, ...]
    datasets: tuple[Artifact, ...] = ()  # that hold it
    left_out: tuple[Artifact, ...] = ()  # datasets that keep it among the rows left out
    decided_in: tuple[tuple[str, ...], ...] = ()  # of each entry the artifacts that decided so
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
    entries: dict[LedgerEntry, list[str]] = {}
    datasets: list[Artifact] = []
    left_out: list[Artifact] = []
    offspring: dict[str, Artifact] = {}
    example: Example | None = None
    for artifact in store.artifacts():
        ledger = read_ledger(artifact.file(LEDGER)) if artifact.has(LEDGER) else []
        for entry in (one for one in ledger if row in (one.row, one.other_row)):
            entries.setdefault(entry, []).append(artifact.name)
        if _holds(artifact, ROWS, row):
            datasets.append(artifact)
            example = _held(artifact, ROWS, row)
            offspring |= {one.digest: one for one in descendants(store, artifact.digest)}
        elif _holds(artifact, DROPPED, row):
            left_out.append(artifact)
            example = example or _held(artifact, DROPPED, row)
    return RowStory(
        row=row,
        example=example,
        entries=tuple(entries),
        decided_in=tuple(map(tuple, entries.values())),
        datasets=tuple(datasets),
        left_out=tuple(left_out),
        offspring=tuple(offspring.values()),
    )


def _holds(artifact: Artifact, name: str, row: str) -> bool:
    return artifact.has(name) and row in row_ids(artifact.file(name))


def _held(artifact: Artifact, name: str, row: str) -> Example:
    return next(one for one in read_rows(artifact.file(name)) if one.id == row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A row that somebody has taken back, and everything that holds it or was made with it."""

    example: Example
    because: str
    datasets: tuple[Artifact, ...]  # it teaches or is held out in
    left_out: tuple[Artifact, ...]  # datasets that keep it among the rows left out
    offspring: tuple[Artifact, ...]  # adapters, reports, releases made from those datasets


def opted_out(store: Store, outs: OptOuts) -> list[Taken]:
    """Every row of every dataset that is taken back, each once."""
    artifacts = store.artifacts()
    back = Traced.through(artifacts, outs)
    found: dict[str, tuple[Example, str]] = {}
    holders: dict[tuple[str, str], list[Artifact]] = {}
    every = ((one, *row) for one in artifacts for row in kept_rows(one)) if back.ids else ()
    for artifact, name, example in every:
        if because := back.because(example):
            if name == ROWS or example.id not in found:  # where it teaches, it stands as taught
                found[example.id] = (example, because)
            holding = holders.setdefault((example.id, name), [])
            holding += [artifact] if artifact not in holding else []
    made = {
        artifact.digest: descendants(store, artifact.digest)
        for (_, name), holding in holders.items()
        if name == ROWS
        for artifact in holding
    }
    taken = []
    for row, (example, because) in found.items():
        datasets = holders.get((row, ROWS), [])
        offspring = {one.digest: one for data in datasets for one in made[data.digest]}
        taken.append(
            Taken(
                example=example,
                because=because,
                datasets=tuple(datasets),
                left_out=tuple(holders.get((row, DROPPED), [])),
                offspring=tuple(offspring.values()),
            )
        )
    return taken


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
