from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.confined import needs_confinement
from tutelage.core.errors import MissingCapability
from tutelage.sandbox import box as boxes
from tutelage.sandbox.box import Box, Program
from tutelage.sandbox.cases import Unclear, defined, leaned_on, read_tests
from tutelage.sandbox.limits import Limits
from tutelage.sandbox.trial import Dialogue, Trial
from tutelage.sandbox.values import Opaque, Raised, Unreadable, decode, encode, plain

pytestmark = needs_confinement

MBPP = [
    json.loads(line)
    for line in (Path(__file__).parent / "data" / "mbpp.jsonl").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def trial() -> Iterator[Trial]:
    with Trial(Limits(seconds=10)) as opened:
        yield opened


def tried(trial: Trial, source: str, *tests: str, setup: str = "") -> list[str]:
    """Why each test fails, empty where it passes."""
    found = trial.of(source, read_tests(tests, setup, defined(source)))
    return [one.because for one in found]


@pytest.mark.parametrize("row", MBPP, ids=lambda row: str(row["task_id"]))
def test_reference_programs_pass(trial: Trial, row: dict[str, Any]) -> None:
    listed = row["test_list"] + row["challenge_test_list"]
    assert not any(tried(trial, row["code"], *listed, setup=row["test_setup_code"]))


@pytest.mark.parametrize(
    ("setup", "test"),
    [
        ("", "n = {'n': 0}\ndef bump(): n['n'] += 2\nbump()\nassert f(n['n']) == [2, 3]"),
        ("n = [0]\ndef bump(): n[0] += 2", "bump()\nassert f(n[0]) == [2, 3]"),
        ("n = [1]\ndef a(): n[0] += 1\ndef bump(): a()", "bump()\nassert f(n[0]) == [2, 3]"),
        ("n = [0]\ndef bump(l): l[0] += 2", "bump(n)\nassert f(n[0]) == [2, 3]"),
    ],
)  # fmt: skip
def test_a_function_of_the_tests_changes_what_the_program_is_given(
    trial: Trial, setup: str, test: str
) -> None:
    assert tried(trial, "def f(n): return [n, n + 1]", test, setup=setup) == [""]
    assert tried(trial, "def f(n): return [0, 1]", test, setup=setup) == ["wrong"]


def test_what_is_expected_never_enters_the_program() -> None:
    tests = read_tests(["assert f([1], g()) == {'secret': 1}", "assert not h(2) in (7, 8)"])
    assert tests.steps == (("eval", "f([1], g())"), ("eval", "h(2)"))
    first, second = (test.claims[0] for test in tests.tests)
    assert (first.literal, first.equals) == (True, {"secret": 1})
    assert (second.literal, second.holds) == (False, "not _given0 in (7, 8)")


@pytest.mark.parametrize(
    "test",
    [
        "expected = [4, 5]\nassert f(2) == expected",
        "data = [3, 1]\nexpected = sorted(data) + [7]\nassert f(data) == expected",
        "def expected(): return [4, 5]\nassert f(2) == expected()",
        "import math\nexpected = []\nexpected.append(math.pi)\nassert f(2) == expected",
    ],
)
def test_what_a_test_makes_for_itself_never_enters_the_program(trial: Trial, test: str) -> None:
    asked = frozenset({"f"})
    assert "expected" not in str(read_tests([test], asked=asked).steps)
    source = "def f(x): return expected() if callable(expected) else expected"
    assert trial.of(source, read_tests([test], asked=asked))[0].because == "raised NameError"


@pytest.mark.parametrize(
    ("source", "test"),
    [
        (
            "def f(x): return sorted(x)",
            "data = [3, 1]\nexpected = sorted(data)\nassert f(data) == expected",
        ),
        ("def f(x): x.sort()", "data = [3, 1]\nf(data)\nassert data == [1, 3]"),
        ("def f(x): x.sort()", "data = [3, 1]\nalso = data\nf(also)\nassert data == [1, 3]"),
        ("def f(x): x.sort()", "data = [3, 1]\nassert f(data) is None\nassert data == [1, 3]"),
        ("def f(x): return x.n", "class P: n = 3\np = P()\nassert f(p) == 3"),
        ("def f(x): return x + 1", "n = 1\nn += 1\nassert f(n) == 3"),
        ("def f(x): return x(2)", "k = 3\ndef g(x): return k * x\nassert f(g) == 6"),
        ("def f(x): return 2 * x", "def right(x): return x == 4\nassert right(f(2))"),
        (
            "import random\ndef f(): return random.random()",
            "import random\nrandom.seed(1)\nassert round(f(), 4) == 0.1344",
        ),
        (
            "def f(x): return 2 * x",
            "total = 0\nfor i in range(3): total += i\nassert f(total) == 6",
        ),
    ],
)
def test_a_test_may_make_things_for_itself_and_for_the_program(
    trial: Trial, source: str, test: str
) -> None:
    assert tried(trial, source, test) == [""]


@pytest.mark.parametrize("source", ["x = " + "-" * 20_000 + "1", "x = " + "not " * 6_000 + "1"])
def test_a_program_too_deep_to_be_read_defines_nothing(source: str) -> None:
    assert defined(source) == frozenset()


def test_what_a_program_complains_of_is_not_what_it_prints(trial: Trial) -> None:
    source = "import sys\nprint('note', file=sys.stderr)\nprint(6)"
    assert trial.talk(source, [Dialogue(stdout="6")])[0].passed


def test_a_program_that_complains_without_end_is_stopped(trial: Trial) -> None:
    source = "import sys\nwhile True: print('note' * 1000, file=sys.stderr)"
    assert trial.talk(source, [Dialogue()])[0].because == "wrote too much"


def test_folders_within_folders_are_cleaned_however_deep_they_lie() -> None:
    deep = """
import os
def f():
    for number in range(1200):
        open('mine', 'w').close(); os.mkdir('a'); os.chdir('a')
    return 'made'
"""
    with Box(Limits(seconds=60)) as box:
        assert box.values(Program(source=deep, steps=[("eval", "f()")])).values == {0: "made"}
        left = box.values(Program(source="import os", steps=[("eval", "os.listdir('.')")]))
    assert left.values == {0: []}
    assert box.restarts == 0


def test_a_program_that_takes_the_starter_with_it_fails_and_the_box_goes_on() -> None:
    with Box(Limits(seconds=5)) as box:
        for _ in range(2):
            box._starter.kill()
            assert (
                box.values(Program(source="", steps=[("eval", "1")])).ending == "ended by signal 9"
            )
        assert box.values(Program(source="", steps=[("eval", "1")])).values == {0: 1}
        assert box.restarts == 2
        for _ in range(2):
            box._starter.kill()
            box.run("")
        box._starter.kill()
        with pytest.raises(MissingCapability, match="gone 3 times in a row"):
            box.run("")


@pytest.mark.parametrize(
    ("test", "because"),
    [
        ("assert f(2) == 4", ""),
        ("assert f(2) == 5", "wrong"),
        ("assert f(2) == 4.0", ""),
        ("assert f(2) != 5 and f(3) > f(2)", ""),
        ("assert f(2) > f(3)", "wrong"),
        ("assert math.isclose(f(2), 4.00001, rel_tol=0.001)", ""),
        ("assert math.isclose(f(2), 4.1, rel_tol=0.001)", "wrong"),
        ("assert [f(x) for x in (1, 2)] == [2, 4]", ""),
        ("assert (lambda x: f(x))(2) == 4", ""),
        ("assert f('a') == 'aa', 'with a message'", ""),
        ("assert f(f) == 1", "raised TypeError"),
        ("assert all(f(x) for x in (1, 2))", ""),
        ("assert sum(f(x) for x in (1, 2)) == 7", "wrong"),
        ("assert f(1)", ""),
        ("assert not f(1)", "wrong"),
        ("x = f(3)\nassert x == 6\nassert x + 1 == 7", ""),
        ("assert f(object) == 1", "raised TypeError"),
        ("assert thing() == 1", "gave a `Thing`, which is no plain value"),
        ("assert things() == [1]", "gave a value with something in it that is no plain value"),
        ("assert f([1, 2]) == (1, 2, 1, 2)", "wrong"),
        ("assert names == {'a': {1, 2}, (1, b'x'): None}", ""),
        ("assert f(1e308) == float('inf')", ""),
    ],
)
def test_a_test_means_what_python_means_by_it(trial: Trial, test: str, because: str) -> None:
    source = """
class Thing:
    def __eq__(self, other): return True
def thing(): return Thing()
def things(): return [Thing()]
def f(x): return x + x
names = {'a': {2, 1}, (1, b'x'): None}
"""
    assert tried(trial, source, test) == [because]


def test_a_name_of_pythons_own_is_the_programs_where_the_task_says_so(trial: Trial) -> None:
    assert tried(trial, "def sum(a, b): return a + b", "assert sum(2, 3) == 5") == [""]
    with pytest.raises(Unclear, match="asserts nothing of the program"):
        read_tests(["assert sum(2, 3) == 5"])


def test_a_program_cannot_put_its_own_in_the_place_of_what_the_test_brings(trial: Trial) -> None:
    source = """
import math
math.isclose = lambda *a, **k: True
class math:
    isclose = lambda *a, **k: True
def f(x): return 0
"""
    tests = read_tests(["assert math.isclose(f(2), 4.0)"], asked=frozenset({"f"}))
    assert trial.of(source, tests)[0].because == "wrong"


def test_a_setup_may_use_what_the_program_defines(trial: Trial) -> None:
    source = (
        "class Node:\n    def __init__(self, value): self.value = value\ndef of(n): return n.value"
    )
    assert tried(trial, source, "assert of(root) == 3", setup="root = Node(3)\nwanted = 3") == [""]
    assert tried(
        trial, source, "assert of(root) == wanted", setup="wanted = 3\nroot = Node(3)"
    ) == [""]


CHECKED = "want = 4\ndef check(v):\n    return v == want"


@pytest.mark.parametrize(
    ("setup", "test", "source"),
    [
        ("wanted = {2: 4}", "f(2) == wanted[2]", "def f(x): return wanted[x]"),
        ("wanted = {2: 3}\nwanted[2] += 1", "f(2) == wanted[2]", "def f(x): return wanted[x]"),
        ("of = {2: 4}.get", "f(2) == of(2)", "def f(x): return of(x)"),
        ("def want(): return 4", "f(2) == want()", "def f(x): return want()"),
        (CHECKED, "check(f(2))", "def f(x): return want"),
        (CHECKED, "check(f(2))", "def f(x): return check.__code__.co_consts[-1]"),
        (
            CHECKED,
            "check(f(2))",
            "def f(x):\n    check.__code__ = (lambda v: True).__code__\n    return 0",
        ),
        (
            CHECKED,
            "check(f(2))",
            "def f(x):\n    global check\n    check = lambda v: True\n    return 0",
        ),
    ],
)
def test_what_a_setup_makes_for_judging_is_not_beside_the_program(
    trial: Trial, setup: str, test: str, source: str
) -> None:
    tests = ("assert f(1) == 2", f"assert {test}")
    assert tried(trial, source, *tests, setup=setup)[1] != ""
    assert tried(trial, "def f(x): return 2 * x", *tests, setup=setup) == ["", ""]


TWICE = "def want(x): return 2 * x\n"


@pytest.mark.parametrize(
    ("setup", "test", "source"),
    [
        (
            "wanted = {}\ndef fill():\n    wanted[2] = 4\nfill()",
            "f(2) == wanted[2]",
            "def f(x): return fill.__code__.co_consts[-1]",
        ),
        ("wanted = {2: 4}\nother = dict(wanted)", "f(2) == wanted[2]", "def f(x): return other[x]"),
        (
            TWICE + "seen = [want(i) for i in range(4)]",
            "f(2) == want(2)",
            "def f(x): return seen[x]",
        ),
        (
            TWICE + "for i in (1, 2):\n    print(want(i))",
            "f(2) == want(2)",
            "def f(x): return want(x)",
        ),
        (TWICE + "assert want(2) == 4", "f(2) == want(2)", "def f(x): return want(x)"),
        (
            "wanted = []\nfor i in range(4):\n    wanted.append(2 * i)",
            "f(2) == wanted[2]",
            "def f(x): return wanted[x]",
        ),
    ],
)
def test_what_uses_what_is_made_for_judging_goes_with_it(
    trial: Trial, setup: str, test: str, source: str
) -> None:
    tests = ("assert f(1) == 2", f"assert {test}")
    assert tried(trial, source, *tests, setup=setup)[1] != ""
    assert tried(trial, "def f(x): return 2 * x", *tests, setup=setup) == ["", ""]
    reference = "def f(x): return 2 * sum([1 for _ in range(x)])"  # leans on what the setup uses
    held = read_tests(tests, setup, frozenset({"f"}), leaned_on(reference))
    assert all(one.passed for one in trial.of(reference, held))
    assert not trial.of(source, held)[1].passed


@pytest.mark.parametrize(
    ("setup", "test"),
    [
        ("asked, wanted = [1, 2], []\nfor x in asked:\n    wanted.append(2 * x)", "wanted[1]"),
        ("asked = [1, 2]\nwanted = []\nfor x in asked:\n    wanted.append(2 * x)", "wanted[1]"),
        (
            "asked, wanted = [], {}\n"
            "def fill():\n    asked.extend([1, 2])\n    wanted[2] = 4\nfill()",
            "wanted[2]",
        ),
        ("wanted = {1: 2, 2: 4}\nasked = list(wanted)", "wanted[2]"),
        ("wanted = {1: 2, 2: 4}\nasked = []\nasked.extend(wanted)", "wanted[2]"),
    ],
)
def test_what_makes_both_what_is_asked_and_what_is_judged_runs(
    trial: Trial, setup: str, test: str
) -> None:
    tests = ("assert f(asked[0]) == 2", f"assert f(asked[1]) == {test}")
    assert tried(trial, "def f(x): return 2 * x", *tests, setup=setup) == ["", ""]
    assert tried(trial, "def f(x): return 5", *tests, setup=setup)[1] != ""


@pytest.mark.parametrize(
    ("setup", "test", "source"),
    [
        ("data = [3, 1]", "f(data) == [1, 3]", "def f(x): return sorted(x)"),
        ("data = [3, 1]\ndata.append(2)", "f(data) == 3", "def f(x): return len(x)"),
        ("data = [3, 1]", "f(data) == sorted(data)", "def f(x): return sorted(x)"),
        ("import math", "f(4) == 2", "def f(x): return math.isqrt(x)"),
        ("TABLE = {4: 2}", "f(4) == 2", "def f(x): return TABLE[x]"),
        (
            "class Pair:\n    def __init__(self, a): self.a = a",
            "f(Pair(2)) == 2",
            "def f(p): return p.a",
        ),
    ],
)
def test_what_the_program_is_asked_with_or_may_use_is_beside_it(
    trial: Trial, setup: str, test: str, source: str
) -> None:
    assert tried(trial, source, f"assert {test}", setup=setup) == [""]


def test_what_the_reference_uses_of_the_setup_is_beside_every_program(trial: Trial) -> None:
    source, setup = "def f(x): return twice(x)", "def twice(x): return 2 * x"
    asked, leaned = defined(source), leaned_on(source)
    assert leaned == {"twice"}
    tests = read_tests(["assert f(2) == twice(2)"], setup, asked, leaned)
    assert trial.of(source, tests)[0].passed


@pytest.mark.parametrize("test", ["assert", "f(2) == 4", "pass", "assert 1 == 1"])
def test_a_test_that_asks_nothing_is_refused(test: str) -> None:
    with pytest.raises(Unclear):
        read_tests([test])


@pytest.mark.parametrize(
    "test",
    [
        "assert all(f(x) == 2 * x for x in (1, 2))",
        "assert all([math.isclose(f(x), 2.0) for x in (1, 2)])",
        "assert (lambda x: f(x) == 2)(1)",
    ],
)
def test_a_test_whose_judgement_would_run_beside_the_program_is_refused(test: str) -> None:
    with pytest.raises(Unclear, match="write an assertion for each"):
        read_tests([test])


def test_whole_programs_are_told_by_what_they_print(trial: Trial) -> None:
    source = "import sys\nprint(int(input()) + int(sys.argv[1]))\nsys.exit(int(sys.argv[1]) - 1)"
    asked = [
        Dialogue(argv=("1",), stdin="2\n", stdout="3\n"),
        Dialogue(argv=("1",), stdin="2\n", stdout="4"),
        Dialogue(argv=("3",), stdin="2", stdout="5", code=2),
        Dialogue(argv=("3",), stdin="2", stdout="5"),
        Dialogue(argv=("1",), stdin="x", stdout=""),
    ]
    assert [one.because for one in trial.talk(source, asked)] == [
        *("", "printed something else", "", "exited with 2", "exited with 1")
    ]


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, 1, -(10**40), 0.1, float("inf"), 2j, "ä\n\udc80", b"\x00", [1, [2]]),
        *((1, (2,)), {1, "a"}, {(1, 2): {"b": [None]}}, "", {}, set(), ()),
    ],
)
def test_plain_values_come_back_as_they_went(value: object) -> None:
    back = decode(encode(value))
    assert back == value
    assert type(back) is type(value)
    assert plain(back)


