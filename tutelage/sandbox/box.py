"""A box: programs go in one after the other, values and printed text come out."""

from __future__ import annotations

import logging
import os
import secrets
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

import tutelage
from tutelage.core.errors import MissingCapability
from tutelage.sandbox.limits import Confinement, Limits
from tutelage.sandbox.values import Raised, Unreadable, decode

LOG = logging.getLogger(__name__)
STARTING = 60.0  # seconds for the starter to come up, and beyond a program's own to reply
WHOLE = -1
IN_A_ROW = 3  # programs that may end the starter one after the other before it is given up
ENTRY = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from tutelage.sandbox.zygote import main; main(sys.argv[2], sys.argv[3])"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Source, what is run after it, and the steps whose values are wanted.

    A step is `("eval", EXPRESSION)` or `("exec", STATEMENTS)`, run in the program's own
    module. `given` are values by name, encoded; a lenient setup goes on past statements
    that fail.
    """

    source: str
    setup: Sequence[str] = ()
    steps: Sequence[tuple[str, str]] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    lenient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended, and what it left."""

    values: Mapping[int, object]  # by step; those it did not come to are not there
    printed: str
    code: int  # of its exit; below 0, the signal that ended it
    late: bool  # its time was up
    over: bool  # it sent or printed more than is taken
    seconds: float
    processor: float
    peak_bytes: int

    @property
    def ending(self) -> str:
        """Why there may be no value, in a few words."""
        whole = self.values.get(WHOLE)
        if isinstance(whole, Raised):
            return f"raised {whole.kind} before its tests"
        if self.late:
            return "took too long"
        if self.over:
            return "wrote too much"
        return f"ended by signal {-self.code}" if self.code < 0 else f"exited with {self.code}"


class Gone(Exception):
    """The starter is no more, or does not reply."""


