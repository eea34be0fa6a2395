from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.confined import needs_confinement
from tests.sandbox.controls import CONTROLS, Control, control_of
from tests.sandbox.hostile import CHEATS, ESCAPES
from tutelage.sandbox import kernel
from tutelage.sandbox.box import Box, Program
from tutelage.sandbox.cases import read_tests
from tutelage.sandbox.kernel import Kernel
from tutelage.sandbox.limits import Limits
from tutelage.sandbox.trial import Trial

pytestmark = needs_confinement

LIMITS = Limits(seconds=2.0, memory_bytes=256 << 20, file_bytes=2 << 20)
RIGHT = "def f(x): return 2 * x"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with Box(LIMITS) as opened:
        yield opened


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    with Trial(LIMITS) as opened:
        yield opened


@pytest.mark.parametrize("name", ESCAPES)
def test_no_program_gets_out(box: Box, name: str) -> None:
    program = Program(source=ESCAPES[name], steps=[("eval", "f()")])
    for _ in range(2 if "next" in name else 1):
        assert box.values(program).values.get(0) != "out"
    after = box.values(Program(source="import os", steps=[("eval", "os.listdir('.')")]))
    assert after.values == {0: []}  # nothing is left, and the box goes on


@pytest.mark.parametrize("name", CHEATS)
def test_no_program_passes_but_by_being_right(trial: Trial, name: str) -> None:
    tests = read_tests(["assert f(2) == 4"], asked=frozenset({"f"}))
    (tried,) = trial.of(CHEATS[name], tests)
    assert not tried.passed
    assert tried.because
    assert trial.of(RIGHT, tests)[0].passed


PLAIN = 12345  # a user nobody is
CHANGES = {
    "mode": lambda path: os.chmod(path, 0),
    "times": lambda path: os.utime(path, (0, 0)),
    "attribute": lambda path: os.setxattr(path, "user.x", b"y"),
    "length": lambda path: os.truncate(path, 0),
    "name": lambda path: os.rename(path, path + "x"),
}


def _as_owner(library: str, root: str, calls: bool) -> dict[str, int]:
    """In a process of a plain user who owns the library: the errors of changing it."""
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresuid(PLAIN, PLAIN, PLAIN)
    own = Kernel()
    own.control(kernel.DUMPABLE, 1)
    kernel.LIBRARIES = (*kernel.LIBRARIES, library)
    kernel.isolate(own, root, 1 << 20)
    if calls:
        own.drop_capabilities()
        own.control(kernel.NO_NEW_PRIVILEGES, 1)
        own.refuse_calls()
    found = {}
    for name, change in CHANGES.items():
        try:
            change(f"{library}/mod.py")
        except OSError as error:
            found[name] = error.errno or 0
    return found


def told_by_owner(folder: str, calls: bool) -> dict[str, int]:
    library, root = Path(folder) / "lib", Path(folder) / "root"
    for path in (library, root):
        path.mkdir()
    (library / "mod.py").write_text("as it was")
    for path in (Path(folder), library, root, library / "mod.py"):
        os.chmod(path, 0o755)
        if os.geteuid() == 0:
            os.chown(path, PLAIN, PLAIN)
    before = (library / "mod.py").stat()
    reads, writes = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writes, json.dumps(_as_owner(str(library), str(root), calls)).encode())
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb") as stream:
        told: dict[str, int] = json.loads(stream.read())
    os.waitpid(child, 0)
    after = (library / "mod.py").stat()
    assert (after.st_mode, after.st_mtime, after.st_size) == (
        *(before.st_mode, before.st_mtime, before.st_size),
    )
    return told


def test_who_owns_a_library_cannot_change_it_from_within() -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = told_by_owner(folder, calls=False)
    assert told == dict.fromkeys(CHANGES, errno.EROFS)  # the mount alone keeps it as it is


def test_calls_that_change_what_files_are_said_to_be_are_refused() -> None:
    with tempfile.TemporaryDirectory() as folder:
        told = told_by_owner(folder, calls=True)
    refused = {"mode", "times", "attribute"}
    assert told == {n: errno.EPERM if n in refused else errno.EROFS for n in CHANGES}


@pytest.mark.parametrize("name", ESCAPES)
def test_what_a_hostile_program_does_works_where_nothing_stops_it(name: str) -> None:
    said = control_of(name)
    if said != "out" and (needs := CONTROLS.get(name, Control()).needs):
        pytest.skip(f"this machine has not {needs}: {said}")
    assert said == "out"


def test_every_control_is_of_an_escape() -> None:
    assert CONTROLS.keys() <= ESCAPES.keys()
