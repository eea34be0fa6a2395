"""A file of JSON lines that people write too: read once, and replaced only as it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.errors import RowError, StoreError
from tutelage.store.disk import write_file


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The file as it was read; `uri` names it in errors."""

    path: Path
    uri: str
    content: bytes  # empty where there is no file

    @classmethod
    def read(cls, path: Path, uri: str) -> Lines:
        """The file as it is now.

        Raises: RowError where it cannot be read.
        """
        return cls(path=path, uri=uri, content=_bytes(path, uri))

    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """Every line that is not empty, with its number."""
        for number, line in enumerate(self.content.split(b"\n"), start=1):
            if line.strip():
                yield number, line

    def check(self) -> None:
        """Raises StoreError where somebody wrote it since it was read."""
        if _bytes(self.path, self.uri) != self.content:
            raise StoreError(
                f"{self.uri} was changed meanwhile",
                where=str(self.path),
                expected="the file as it was when this began",
                hint="run again: nothing was written, and what you saved stands",
            )

    def replace(self, forms: Sequence[dict[str, Any]]) -> bool:
        """Writes these lines in its place at once; False where it says the same already.

        Raises: StoreError where somebody wrote it since it was read.
        """
        content = b"".join(msgspec.json.encode(form) + b"\n" for form in forms)
        if self.content == content:
            return False
        self.check()
        write_file(self.path, content)
        return True


def _bytes(path: Path, uri: str) -> bytes:
    try:
        return path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise RowError(f"cannot be read: {error.strerror}", where=uri) from error