class Box:
    """Runs programs one at a time, each in a process of its own that leaves nothing behind.

    A program that takes the starter with it has ended by a signal; the next one gets a new
    starter. `restarts` counts those.

    Raises: MissingCapability where the kernel cannot confine programs and `confinement`
        does not say `none`.
    """

    def __init__(self, limits: Limits | None = None, confinement: Confinement = "kernel") -> None:
        self.limits = limits or Limits()
        self.confinement = confinement
        self.restarts = 0
        self._in_a_row = 0
        self._open()

    def values(self, program: Program) -> Finished:
        """Runs a program and takes the values of its steps."""
        nonce = secrets.token_hex(16)
        form = {**asdict(program), "kind": "answer", "nonce": nonce, "argv": [], "stdin": ""}
        head, sent, said = self._ask(form)
        return _finished(head, _values(sent, nonce, len(program.steps)), said)

    def run(self, source: str, argv: Sequence[str] = (), stdin: str = "") -> Finished:
        """Runs a program as a script and takes what it prints."""
        form = {"kind": "script", "source": source, "argv": list(argv), "stdin": stdin}
        head, _, said = self._ask(form)
        return _finished(head, {}, said)

    def close(self) -> None:
        """Ends the starter, and with it whatever still runs."""
        self._end()

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="tutelage-sandbox-")
        self._starter = self._begun()
        self._end = weakref.finalize(self, _ended, self._starter, self._folder)
        self._greeted()

    def _begun(self) -> subprocess.Popen[bytes]:
        above = str(Path(tutelage.__file__).parents[1])
        command = [sys.executable, "-s", "-S", "-B", "-P", "-c", ENTRY, above]
        return subprocess.Popen(
            [*command, self.confinement, self._folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env={"PYTHONHASHSEED": "0", "LANG": "C.UTF-8", "PATH": ""},
        )

    def _greeted(self) -> None:
        try:
            problem = self._reply(STARTING)[0].get("problem", "it did not start")
        except Gone:
            problem = "it did not start"
        if problem:
            self.close()
            raise MissingCapability(
                f"this machine cannot confine programs: {problem}",
                where="evaluate.suites.code",
                expected="Linux with Landlock, seccomp, and user namespaces anyone may make",
                hint="run where they are, or trust the answers: `code: {sandbox: none}`",
            )

    def _ask(self, form: Mapping[str, Any]) -> tuple[dict[str, Any], bytes, bytes]:
        began = time.monotonic()
        try:
            head, rest = self._replied(form)
        except (Gone, BrokenPipeError):
            self._restart()
            return _killed(time.monotonic() - began), b"", b""
        self._in_a_row = 0
        if head["problem"]:
            raise MissingCapability(
                f"a program could not be confined: {head['problem']}", where="evaluate.suites.code"
            )
        return head, rest[: head["sent"]], rest[head["sent"] :]

    def _replied(self, form: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        body = msgspec.json.encode({**form, "limits": asdict(self.limits)})
        assert self._starter.stdin is not None
        wire = self._starter.stdin.fileno()
        left = struct.pack(">I", len(body)) + body
        while left:
            left = left[os.write(wire, left) :]
        return self._reply(self.limits.seconds + STARTING)

    def _restart(self) -> None:
        """A new starter in the place of one that is gone.

        Raises: MissingCapability where several in a row went: that is no program's doing.
        """
        self._starter.kill()
        self.close()
        self._in_a_row += 1
        if self._in_a_row >= IN_A_ROW:
            raise MissingCapability(
                f"the sandbox's starter is gone {IN_A_ROW} times in a row",
                where="evaluate.suites.code",
            )
        self.restarts += 1
        LOG.warning("a program ended the sandbox's starter, which was started again")
        self._open()

    def _reply(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        until = time.monotonic() + seconds
        size = self._exactly(4, until)
        head: dict[str, Any] = msgspec.json.decode(
            self._exactly(struct.unpack(">I", size)[0], until)
        )
        return head, self._exactly(head.get("sent", 0) + head.get("said", 0), until)

    def _exactly(self, size: int, until: float) -> bytes:
        assert self._starter.stdout is not None
        wire = self._starter.stdout.fileno()
        taken = bytearray()
        while len(taken) < size:
            ready, _, _ = select.select([wire], [], [], max(0.0, until - time.monotonic()))
            piece = os.read(wire, size - len(taken)) if ready else b""
            if not piece:
                raise Gone
            taken += piece
        return bytes(taken)


def _killed(seconds: float) -> dict[str, Any]:
    """The head of a reply that never came."""
    ending = {"problem": "", "code": -signal.SIGKILL, "late": False, "over": False}
    return {**ending, "seconds": seconds, "processor": 0.0, "peak_bytes": 0}


def _ended(starter: subprocess.Popen[bytes], folder: str) -> None:
    for pipe in (starter.stdin, starter.stdout):
        if pipe is not None:
            pipe.close()
    try:
        starter.wait(timeout=5)
    except subprocess.TimeoutExpired:
        starter.kill()
        starter.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _values(sent: bytes, nonce: str, steps: int) -> dict[int, object]:
    """The values of lines that carry the nonce; the first of a step counts."""
    found: dict[int, object] = {}
    for line in sent.decode("utf-8", "replace").split("\n"):
        mark, _, rest = line.partition(" ")
        number, _, text = rest.partition(" ")
        if mark != nonce or not number.lstrip("-").isdigit():
            continue
        place = int(number)
        if WHOLE <= place < steps and place not in found:
            try:
                found[place] = decode(text)
            except Unreadable:
                continue
    return found


def _finished(head: Mapping[str, Any], values: Mapping[int, object], said: bytes) -> Finished:
    return Finished(
        values=values,
        printed=said.decode("utf-8", "replace"),
        code=head["code"],
        late=head["late"],
        over=head["over"],
        seconds=head["seconds"],
        processor=head["processor"],
        peak_bytes=head["peak_bytes"],
    )
