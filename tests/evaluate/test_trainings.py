"""A recipe trained several times: the others are asked what the first was asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.evaluate.fakes import (
    RECIPE,
    FakeBench,
    adapter,
    dataset,
    never,
    oracle,
    project,
)
from tests.evaluate.test_rate import fill, lines
from tutelage.core.artifact import Provenance
from tutelage.core.errors import RecipeError, UsageError
from tutelage.core.metric import Metric
from tutelage.core.recipe import loads
from tutelage.engine.protocol import Prompt
from tutelage.evaluate import stage
from tutelage.evaluate.rate import export, take
from tutelage.evaluate.sheet import Wanted
from tutelage.evaluate.trainings import Opens
from tutelage.gate.run import PAGE
from tutelage.gate.run import run as gate
from tutelage.score.repeated import TRAININGS
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.run import Run
from tutelage.store.tables import SAMPLES, read_samples

COUNT = 20
RULE = "calls.exact_match@trainings >= zero_shot + 0.20"
SEEDS = ("train.seeds=3", f'gate=["{RULE}"]')


def but(wrong: int) -> Callable[[Prompt], str]:
    """Right but for the first so many requests it hears."""
    right, asked = oracle(COUNT), list[str]()

    def answer(prompt: Prompt) -> str:
        words = prompt.messages[-1].content
        if words not in asked:
            asked.append(words)
        return "no" if asked.index(words) < wrong else right(prompt)

    return answer


def opens(bench: FakeBench, closed: list[str]) -> Opens:
    @contextmanager
    def opened() -> Iterator[FakeBench]:
        yield bench
        closed.append(bench.adapter)

    return opened


def reported(run: Run, wrong: tuple[int, ...]) -> Artifact:
    """The report of trainings that get so many tasks wrong."""
    section = run.recipe.evaluate
    assert section is not None
    first, *others = [
        FakeBench(
            {"tuned": but(count), "few_shot": never, "zero_shot": never}, adapter=f"training-{n}"
        )
        for n, count in enumerate(wrong)
    ]
    closed: list[str] = []
    opened = [opens(one, closed) for one in others]
    made = Provenance(
        kind="report",
        inputs={"adapter": adapter(run).digest, "wrong": repr(wrong)},
        section={},
        stage_version=1,
    )
    report = run.make(
        "evaluate", made, lambda draft: stage.build(section, [], first, run, draft, opened)
    )
    assert closed == [one.adapter for one in others]
    assert [one.opened for one in others] == [["tuned"]] * len(others)
    return report


def over(made: Artifact, *, one_sided: bool, baseline: str | None = None) -> Metric:
    (found,) = [
        one
        for one in read_metrics(made.file(METRICS))
        if (one.metric, one.slice, one.baseline) == ("exact_match", TRAININGS, baseline)
        and one.one_sided == one_sided
    ]
    return found


def test_the_trainings_are_told_together_and_apart(tmp_path: Path) -> None:
    with project(tmp_path, overrides=SEEDS) as run:
        made = reported(run, (0, 4, 8))
    told = read_json(made.file("summary.json"))["trainings"]
    assert told["count"] == 3
    line = next(one for one in told["suites"]["calls"] if one["metric"] == "exact_match")
    assert line["values"] == pytest.approx([1.0, 0.8, 0.6])
    assert sum(line["parts"].values()) == pytest.approx(1.0)
    assert line["parts"]["trainings"] > 0.3
    found = over(made, one_sided=True)
    assert (found.value, found.n) == (pytest.approx(0.8), COUNT)
    assert found.method == "crossed t, 3 trainings one-sided"
    apart = over(made, one_sided=False, baseline="zero_shot")
    assert apart.difference == pytest.approx(0.8)
    assert apart.low < 0.6
    samples = read_samples(made.file(SAMPLES))
    assert {one.system for one in samples} == {
        "zero_shot",
        "few_shot",
        "tuned",
        "tuned-2",
        "tuned-3",
    }


def test_people_rate_the_systems_of_the_report_and_no_other_training(tmp_path: Path) -> None:
    with project(tmp_path, overrides=SEEDS) as run:
        made = reported(run, (1, 4, 6))
        marks = Wanted(suite="calls", criteria=("formatting",))
        ((path, sheet),) = export(run.store, made, marks, tmp_path / "marks.csv")
        shown = {one for hidden in sheet.key.lines.values() for one in hidden.systems}
        assert shown == {"tuned", "few_shot", "zero_shot"}
        with pytest.raises(UsageError, match="`tuned-2` did not answer"):
            wanted = Wanted(suite="calls", against="tuned-2")
            export(run.store, made, wanted, tmp_path / "pairs.csv")
        fill(path, [{**row, "formatting": "4"} for row in lines(path)])
        take(run.store, made, [path])
        inputs = {"report": made, "dataset": dataset(run), "adapter": adapter(run)}
        gate(run.recipe.gate, inputs, run)


def test_one_training_says_nothing_of_seeds(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = reported(run, (0,))
    assert read_json(made.file("summary.json"))["trainings"] is None
    assert not [one for one in read_metrics(made.file(METRICS)) if one.slice == TRAININGS]


@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [((0, 0, 0), "pass"), ((0, 10, 19), "inconclusive"), ((20, 20, 20), "fail")],
)
def test_a_rule_over_trainings_opens_where_the_recipe_is_good(
    tmp_path: Path, wrong: tuple[int, ...], outcome: str
) -> None:
    with project(tmp_path, overrides=SEEDS) as run:
        report = reported(run, wrong)
        inputs = {"dataset": dataset(run), "adapter": adapter(run), "report": report}
        verdict = gate((RULE,), inputs, run)
    form = read_json(verdict.file("verdict.json"))
    assert form["outcome"] == outcome
    if outcome == "inconclusive":
        assert form["rules"][0]["advice"].startswith("more trainings (`train.seeds`)")
    page = re.sub(r"\s+", " ", verdict.file(PAGE).read_text(encoding="utf-8"))
    assert "3 trainings, other seeds" in page
    assert "tuned-2" not in page


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ((f'gate=["{RULE}"]',), "set `train.seeds`"),
        (("train.seeds=2", 'gate=["calls.exact_match@trainings >= previous"]'), "not compared"),
        (("train.seeds=2", 'gate=["calls.slot_f1@trainings >= 0.5"]'), ""),
    ],
)
def test_a_rule_over_trainings_there_are_not_is_refused(
    overrides: tuple[str, ...], problem: str
) -> None:
    asked = loads(RECIPE, overrides=overrides)
    if not problem:
        check_recipe(asked)
        return
    with pytest.raises(RecipeError) as caught:
        check_recipe(asked)
    assert problem in caught.value.rows[0].problem
