"""The process that starts programs: isolated once, then a fork for each program.

It reads requests on standard input and writes replies on standard output, each a length of
four bytes and JSON; a reply is followed by what the program sent back and what it printed.
Imports nothing beyond the standard library but this room.
"""

from __future__ import annotations

import gc
import importlib
import itertools
import json
import os
import select
import signal
import stat
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tutelage.sandbox import inside, kernel
from tutelage.sandbox.kernel import Kernel, Refused
from tutelage.sandbox.limits import Limits

COMMON = (
    *("array", "bisect", "calendar", "cmath", "collections.abc", "copy", "datetime", "decimal"),
    *("enum", "fractions", "functools", "heapq", "itertools", "math", "numbers", "operator"),
    *("random", "re", "statistics", "string", "textwrap", "typing", "dataclasses"),
)
SCRATCH_BYTES = 64 << 20
PIECE = 1 << 16
OWN = 3  # tasks of this user beside a program's threads: this process and two that may linger


@dataclass(frozen=True, slots=True)
class Place:
    """Where programs run: confined by a kernel, or by limits alone."""

    kernel: Kernel | None
    scratch: str
    readable: list[str]


@dataclass(slots=True)
class Ends:
    """The pipes a program writes to and what has come through them."""

    most: dict[int, int]
    taken: dict[int, bytearray] = field(default_factory=dict)
    over: bool = False

    def read(self, pipe: int) -> bool:
        """Takes what is there; False once nothing more will come."""
        piece = os.read(pipe, PIECE)
        kept = self.taken.setdefault(pipe, bytearray())
        kept += piece
        self.over = self.over or len(kept) > self.most[pipe]
        return bool(piece)


def main(confinement: str, root: str) -> None:
    """Serves requests until standard input ends."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):
        os.dup2(null, standard)
    for name in COMMON:
        importlib.import_module(name)
    sys.path[:] = [path for path in sys.path if path in kernel.readable_paths() or "python" in path]
    try:
        place = _place(confinement, root)
    except (Refused, OSError) as error:
        _write(wire_out, {"problem": str(error)})
        return
    gc.freeze()
    _write(wire_out, {"problem": "", "landlock": place.kernel.landlock if place.kernel else 0})
    while (request := _read(wire_in)) is not None:
        _serve(place, request, wire_out)


def _place(confinement: str, root: str) -> Place:
    if confinement == "none":
        bare = Kernel()
        bare.control(kernel.SUBREAPER, 1)
        bare.control(kernel.DIE_WITH_PARENT, signal.SIGKILL)
        return Place(kernel=None, scratch=root, readable=[])
    own = Kernel()
    if own.landlock < 1:
        raise Refused("Landlock is not there or not enabled")
    kernel.isolate(own, root, SCRATCH_BYTES)
    _first_of_its_own(own)
    return Place(kernel=own, scratch=kernel.SCRATCH, readable=kernel.readable_paths())


def _first_of_its_own(own: Kernel) -> None:
    """Goes on as the first process of a namespace: with its end, every program ends."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 255)
    own.control(kernel.DIE_WITH_PARENT, signal.SIGKILL)


def _serve(place: Place, request: dict[str, Any], wire: int) -> None:
    limits = Limits(**request["limits"])
    results, printed, erred, told = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    given = os.memfd_create("stdin")
    os.write(given, request["stdin"].encode())
    os.lseek(given, 0, os.SEEK_SET)
    began = time.monotonic()
    starter = os.fork()
    if starter == 0:
        _start(place, request, limits, (given, printed[1], erred[1], results[1], told[1]))
    for end in (results[1], printed[1], erred[1], told[1], given):
        os.close(end)
    most = {results[0]: limits.result_bytes}
    most |= {printed[0]: limits.output_bytes, erred[0]: limits.output_bytes}
    ends = Ends(most=most)
    first = os.read(told[0], 64)
    os.waitpid(starter, 0)
    form: dict[str, Any] = {"problem": first[1:].decode() if first[:1] == b"!" else ""}
    if first and not form["problem"]:
        form |= _attend(int(first), ends, began + limits.seconds)
    form["problem"] = form["problem"] or os.read(told[0], 512).decode()[1:]
    for end in (results[0], printed[0], erred[0], told[0]):
        os.close(end)
    _clean(place.scratch)
    sent, said, _ = (bytes(ends.taken.get(pipe, b""))[:bound] for pipe, bound in ends.most.items())
    form |= {"seconds": time.monotonic() - began, "sent": len(sent), "said": len(said)}
    _write(wire, form, sent + said)


