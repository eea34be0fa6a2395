"""Draws the rows the embedded base is pre-trained on, from the step number alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

END_ID = 0  # of <|endoftext|>, which closes every document

# Read from anywhere: their passages make sense from the middle.
PROSE = frozenset({"books", "story", "sgd", "topical", "onestop"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """Component weights that hold until this share of the steps is done."""

    until: float
    weights: Mapping[str, float]


PHASES: tuple[Phase, ...] = (
    Phase(
        until=0.8,
        weights={
            "books": 32,
            "sgd": 12,
            "topical": 6,
            "onestop": 4,
            "story": 2,
            "synthetic": 24,
            "calls": 8,
            "sgd_chat": 4,
            "trivia": 3,
            "dolly": 4,
            "taskmaster": 1,
        },
    ),
    Phase(
        until=1.0,
        weights={
            "synthetic": 40,
            "calls": 15,
            "sgd_chat": 8,
            "dolly": 12,
            "trivia": 6,
            "books": 8,
            "topical": 4,
            "taskmaster": 4,
            "seed": 1,
            "onestop": 2,
        },
    ),
)


class Batches:
    """Rows of token windows: a pure function of seed, step and progress; no state to resume.

    A row picks a component by the phase's weights, then a window of its shard: from a document's
    start where documents are conversations, from anywhere in prose. Windows run on into the
    documents that follow.
    """

    def __init__(self, folder: Path, phases: tuple[Phase, ...] = PHASES, seed: int = 7) -> None:
        self.phases = phases
        self.seed = seed
        names = sorted({name for phase in phases for name in phase.weights})
        self.shards = {
            name: np.memmap(folder / f"{name}.bin", dtype=np.uint16, mode="r") for name in names
        }
        self.starts = {
            name: np.concatenate(([0], np.flatnonzero(shard == END_ID)[:-1] + 1))
            for name, shard in self.shards.items()
            if name not in PROSE
        }

    def batch(self, step: int, rows: int, length: int, progress: float = 0.0) -> NDArray[np.int64]:
        """The rows of one step; `progress` is the share of all steps done, which sets the phase.

        Shapes: returns `[rows, length + 1]`: inputs are `[:, :-1]`, targets `[:, 1:]`.
        """
        phase = next((p for p in self.phases if progress < p.until), self.phases[-1])
        names = list(phase.weights)
        weights = np.asarray([phase.weights[name] for name in names], dtype=np.float64)
        draw = np.random.default_rng((self.seed, step))
        picks = draw.choice(len(names), size=rows, p=weights / weights.sum())
        places = draw.random(rows)
        out = np.empty((rows, length + 1), dtype=np.int64)
        for row, (pick, place) in enumerate(zip(picks, places, strict=True)):
            out[row] = self.window(names[pick], float(place), length + 1)
        return out

    def window(self, name: str, place: float, length: int) -> NDArray[np.uint16]:
        """A component's window at a place in [0, 1); past the shard's end it starts over."""
        shard = self.shards[name]
        starts = self.starts.get(name)
        at = int(place * len(shard)) if starts is None else int(starts[int(place * len(starts))])
        piece = np.asarray(shard[at : at + length])
        if len(piece) < length:  # short shards wrap, as often as it takes
            piece = np.resize(np.concatenate((shard[at:], shard[:at])), length)
        return piece
