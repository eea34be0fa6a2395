"""Sources read onto the shelf, for whoever works on the first parts while others are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from tutelage.core.recipe import Curate, Recipe
from tutelage.core.row import Example
from tutelage.curate.packed import Packed, packed
from tutelage.curate.reviewed import Admission, held
from tutelage.curate.shelf import Shelf
from tutelage.curate.sources import FIX_SOURCE, Taken
from tutelage.store.ingest import Ingested, Refused, Rows, rows_error
from tutelage.store.ingest.read import TOLD_EVERY


@dataclass(slots=True, kw_only=True)
class Intake:
    """Every source, read onto the shelf row by row, as `each` makes a row of its place.

    `told` hears how far it is. What the sources say of themselves is known once all are read.
    """

    section: Curate
    recipe: Recipe
    shelf: Shelf
    each: Callable[[Example, int], Example]
    told: Callable[[int], None]
    taken: list[Taken] = field(default_factory=list)

    def parts(self, rows: int) -> Iterator[Packed]:
        """The rows, so many at a time; a part is of one file.

        Raises: RowError with all bad rows of all sources, once they are read, where `invalid` is
            `fail`.
        """
        admission = Admission.by(self.section, self.recipe)
        for source in self.section.sources:
            yield from self._parts(Rows.open(source, self.recipe), admission, rows)
        files = [one.file for one in self.taken]
        if self.section.invalid == "fail" and any(file.refused for file in files):
            raise rows_error(files, "taught", FIX_SOURCE)

    def _parts(self, stream: Rows, admission: Admission, rows: int) -> Iterator[Packed]:
        begin = len(self.shelf)
        refused: list[Refused] = []
        waiting: list[bytes] = []
        said: dict[str, set[str]] = {"licences": set(), "origins": set(), "bases": set()}
        for number, row in enumerate(held(stream, admission), start=1):
            if isinstance(row, Example):
                said["licences"].add(row.licence)
                said["origins"].add(row.origin)
                said["bases"].update([row.licence_basis] if row.licence_basis else [])
                waiting.append(packed(self.each(row, len(self.shelf))))
                self.shelf.add(waiting[-1])
                if len(waiting) == rows:
                    yield self._part(waiting)
                    waiting = []
            else:
                refused.append(row)
            if number % TOLD_EVERY == 0:
                self.told(number)
        if waiting:
            yield self._part(waiting)
        file = Ingested(
            uri=stream.uri,
            file_digest=stream.digest,
            layout=stream.layout,
            examples=[],
            refused=refused,
            files=len(stream.parts),
            counted_in=stream.counted_in,
            unused=dict(stream.unused),
        )
        sets = {name: frozenset(values) for name, values in said.items()}
        self.taken.append(Taken(file=file, rows=len(self.shelf) - begin, **sets))

    def _part(self, lines: list[bytes]) -> Packed:
        first = len(self.shelf) - len(lines)
        return Packed(lines=b"".join(lines), count=len(lines), first=first)


def ends_of(taken: Iterable[Taken]) -> list[int]:
    """The places at which the rows of each source end."""
    return list(accumulate(one.rows for one in taken))