def _attend(program: int, ends: Ends, deadline: float) -> dict[str, Any]:
    """Reads what a program writes until it ends, says too much, or its time is up."""
    ended = os.pidfd_open(program)
    open_pipes = set(ends.most)
    late = False
    while not ends.over:
        left = deadline - time.monotonic()
        ready, _, _ = select.select([ended, *open_pipes], [], [], max(0.0, left))
        late = not ready
        if late:
            break
        open_pipes -= {pipe for pipe in ready if pipe != ended and not ends.read(pipe)}
        if ended in ready and not (open_pipes & set(ready)):
            break
    for kill in (os.killpg, os.kill):
        try:
            kill(program, signal.SIGKILL)
        except ProcessLookupError:
            continue
    _, status, used = os.wait4(program, 0)
    os.close(ended)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "late": late,
        "over": ends.over,
        "peak_bytes": used.ru_maxrss * 1024,
        "processor": used.ru_utime + used.ru_stime,
    }


def _start(
    place: Place, request: dict[str, Any], limits: Limits, ends: tuple[int, int, int, int, int]
) -> None:
    """In a process between: makes the program's own namespaces, starts it, names it, leaves."""
    told = ends[4]
    try:
        if place.kernel is not None:
            place.kernel.unshare(kernel.NEW_PIDS, "a process namespace")
        program = os.fork()
    except (Refused, OSError) as error:
        os.write(told, f"!{error}".encode())
        os._exit(0)
    if program:
        os.write(told, str(program).encode())
        os._exit(0)
    _become(place, request, limits, ends)


def _become(
    place: Place, request: dict[str, Any], limits: Limits, ends: tuple[int, int, int, int, int]
) -> None:
    """Turns this process into the program; nothing of the starter's stays open."""
    given, printed, erred, results, told = ends
    try:
        os.setsid()
        os.dup2(given, 0)
        os.dup2(printed, 1)
        os.dup2(erred, 2)
        high = [os.dup2(end, 60 + place_of) for place_of, end in enumerate((results, told))]
        os.closerange(3, 60)
        os.closerange(62, 4096)
        os.dup2(high[0], 3)
        os.dup2(high[1], 4, inheritable=False)
        os.closerange(60, 62)
        os.chdir(place.scratch)
        kernel.limit(limits, threads=None if place.kernel is None else OWN + limits.threads)
        if place.kernel is not None:
            kernel.confine(place.kernel, place.readable)
    except BaseException as error:  # noqa: BLE001 - told to the starter, whatever it is
        os.write(told, f"!{error}".encode())
        os._exit(0)
    os.close(4)
    enter: dict[str, Callable[[], None]] = {
        "answer": lambda: inside.answer(request, 3),
        "script": lambda: inside.script(request),
    }
    enter[request["kind"]]()


def _clean(scratch: str) -> None:
    """Empties the folder a program could write to; the program is no more.

    Folders within folders are lifted to the top one by one: however deep they lie, no path
    grows too long and no call goes deep.
    """
    os.chmod(scratch, 0o700)
    top = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY)
    mark, number = os.urandom(8).hex(), itertools.count()
    while entries := os.listdir(top):
        for name in entries:
            if _is_folder(name, top):
                _lift(name, top, (f"{mark}.{one}" for one in number))
            else:
                os.unlink(name, dir_fd=top)
    os.close(top)


def _lift(name: str, top: int, fresh: Iterator[str]) -> None:
    """Removes a folder once the folders within it lie beside it."""
    os.chmod(name, 0o700, dir_fd=top)  # its rights may have been taken away
    held = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    for inner in os.listdir(held):
        if _is_folder(inner, held):
            os.chmod(inner, 0o700, dir_fd=held)
            os.rename(inner, next(fresh), src_dir_fd=held, dst_dir_fd=top)
        else:
            os.unlink(inner, dir_fd=held)
    os.close(held)
    os.rmdir(name, dir_fd=top)


def _is_folder(name: str, within: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=within, follow_symlinks=False).st_mode)


def _read(wire: int) -> dict[str, Any] | None:
    head = _exactly(wire, 4)
    if head is None:
        return None
    body = _exactly(wire, struct.unpack(">I", head)[0])
    return None if body is None else dict(json.loads(body))


def _exactly(wire: int, size: int) -> bytes | None:
    taken = bytearray()
    while len(taken) < size:
        piece = os.read(wire, size - len(taken))
        if not piece:
            return None
        taken += piece
    return bytes(taken)


def _write(wire: int, form: dict[str, Any], after: bytes = b"") -> None:
    body = json.dumps(form).encode()
    left = struct.pack(">I", len(body)) + body + after
    while left:
        left = left[os.write(wire, left) :]
