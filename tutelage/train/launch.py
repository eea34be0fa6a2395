"""Several processes of one command, watched: when one ends badly, all end and the cause is told."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.errors import BadRow, Interrupted, PeerLost, TrainingError, TutelageError
from tutelage.core.world import LIFELINE, LISTENING, REPORT
from tutelage.train.asked import Asked, asked_to_stop

log = logging.getLogger(__name__)

LOOK = 0.05  # seconds between two looks at the processes
LAST_END = 5.0  # seconds the others have to leave, once rank 0 has ended well
OWN_END = 1.5  # seconds the others have to end by themselves, once one has
ASKED_END = 2.0  # and after SIGTERM, before SIGKILL
SAVING_END = 60.0  # and after Ctrl-C, which lets them save what they have
TOLD = 2000  # characters of a broken process's stderr that are shown
LOCAL = "127.0.0.1"


@dataclass(slots=True, kw_only=True)
class Rank:
    """One process of the command."""

    number: int
    process: subprocess.Popen[bytes]
    folder: Path
    stopped: bool = False  # by us, because of another

    @property
    def report(self) -> Path:
        """Where it says its error."""
        return report_path(self.folder, self.number)

    @property
    def log(self) -> Path:
        """Its stderr; rank 0 writes to the command's own."""
        return log_path(self.folder, self.number)

    def runs(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def failed(self) -> bool:
        """Whether it ended badly."""
        return self.process.poll() not in (None, 0)

    def send(self, number: int) -> None:
        """Signals it, unless it has ended."""
        if self.runs():
            self.process.send_signal(number)

    def kill(self) -> None:
        """Ends it and all that it started; they are a group of their own."""
        with suppress(ProcessLookupError, PermissionError):  # all have ended
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def report_path(folder: Path, rank: int) -> Path:
    """Where a rank says its error."""
    return folder / f"rank-{rank}.json"


def log_path(folder: Path, rank: int) -> Path:
    """Where a rank's stderr goes."""
    return folder / f"rank-{rank}.log"


def launch(words: Sequence[str], processes: int) -> int:
    """Runs `tutelage WORDS` as so many processes of this machine; returns rank 0's exit code.

    Rank 0 prints as the command alone would. None of them is left behind, however it ends.

    Raises: what the process that ended first raised, or a TrainingError that names its signal;
        Interrupted.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tutelage-")))
        server = stack.enter_context(socket.create_server((LOCAL, 0)))
        lifeline, held = os.pipe()
        stack.callback(os.close, held)
        ranks: list[Rank] = []
        stack.callback(_kill, ranks)
        asked = stack.enter_context(asked_to_stop(again=True))
        for number in range(processes):
            ranks.append(_start(words, number, processes, folder, (server, lifeline)))
        os.close(lifeline)
        server.close()  # rank 0 has it now
        _watch(ranks, asked)
        return _outcome(ranks, asked)


def _kill(ranks: Sequence[Rank]) -> None:
    for rank in ranks:
        rank.kill()


def _start(
    words: Sequence[str],
    number: int,
    processes: int,
    folder: Path,
    handed: tuple[socket.socket, int],
) -> Rank:
    server, lifeline = handed
    given = {
        "RANK": number,
        "LOCAL_RANK": number,
        "WORLD_SIZE": processes,
        "LOCAL_WORLD_SIZE": processes,
        "MASTER_ADDR": LOCAL,
        "MASTER_PORT": server.getsockname()[1],
        LIFELINE: lifeline,
        REPORT: report_path(folder, number),
    }
    passed = [lifeline]
    if number == 0:
        given[LISTENING] = server.fileno()
        passed.append(server.fileno())
    environ = {**os.environ, **{name: str(value) for name, value in given.items()}}
    if sys.platform == "linux":
        environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: its name need not resolve
    with log_path(folder, number).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tutelage", *words],
            env=environ,
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            stdout=None if number == 0 else subprocess.DEVNULL,
            stderr=None if number == 0 else log,
            start_new_session=True,  # the terminal's Ctrl-C reaches this process alone
        )
    return Rank(number=number, process=process, folder=folder)


def _watch(ranks: Sequence[Rank], asked: Asked) -> None:
    """Returns when all have ended, by themselves or because one did, or when they were asked."""
    passed, due = 0, float("inf")
    while any(rank.runs() for rank in ranks):
        now = time.monotonic()
        if any(rank.failed() for rank in ranks):
            due = min(due, now + OWN_END)
        elif not ranks[0].runs():  # all is done: another may still look for it, in vain
            due = min(due, now + LAST_END)
        if len(asked.signals) > passed:
            for rank in ranks:
                rank.send(asked.signals[0])
            due = now + SAVING_END if passed == 0 else now
            passed = len(asked.signals)
        if now >= due:
            return _end(ranks, ASKED_END if passed < 2 else 0.0)
        time.sleep(LOOK)


def _end(ranks: Sequence[Rank], grace: float) -> None:
    """Ends those that are left: asked first, then killed."""
    left = [rank for rank in ranks if rank.runs()]
    for rank in left:
        rank.stopped = True
        rank.send(signal.SIGTERM)
    until = time.monotonic() + grace
    while time.monotonic() < until and any(rank.runs() for rank in left):
        time.sleep(LOOK)
    for rank in left:
        rank.kill()


def _outcome(ranks: Sequence[Rank], asked: Asked) -> int:
    """The exit code where rank 0 has said all; otherwise raises what went wrong.

    All is done where rank 0 ended well: how another left after that is a line on stderr.
    """
    if ranks[0].process.returncode == 0:
        for rank in ranks:
            if not rank.stopped and (error := _error(rank)):
                log.warning("%s, when all was done", error.message)
        return 0
    passed_on = [-number for number in asked.signals]  # which ends what does not hear it yet
    ended = [rank for rank in ranks if rank.process.returncode not in passed_on]
    errors = {rank.number: _error(rank) for rank in ended if not rank.stopped}
    real = [error for error in errors.values() if error and not isinstance(error, PeerLost)]
    if asked.signals and all(isinstance(error, Interrupted) for error in real):
        said = real[0].message if real else "stopped; nothing is half-written"
        raise Interrupted(said, hint="the same command goes on from there")
    if real:
        raise real[0]
    code = ranks[0].process.returncode
    if code > 0 and errors.get(0) is None and not ranks[0].stopped:
        return code
    raise next(error for error in errors.values() if error)


def _error(rank: Rank) -> TutelageError | None:
    """Why a process ended; None where it ended well, or has said it itself."""
    code = rank.process.returncode
    if code == 0:
        return None
    if rank.report.exists():
        return read_report(rank.report.read_text(encoding="utf-8"), rank.number)
    if code > 0 and rank.number == 0:
        return None
    said = rank.log.read_text(encoding="utf-8", errors="replace")[-TOLD:].strip()
    how = f"ended with exit code {code}" if code > 0 else f"was ended by {_signal(-code)}"
    memory = code == -signal.SIGKILL
    return TrainingError(
        f"rank {rank.number} {how}",
        expected="every process to reach the end",
        rows=[BadRow(where=f"rank {rank.number}", problem=line) for line in said.splitlines()],
        hint="the same command goes on from the last checkpoint"
        + ("; the system ends processes so where memory runs out" if memory else ""),
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def write_report(path: Path, error: TutelageError) -> None:
    """Says an error so that the launching process can raise it."""
    form = {
        "code": error.code,
        "message": error.message,
        "where": error.where,
        "expected": error.expected,
        "hint": error.hint,
        "rows": [[row.where, row.problem] for row in error.rows],
    }
    whole = path.with_suffix(".part")
    whole.write_text(json.dumps(form), encoding="utf-8")
    whole.rename(path)


def read_report(text: str, rank: int) -> TutelageError:
    """The error that `write_report` said; that of another than rank 0 names it."""
    form = json.loads(text)
    kinds = _kinds(TutelageError)
    at = [f"rank {rank}"] if rank else []
    return kinds.get(form["code"], TutelageError)(
        form["message"],
        where=": ".join([*at, *filter(None, [form["where"]])]),
        expected=form["expected"],
        hint=form["hint"],
        rows=[BadRow(where=where, problem=problem) for where, problem in form["rows"]],
    )


def _kinds(kind: type[TutelageError]) -> dict[str, type[TutelageError]]:
    found = {kind.code: kind}
    for one in kind.__subclasses__():
        found |= _kinds(one)
    return found


def end_with_launcher(environ: Mapping[str, str]) -> None:
    """Ends this process, and all it started, when the one that launched it is gone."""
    if LIFELINE not in environ:
        return
    lifeline = int(environ[LIFELINE])
    os.set_inheritable(lifeline, False)

    def wait() -> None:
        os.read(lifeline, 1)  # returns when the other end is closed
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=wait, name="lifeline", daemon=True).start()
