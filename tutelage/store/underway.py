"""Answers of an evaluation under way, written down one by one: after a stop it goes on from them.

`.tutelage/underway/KEY.jsonl` stands under the key of the artifact the answers will be, and is
gone once that is there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import msgspec

from tutelage.core.sample import Sample
from tutelage.store.store import Store

FOLDER = "underway"


class Underway(AbstractContextManager["Underway"]):
    """The answers there are; leaving it without an error takes them away."""

    def __init__(self, store: Store, key: str, *, anew: bool = False) -> None:
        self._path: Path = store.root / FOLDER / f"{key}.jsonl"
        self.known: dict[str, Sample] = {}  # by task
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = 0
        if self._path.exists() and not anew:
            for line in self._path.read_bytes().splitlines(keepends=True):
                try:
                    sample = msgspec.json.decode(line, type=Sample)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    break  # died while it was written: asked again, with all behind it
                if not line.endswith(b"\n"):
                    break
                self.known[sample.task] = sample
                whole += len(line)
        self._stream = self._path.open("ab")
        self._stream.truncate(whole)

    def keep(self, sample: Sample) -> None:
        """Writes an answer down."""
        self._stream.write(msgspec.json.encode(sample) + b"\n")
        self._stream.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.close()
        if kind is None:
            self._path.unlink()
