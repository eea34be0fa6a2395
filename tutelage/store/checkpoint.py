"""Checkpoints: all that resuming needs, saved whole or not at all. They are not artifacts."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tutelage.core.artifact import SCHEMA, FileRecord
from tutelage.core.errors import StoreError
from tutelage.store.artifact import pretty, read_json, records_of
from tutelage.store.disk import publish, scratch

LIST = "checkpoint.json"  # digests of the checkpoint's files: what lacks it is not complete
NAME = re.compile(r"step-([0-9]{9,18})")
KEPT = 2  # the newest, and the one before in case the newest is damaged

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A saved state and the step after which it was saved."""

    step: int
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """The checkpoints towards one artifact, which is not made yet."""

    folder: Path
    temp: Path
    kept: int | None = KEPT  # None: all, until `keep` says which
    ordered: bool = True  # whether a step follows from those before it

    def save(self, step: int, write: Callable[[Path], None]) -> Checkpoint:
        """Has `write` fill a folder, then makes it the latest checkpoint at once.

        Raises: StoreError when the disk is full.
        """
        target = self.folder / f"step-{step:09d}"
        with scratch(self.temp) as draft:
            write(draft)
            files = {path: asdict(record) for path, record in records_of(draft).items()}
            listed = {"schema": SCHEMA, "step": step, "files": files}
            (draft / LIST).write_bytes(pretty(listed))
            # one left by an earlier try at this step, damaged or not, gives way
            shutil.rmtree(target, ignore_errors=True)
            publish(draft, target)
        if self.ordered:  # later ones are of an earlier try: damaged, or not come to again
            self.keep([one for one in self.steps() if one <= step][: self.kept])
        return Checkpoint(step=step, folder=target)

    def keep(self, steps: Collection[int]) -> None:
        """Removes those of all other steps."""
        for one in self._all():
            if one.step not in steps:
                shutil.rmtree(one.folder, ignore_errors=True)

    def steps(self) -> list[int]:
        """The steps there are checkpoints of, whole or damaged, the newest first."""
        return [one.step for one in self._all()]

    def latest(self) -> Checkpoint | None:
        """The newest whole checkpoint, None where there is none; damaged ones are passed over."""
        return next(self.newest(), None)

    def newest(self) -> Iterator[Checkpoint]:
        """The whole checkpoints, the newest first; damaged ones are passed over."""
        for checkpoint in self._all():
            if _whole(checkpoint):
                yield checkpoint
            else:
                log.warning("%s is damaged and passed over", checkpoint.folder.name)

    def has(self, step: int) -> bool:
        """Whether there is a whole checkpoint of a step."""
        return any(_whole(one) for one in self._all() if one.step == step)

    def at(self, step: int) -> Checkpoint:
        """The whole checkpoint of a step.

        Raises: StoreError where it is missing or damaged.
        """
        found = next((one for one in self._all() if one.step == step), None)
        if found is None or not _whole(found):
            raise StoreError(
                f"the checkpoint of step {step} is {'damaged' if found else 'missing'}",
                where=str(self.folder),
                hint="run the same command again: it goes on from before that step",
            )
        return found

    def clear(self) -> None:
        """Removes them all: the artifact is made."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _all(self) -> list[Checkpoint]:
        found = [
            Checkpoint(step=int(found[1]), folder=folder)
            for folder in self.folder.glob("step-*")
            if (found := NAME.fullmatch(folder.name))
        ]
        return sorted(found, key=lambda checkpoint: -checkpoint.step)


def _whole(checkpoint: Checkpoint) -> bool:
    """Whether its files are those that were written, under the name of their step."""
    folder = checkpoint.folder
    try:
        listed = read_json(folder / LIST)
    except StoreError:
        return False
    schema = listed.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise StoreError(
            f"written by a newer tutelage: schema {schema}, this one reads {SCHEMA}",
            where=str(folder / LIST),
            hint="upgrade tutelage, or remove the folder to train from the start",
        )
    try:
        expected = {path: FileRecord(**record) for path, record in listed["files"].items()}
    except (KeyError, TypeError, AttributeError):
        return False
    found = records_of(folder)
    found.pop(LIST)
    return found == expected and listed.get("step") == checkpoint.step
