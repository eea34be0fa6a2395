from __future__ import annotations

import json

import pytest

from tests.confined import needs_confinement
from tests.score.fakes import row, task
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Code as Keys
from tutelage.core.recipe import loads
from tutelage.core.sample import Sample
from tutelage.score.code import Code
from tutelage.score.program import program_of
from tutelage.score.roster import of_rows, open_scorers
from tutelage.score.task import Task, tasks_of

pytestmark = needs_confinement

RIGHT = "def double(x):\n    return 2 * x"
TESTS = json.dumps(["assert double(2) == 4", "assert double('a') == 'aa'"])
SUITE = "{name: programs, path: t.jsonl, scorers: [code]%s}"


def recipe(more: str = "", temperature: float = 0) -> str:
    return f"""
name: x
contract: {{decoding: {{temperature: {temperature}}}}}
train: {{base: b}}
evaluate: {{suites: [{SUITE % more}]}}
"""


def scorer(more: str = "", temperature: float = 0) -> Code:
    section = loads(recipe(more, temperature)).evaluate
    assert section is not None
    (found,) = open_scorers(section.suites[0], None)
    assert isinstance(found, Code)
    return found


def programs(**tags: str) -> Task:
    return task("double it", RIGHT, **{"test_list": TESTS, **tags})


@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        (RIGHT, 2),
        (f"Sure:\n```python\n{RIGHT}\n```\nas you see", 2),
        (f"```\n{RIGHT}\n```", 2),
        ("def double(x):\n    return 4", 1),
        ("I cannot help with that.", 0),
        ("import os; os._exit(0)", 0),
    ],
)
def test_answers_are_run_on_their_tasks_tests(answer: str, passed: int) -> None:
    scores = scorer().score(programs(), answer)
    assert scores == {
        "tests_pass": float(passed == 2),
        "tests_passed": float(passed),
        "tests_run": 2.0,
    }


def test_a_program_may_read_and_print() -> None:
    asked = [{"stdin": "3", "stdout": "6"}, {"stdin": "4", "stdout": "8"}]
    one = programs(test_list=json.dumps(asked))
    assert scorer().problem(one) == ""
    assert scorer().score(one, "print(2 * int(input()))")["tests_pass"] == 1
    assert scorer().score(one, "print(6)")["tests_passed"] == 1


@pytest.mark.parametrize(
    ("tests", "problem"),
    [
        ("", "cannot be read"),
        ("[]", "the row has no tests"),
        ('["assert"]', "is no Python"),
        ('["assert 1 == 1"]', "asserts nothing of the program"),
        ('[{"stdn": "x"}]', "cannot be read"),
        ("[3]", "cannot be read"),
    ],
)
def test_rows_without_tests_are_named(tests: str, problem: str) -> None:
    assert problem in scorer().problem(programs(test_list=tests))


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("x = 1", "x = 1"),
        ("```py\nx = 1\n```", "x = 1\n"),
        ("```bash\nls\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```python\nprint(f(1))\n```\n```python\ndef f(x): ...\n```", "def f(x): ...\n"),
        ("see\n```python\nx = 1\ny = 2", "x = 1\ny = 2"),
        ("~~~\nx = '```'\n~~~", "x = '```'\n"),
    ],
)
def test_the_program_is_taken_out_of_its_fences(answer: str, found: str) -> None:
    assert program_of(answer, frozenset({"f"})) == found


def test_several_answers_to_a_row_share_its_pass_at_k() -> None:
    several = scorer(", samples: 5", temperature=0.8)
    names = [measure.metric for measure in several.measures]
    assert names == ["tests_pass", "test_rate", "pass_at_1", "pass_at_5"]
    one, two = row("one", RIGHT, test_list=TESTS), row("two", RIGHT, test_list=TESTS)
    tasks = tasks_of("programs", [one] * 5 + [two] * 5)
    assert len({one.id for one in tasks}) == 10
    assert len({one.cluster for one in tasks}) == 2
    passed = [1.0, 0.0, 0.0, 0.0, 0.0] + [0.0] * 5
    samples = [
        Sample(
            task=one.id,
            cluster=one.cluster,
            system="tuned",
            seed=0,
            prompt_digest="",
            answer="",
            scores={"tests_pass": right},
        )
        for one, right in zip(tasks, passed, strict=True)
    ]
    shared = of_rows([several], tasks, samples)
    assert shared[0] == shared[4] == {"pass_at_1": pytest.approx(0.2), "pass_at_5": 1.0}
    assert shared[5] == {"pass_at_1": 0.0, "pass_at_5": 0.0}
    assert of_rows([scorer()], tasks, samples) == [{}] * 10


def test_programs_run_without_a_sandbox_say_so_in_the_report() -> None:
    said = scorer(", code: {sandbox: none}").measures[0].says
    assert said.endswith("run without a sandbox")
    assert "sandbox" not in scorer().measures[0].says


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (", samples: 3", "all answers to a task are one answer"),
        (", code: {sandbox: docker}", "kernel"),
    ],
)
def test_recipes_that_ask_for_what_there_is_not_are_refused(more: str, problem: str) -> None:
    with pytest.raises(RecipeError) as raised:
        loads(recipe(more))
    assert problem in raised.value.rows[0].problem


def test_keys_for_programs_without_programs_are_refused() -> None:
    text = recipe(", code: {seconds: 2}").replace("[code]", "[exact]")
    with pytest.raises(RecipeError) as raised:
        loads(text)
    assert "no effect without the scorer `code`" in raised.value.rows[0].problem


def test_limits_of_the_recipe_hold() -> None:
    hungry = "x = bytearray(200_000_000)\n" + RIGHT
    passes = [
        Code(Keys(memory_mb=memory), 1).score(programs(), hungry)["tests_pass"]
        for memory in (100, 500)
    ]
    assert passes == [0.0, 1.0]
    slow = "import time\ntime.sleep(1.5)\n" + RIGHT
    assert Code(Keys(seconds=1), 1).score(programs(), slow)["tests_pass"] == 0.0
