"""How far a curation is, as whoever listens hears it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass

from tutelage.core.progress import Tick
from tutelage.curate.packed import Packed
from tutelage.curate.sieve import STAGE
from tutelage.store.run import Run

STEPS = 6
TOLD_EVERY = 10_000  # rows


@dataclass(slots=True, kw_only=True)
class Ticker:
    """Says how far the stage is: which step, and how much of its passes over the rows."""

    run: Run
    step: int = 0
    passes: int = 1  # of this step
    rows: int = 0  # of one pass
    done: int = 0

    def begin(self, step: int, rows: int = 0, passes: int = 1) -> None:
        """The next step."""
        self.step, self.rows, self.passes, self.done = step, rows, passes, 0
        self._say(float(step))

    def over(self, parts: Iterable[Packed], rows: Sized) -> Iterator[Packed]:
        """Parts of rows that are still read, for a pass over as many as there are by now."""
        for part in parts:
            self.rows = len(rows)
            yield part

    def went(self, rows: int) -> None:
        """So many rows more have gone through a pass."""
        before, self.done = self.done, self.done + rows
        if self.rows and before // TOLD_EVERY != self.done // TOLD_EVERY:
            share = min(self.done / (self.rows * self.passes), 0.99)
            self._say(round(self.step + share, 3))

    def read(self, rows: int) -> None:
        """So many rows of a file are read."""
        self._say(0.0, {"rows_read": float(rows)})

    def _say(self, done: float, figures: Mapping[str, float] | None = None) -> None:
        tick = Tick(stage=STAGE, done=done, total=STEPS, unit="steps", figures=figures or {})
        self.run.progress.tick(tick)
