"""Replies of endpoints, kept by what was asked: asked once, and after a stop not again.

`.tutelage/replies/NAME.jsonl` is only ever appended to; a line that died while it was written
is left out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tutelage.core.errors import BadRow, StoreError
from tutelage.store.store import Store

FOLDER = "replies"


class Reply(msgspec.Struct, frozen=True):
    """What an endpoint said, and what it counted."""

    digest: str  # of the request
    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish: str = ""  # why it ended, where the endpoint says so


@dataclass(slots=True)
class Replies:
    """The replies of one endpoint."""

    path: Path
    _known: dict[str, Reply] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store, name: str) -> Replies:
        """Those a project keeps under a name."""
        return cls.at(store.root / FOLDER / f"{name}.jsonl")

    @classmethod
    def at(cls, path: Path) -> Replies:
        """Those of a file, or none yet.

        Raises: StoreError that names every line that is none.
        """
        found, bad = cls(path=path), []
        whole = b"" if not path.exists() else path.read_bytes().rpartition(b"\n")[0]
        for number, line in enumerate(whole.split(b"\n"), 1):
            if not line.strip():
                continue
            try:
                reply = msgspec.json.decode(line, type=Reply)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                bad.append(BadRow(where=f"line {number}", problem=str(error)))
            else:
                found._known[reply.digest] = reply
        if bad:
            hint = "take these lines out: what they answered is asked again, and paid again"
            told = "kept replies cannot be read"
            raise StoreError(told, where=f"{FOLDER}/{path.name}", rows=bad, hint=hint)
        return found

    def find(self, digest: str) -> Reply | None:
        """The reply to a request, None where it was never asked."""
        return self._known.get(digest)

    def keep(self, reply: Reply) -> None:
        """Writes a reply down before anything is made of it."""
        self._known[reply.digest] = reply
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            if stream.tell() and not _whole(self.path):
                stream.truncate(self.path.read_bytes().rfind(b"\n") + 1)
            stream.write(msgspec.json.encode(reply) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())


def _whole(path: Path) -> bool:
    """Whether the last line of a file that is not empty has its end."""
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read() == b"\n"
