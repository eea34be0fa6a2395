"""What a command answers: drawn for people, or one JSON object for programs."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tutelage.cli.streams import say
from tutelage.core.errors import ErrorForm, TutelageError

if TYPE_CHECKING:
    from rich.console import Console

    from tutelage.cli.progress import Listener
    from tutelage.store.artifact import Artifact

SCHEMA = 1
STATUS = {0: "done", 1: "failed", 2: "usage", 3: "shut", 130: "interrupted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How a command ended and what it found."""

    data: Mapping[str, Any] = field(default_factory=dict)  # for `--json`
    draw: Callable[[Console], None] | None = None  # for people, on stdout
    artifacts: Sequence[tuple[str, Artifact]] = ()  # by stage
    error: TutelageError | None = None  # ends with its exit code, after drawing
    code: int = 0  # where there is no error
    said: bool = False  # another process has printed the answer


@dataclass(slots=True, kw_only=True)
class Session:
    """One command line being carried out: what it said, and how it is to answer."""

    command: str
    as_json: bool
    warnings: list[str] = field(default_factory=list)

    def close(self, reply: Reply) -> int:
        """Says the reply; returns the exit code."""
        code = reply.error.exit_code if reply.error else reply.code
        if reply.said and reply.error is None:
            return code
        if self.as_json:
            sys.stdout.write(self._envelope(reply, code))
        elif reply.draw is not None:
            reply.draw(self.console())
        if reply.error is not None:
            sys.stdout.flush()
            say(reply.error.text(), sys.stderr)
        return code

    def console(self) -> Console:
        """Where data are drawn: stdout."""
        from tutelage.cli.terminal import console

        return console(sys.stdout)

    def warn(self, message: str) -> None:
        """Says something the user should know, and keeps it for `--json`."""
        self.warnings.append(message)
        say(f"warning: {message}", sys.stderr)

    @contextmanager
    def progress(self) -> Iterator[Listener]:
        """A listener that draws on stderr for the block."""
        from tutelage.cli.progress import listener

        with listener(sys.stderr, self.warnings) as listening:
            yield listening

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Shows what the library logs as a warning, and keeps it for `--json`."""
        handler = _Collector(self.warn)
        log = logging.getLogger("tutelage")
        log.addHandler(handler)
        try:
            yield
        finally:
            log.removeHandler(handler)

    def _envelope(self, reply: Reply, code: int) -> str:
        import msgspec

        error: ErrorForm | None = reply.error.form() if reply.error else None
        form = {
            "schema": SCHEMA,
            "command": self.command,
            "status": STATUS[code],
            "data": reply.data,
            "artifacts": [
                {
                    "stage": stage,
                    "kind": artifact.kind,
                    "name": artifact.name,
                    "digest": artifact.digest,
                    "folder": str(artifact.folder),
                }
                for stage, artifact in reply.artifacts
            ],
            "warnings": self.warnings,
            "error": error,
        }
        try:
            return msgspec.json.encode(form).decode() + "\n"
        except UnicodeEncodeError:  # a file's name that is no text: JSON escapes its bytes
            return json.dumps(msgspec.to_builtins(form)) + "\n"


class _Collector(logging.Handler):
    """Hands on what the library logs as a warning."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        super().__init__(level=logging.WARNING)
        self.warn = warn

    def emit(self, record: logging.LogRecord) -> None:
        """Takes one warning."""
        self.warn(record.getMessage())
