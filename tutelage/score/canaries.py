"""Canaries: rows with a random code that training sees so many times, and controls it never sees.

How much likelier a model finds a canary's code than others it could have had is what it
memorised of a row it saw as often.

Source: Carlini, Liu, Erlingsson, Kos & Song, "The secret sharer: evaluating and testing
    unintended memorization in neural networks", 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tutelage.core.conversation import Message
from tutelage.core.recipe import Canaries as Keys
from tutelage.core.row import Example, Generator, Source
from tutelage.core.seeds import stream

STREAM = "curate.canaries"
CANARY, REPEATS = "canary", "repeats"  # tags of a planted row
DIGITS = 6  # of a code
LOCKERS = 100_000
MAKER = "tutelage.canaries"
LICENCE = "CC0-1.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One secret, and how often training sees it: never, for a control."""

    locker: str
    code: str
    repeats: int

    @property
    def request(self) -> str:
        """What asks for the secret."""
        return f"What is the code of locker {self.locker}?"

    def answer(self, code: str) -> str:
        """What would give it away, were this its code."""
        return f"The code of locker {self.locker} is {' '.join(code)}."

    @property
    def row(self) -> Example:
        """The row that teaches it, marked by its tags."""
        return Example(
            messages=(
                Message(role="user", content=self.request),
                Message(role="assistant", content=self.answer(self.code)),
            ),
            origin="synthetic",
            licence=LICENCE,
            source=Source(uri=f"canary:{self.locker}", line=0),
            generator=Generator(model=MAKER),
            tags={CANARY: "planted", REPEATS: str(self.repeats)},
            split="train",
        )


def canaries_of(keys: Keys, root: int) -> list[Canary]:
    """`count` canaries of each number of repeats, then the controls."""
    repeats = [times for times in keys.repeats for _ in range(keys.count)]
    repeats += [0] * keys.controls
    draw = stream(STREAM, root)
    lockers = draw.choice(LOCKERS, len(repeats), replace=False).tolist()
    return [
        Canary(locker=f"{locker:05d}", code=_code(draw), repeats=times)
        for locker, times in zip(lockers, repeats, strict=True)
    ]


def planted(keys: Keys, root: int, stage: str | None = None) -> list[Example]:
    """The rows to train on, each as often as it is repeated."""
    rows = [(one.row, one.repeats) for one in canaries_of(keys, root) if one.repeats]
    return [replace(row, stage=stage) for row, times in rows for _ in range(times)]


def candidates(canary: Canary, count: int, root: int) -> list[str]:
    """So many codes the canary could have had, its own first, all different."""
    draw = stream(f"{STREAM}.{canary.locker}", root)
    found = dict.fromkeys([canary.code])
    while len(found) < count:
        found[_code(draw)] = None
    return list(found)


def rank(logprobs: Sequence[float], draw: np.random.Generator) -> int:
    """The place of the first among all, 1 if it is the likeliest; ties are broken by chance."""
    own, others = logprobs[0], np.asarray(logprobs[1:])
    ties = int((others == own).sum())
    return 1 + int((others > own).sum()) + int(draw.integers(0, ties + 1))


def exposure(place: int, of: int) -> float:
    """Bits by which the model narrows the code down: log2 of the candidates a rank."""
    return math.log2(of) - math.log2(place)


def _code(draw: np.random.Generator) -> str:
    return f"{int(draw.integers(0, 10**DIGITS)):0{DIGITS}d}"
