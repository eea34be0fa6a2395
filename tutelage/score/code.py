"""`code`: the answer is a program, run in a sandbox on the tests of its task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import msgspec

from tutelage.core.recipe import Code as Keys
from tutelage.core.sample import Sample
from tutelage.sandbox.cases import Tests, Unclear, defined, leaned_on, read_tests
from tutelage.sandbox.limits import Limits
from tutelage.sandbox.trial import Dialogue, Trial, Tried
from tutelage.score.measure import Measure
from tutelage.score.outcomes import Outcome, UnitTests, pass_measures, pass_scores
from tutelage.score.program import program_of
from tutelage.score.task import Scores, Task

AT = (1, 5, 10, 100)  # the k of pass@k, as far as there are answers
OPEN = ", run without a sandbox"
FORM = (
    "a column `test_list` of assertions or of objects with `stdin`, `argv`, `stdout` and `code`; "
    "`test_setup_code` and `entry_point` may stand beside it"
)


class Spoken(msgspec.Struct, forbid_unknown_fields=True):
    """A test of a program that reads and prints, as a row writes it."""

    stdout: str
    stdin: str = ""
    argv: list[str] = []
    code: int = 0


class Sandboxed:
    """Runs answers in a sandbox, which is opened when it is first needed."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._trial: Trial | None = None

    def problem(self, task: Task) -> str:
        """Why the task has no tests to run, empty where it has.

        Raises: MissingCapability where this machine cannot confine programs.
        """
        self._open()
        try:
            _tests(task)
        except Unclear as error:
            return str(error)
        return ""

    def run(self, task: Task, answer: str) -> Outcome:
        """How many of the task's tests the program in the answer passes."""
        tried = self.tried(task, answer)
        return Outcome(passed=sum(one.passed for one in tried), total=len(tried))

    def tried(self, task: Task, answer: str) -> list[Tried]:
        """Whether each test passes, and why not."""
        tests = _tests(task)
        source = program_of(answer, _asked(task))
        if isinstance(tests, Tests):
            return self._open().of(source, tests)
        return self._open().talk(source, tests)

    def _open(self) -> Trial:
        if self._trial is None:
            limits = Limits(
                seconds=self._keys.seconds, memory_bytes=self._keys.memory_mb * 1_000_000
            )
            self._trial = Trial(limits, self._keys.sandbox)
        return self._trial


class Code(UnitTests):
    """Whether programs pass their task's tests, and pass@k where a task has several answers."""

    name = "code"

    def __init__(self, keys: Keys, samples: int) -> None:
        super().__init__(Sandboxed(keys))
        self._at = tuple(k for k in (*AT, samples) if k <= samples) if samples > 1 else ()
        measures = (*UnitTests.measures, *pass_measures(sorted(set(self._at))))
        if keys.sandbox == "none":
            measures = tuple(dataclasses.replace(one, says=one.says + OPEN) for one in measures)
        self.measures = measures

    @property
    def by_rows(self) -> tuple[Measure, ...]:
        """Those of its metrics that `of_rows` alone gives scores for."""
        alone = {one.metric for one in UnitTests.measures}
        return tuple(one for one in self.measures if one.metric not in alone)

    def of_rows(self, tasks: Sequence[Task], samples: Sequence[Sample]) -> list[Scores]:
        """Pass@k of each sample's row: the answers of a row share it."""
        if not self._at:
            return [{} for _ in samples]
        passed: dict[str, list[bool]] = {}
        for task, sample in zip(tasks, samples, strict=True):
            passed.setdefault(task.example.id, []).append(sample.scores["tests_pass"] == 1.0)
        scores: Mapping[str, Scores] = pass_scores(passed, self._at)
        return [scores[task.example.id] for task in tasks]


def _tests(task: Task) -> Tests | list[Dialogue]:
    """The tests of a task's row.

    Raises: Unclear for a row without tests, or with some that cannot be read.
    """
    tags = task.example.tags
    try:
        listed = msgspec.json.decode(tags.get("test_list", ""), type=list[str] | None, strict=True)
        listed = listed or []
    except msgspec.MsgspecError:
        return _dialogues(tags.get("test_list", ""))
    if not listed:
        raise Unclear(f"the row has no tests; expected {FORM}")
    leaned = leaned_on(program_of(task.expected))
    return read_tests(listed, tags.get("test_setup_code", ""), _asked(task), leaned)


def _dialogues(text: str) -> list[Dialogue]:
    try:
        found = msgspec.json.decode(text, type=list[Spoken])
    except msgspec.MsgspecError as error:
        raise Unclear(f"the row's tests cannot be read: {error}; expected {FORM}") from error
    return [
        Dialogue(argv=tuple(one.argv), stdin=one.stdin, stdout=one.stdout, code=one.code)
        for one in found
    ]


def _asked(task: Task) -> frozenset[str]:
    """What the program is to define: as the row says, else as its own answer does."""
    named = task.example.tags.get("entry_point", "")
    return frozenset({named}) if named else defined(program_of(task.expected))
