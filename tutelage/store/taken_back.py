"""Which rows of datasets people have taken back: those of a list, and those made from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tutelage.core.row import Example, Source
from tutelage.store.artifact import Artifact
from tutelage.store.opt_outs import PARENT, OptOuts, with_children
from tutelage.store.tables import DROPPED, LEDGER, ROWS, read_losses, read_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A list of opt-outs, traced through datasets: rows left out lead to those made from them."""

    outs: OptOuts
    ids: Mapping[str, str] = field(default_factory=dict)  # of rows, with why
    now: Mapping[str, set[str]] = field(default_factory=dict)  # of rows by the id as it was read
    read: Mapping[tuple[str, Source], str] = field(default_factory=dict)  # by id and place, too

    @classmethod
    def through(cls, datasets: Iterable[Artifact], outs: OptOuts) -> Traced:
        """That of all rows the datasets keep."""
        taken: dict[str, str] = {}
        read: dict[tuple[str, Source], str] = {}
        above: dict[str, tuple[str, ...]] = {}
        now: dict[str, set[str]] = {}
        for artifact in datasets:
            for told in read_losses(artifact.file(LEDGER)) if artifact.has(LEDGER) else ():
                if was := told.was:
                    now.setdefault(was, set()).add(told.row)
            for _, example in kept_rows(artifact):
                if because := outs.because(example):
                    taken.setdefault(example.id, because)
                    read.setdefault((example.id, example.source), because)
                if example.parents:
                    above[example.id] = (*above.get(example.id, ()), *example.parents)
        parents = ((row, _both(over, now)) for row, over in above.items())
        return cls(outs=outs, ids=with_children(taken, parents), now=now, read=read)

    def because(self, example: Example) -> str:
        """Why a row may not be used, empty where it may.

        A dataset made before its recipe named authors has the row without one: it is known by its
        place. Somebody else's same words stand elsewhere.
        """
        if because := self.outs.because(example):
            return because
        if because := self.read.get((example.id, example.source), ""):
            return because
        return PARENT if self.ids.keys() & _both(example.parents, self.now) else ""


def kept_rows(artifact: Artifact) -> Iterator[tuple[str, Example]]:
    """Every row that an artifact keeps, with the file it stands in."""
    for name in (one for one in (ROWS, DROPPED) if artifact.has(one)):
        yield from ((name, row) for row in read_rows(artifact.file(name)))


def _both(rows: Iterable[str], now: Mapping[str, set[str]]) -> tuple[str, ...]:
    return tuple(one for row in rows for one in {row, *now.get(row, ())})
