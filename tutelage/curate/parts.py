"""Finished parts of a curation not made yet: what a killed one had done, the next one reads.

They lie with the checkpoints, under the key of the dataset they are towards: other files, settings
or seeds have another key. Each appears whole or not at all, with digests of its files. Once the
dataset is made they are gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tutelage.store.checkpoint import Checkpoints
from tutelage.store.run import Run

FILE = "part.json"
ARRAY = "part.npy"
WORTH_SECONDS = 0.5  # what is made in less is made again
T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts towards the dataset of a key."""

    run: Run
    key: str

    def kept(
        self,
        name: str,
        number: int,
        kind: type[T],
        make: Callable[[], T],
        worth_seconds: float = WORTH_SECONDS,
    ) -> T:
        """What an earlier try came to, else what `make` gives, kept if that took so long."""
        parts = self._of(name)
        if parts.has(number):
            try:
                return msgspec.json.decode((parts.at(number).folder / FILE).read_bytes(), type=kind)
            except msgspec.MsgspecError:
                log.warning("%s %d is of another version and made again", name, number)
        began = time.perf_counter()
        made = make()
        if time.perf_counter() - began >= worth_seconds:
            parts.save(number, lambda folder: _write(folder, made))
        return made

    def found(self, name: str, kind: type[T]) -> dict[int, T]:
        """All that is finished of a kind, by number."""
        return {
            one.step: msgspec.json.decode((one.folder / FILE).read_bytes(), type=kind)
            for one in self._of(name).newest()
        }

    def keep(self, name: str, number: int, made: object) -> None:
        """Keeps one."""
        self._of(name).save(number, lambda folder: _write(folder, made))

    def arrays(self, name: str) -> dict[int, Path]:
        """The files of arrays that are finished, by number."""
        return {one.step: one.folder / ARRAY for one in self._of(name).newest()}

    def keep_array(self, name: str, number: int, made: NDArray[Any]) -> None:
        """Keeps an array."""
        self._of(name).save(number, lambda folder: np.save(folder / ARRAY, made))

    def _of(self, name: str) -> Checkpoints:
        return self.run.store.checkpoints(self.key, part=name, kept=None, ordered=False)

    def clear(self) -> None:
        """Removes them all: the dataset is made, or is to be made anew."""
        self.run.store.checkpoints(self.key).clear()


def _write(folder: Path, made: object) -> None:
    (folder / FILE).write_bytes(msgspec.json.encode(made))
