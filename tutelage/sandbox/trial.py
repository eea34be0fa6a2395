"""A program held against its tests: run in one box, judged outside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from tutelage.sandbox.box import Box, Finished, Program
from tutelage.sandbox.cases import GIVEN, Claim, Tests
from tutelage.sandbox.limits import Confinement, Limits
from tutelage.sandbox.values import Opaque, Raised, encode, plain

IMPORTS = ("math", "sys", "re", "collections", "itertools", "datetime", "cmath", "string")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Whether a test passed, and why not."""

    passed: bool
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialogue:
    """A test of a whole program: what it is given, and what it must print and end with."""

    argv: tuple[str, ...] = ()
    stdin: str = ""
    stdout: str = ""
    code: int = 0


class Trial:
    """Two boxes: one runs programs, the other what is expected of them.

    Values are compared here. What is more than a comparison with a literal, such as
    `math.isclose(f(2), 0.5)`, is worked out in the second box, which no program enters.
    """

    def __init__(self, limits: Limits | None = None, confinement: Confinement = "kernel") -> None:
        self._limits, self._confinement = limits, confinement
        self._programs = Box(limits, confinement)
        self._checks: Box | None = None

    def of(self, source: str, tests: Tests) -> list[Tried]:
        """Whether each test passes."""
        program = Program(source=source, setup=tests.within, steps=tests.steps)
        done = self._programs.values(program)
        return [self._tried(test.claims, tests.setup, done) for test in tests.tests]

    def talk(self, source: str, dialogues: Sequence[Dialogue]) -> list[Tried]:
        """Whether a program that reads and prints says what it should, trailing blanks aside."""
        return [self._said(source, one) for one in dialogues]

    def close(self) -> None:
        """Ends both boxes."""
        self._programs.close()
        if self._checks is not None:
            self._checks.close()

    def __enter__(self) -> Trial:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _said(self, source: str, asked: Dialogue) -> Tried:
        done = self._programs.run(source, asked.argv, asked.stdin)
        if done.late or done.over or done.code != asked.code:
            return Tried(passed=False, because=done.ending)
        if _lines(done.printed) != _lines(asked.stdout):
            return Tried(passed=False, because="printed something else")
        return Tried(passed=True)

    def _tried(self, claims: Sequence[Claim], setup: Sequence[str], done: Finished) -> Tried:
        for claim in claims:
            values = [done.values.get(number, done) for number in claim.asks]
            problem = next((told for told in map(_missing, values) if told), "")
            problem = problem or ("" if self._holds(claim, values, setup) else "wrong")
            if problem:
                return Tried(passed=False, because=problem)
        return Tried(passed=True)

    def _holds(self, claim: Claim, values: Sequence[object], setup: Sequence[str]) -> bool:
        if claim.literal:
            return bool(values[0] == claim.equals)
        if claim.holds == f"{GIVEN}0":
            return bool(values[0])
        if self._checks is None:
            self._checks = Box(self._limits, self._confinement)
        given: Mapping[str, str] = {
            f"{GIVEN}{number}": encode(value) for number, value in enumerate(values)
        }
        judged = "\n".join((*claim.before, claim.holds))
        imports = [f"import {name}" for name in IMPORTS if name in judged]
        program = Program(
            source="",
            setup=(*imports, *setup, *claim.before),
            steps=(("eval", f"bool({claim.holds})"),),
            given=given,
            lenient=True,
        )
        return self._checks.values(program).values.get(0) is True


def _missing(value: object) -> str:
    """Why there is nothing to compare, empty where there is."""
    if isinstance(value, Finished):
        return value.ending
    if isinstance(value, Raised):
        return f"raised {value.kind}"
    if isinstance(value, Opaque):
        return f"gave a `{value.kind}`, which is no plain value"
    return "" if plain(value) else "gave a value with something in it that is no plain value"


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]
