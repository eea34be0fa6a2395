from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.confined import needs_confinement
from tests.sandbox.hostile import CHEATS, ESCAPES
from tutelage.sandbox.box import Box, Program
from tutelage.sandbox.cases import read_tests
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


def test_what_the_hostile_programs_do_works_where_nothing_stops_it() -> None:
    works = (
        "reads the accounts",
        "opens UDP",
        "starts a shell",
        "forks",
        "looks at other processes",
    )
    with Box(Limits(seconds=20), "none") as free:
        for name in works:
            program = Program(source=ESCAPES[name], steps=[("eval", "f()")])
            assert free.values(program).values[0] == "out", name