def test_types_are_told_apart_and_others_have_no_value() -> None:
    class Number(int):
        pass

    assert len({encode(one) for one in (1, 1.0, True, "1", b"1", [1], (1,))}) == 7
    assert decode(encode(Number(3))) == Opaque("Number")
    assert not plain(decode(encode([{1: Number(3)}])))
    assert encode({3, 1, 2}) == encode({2, 3, 1})


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", '{"q": 1}', "[1]", "1", '{"i": "x"}', '{"i": 1}', '{"s": [{"l": []}]}'),
        *('{"t": 3}', '{"d": [[1]]}', "{}", '{"i": "0x1", "f": "0x1"}', "[" * 100_000),
        '{"s": ['
        + ",".join('{"i": "%x"}' % (number * (2**61 - 1)) for number in range(10_001))
        + "]}",
    ],
    ids=lambda text: text[:20],
)
def test_what_no_encoder_of_ours_writes_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        decode(text)


def test_a_program_that_ends_early_leaves_the_values_it_came_to() -> None:
    with Box(Limits(seconds=1)) as box:
        done = box.values(
            Program(source="", steps=[("eval", "1"), ("eval", "1/0"), ("exec", "while 1: pass")])
        )
    assert done.values == {0: 1, 1: Raised("ZeroDivisionError")}
    assert done.late
    assert done.seconds < 5


def test_where_the_kernel_cannot_confine_the_box_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = boxes.ENTRY.replace(
        "main(", "import tutelage.sandbox.kernel as k; k.CREATE_RULESET = 9999; main(", 1
    )
    monkeypatch.setattr(boxes, "ENTRY", broken)
    with pytest.raises(MissingCapability, match="cannot confine programs: Landlock is not there"):
        Box()
    with Box(confinement="none") as box:
        assert box.values(Program(source="", steps=[("eval", "2")])).values == {0: 2}
