"""People's ratings at the gate: held as a judge's, beside a report that stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.fakes import (
    RECIPE,
    FakeBench,
    Heard,
    adapter,
    dataset,
    never,
    oracle,
    project,
    report,
)
from tests.evaluate.test_rate import exported, fill, prefers_calls
from tutelage.core.errors import RecipeError, RowError, StoreError, UsageError
from tutelage.core.metric import ONE_SIDED
from tutelage.core.recipe import loads
from tutelage.evaluate.rate import take, withdraw
from tutelage.gate import run as door
from tutelage.gate.pairs import Answers
from tutelage.gate.people import People
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.rated import Rated
from tutelage.store.run import Run

COUNT = 40
RULES = (
    RECIPE
    + """
  - calls.people_win_rate_over_zero_shot >= 0.8
  - calls.people_lc_win_rate_over_zero_shot >= 0.5
  - calls.people_win_rate_over_zero_shot >= zero_shot + 0.2
  - calls.people_win_rate_over_zero_shot@intent=* >= 0.6
  - calls.people_helpfulness >= 0.5
"""
)


def bench() -> FakeBench:
    return FakeBench({"tuned": oracle(COUNT), "few_shot": never, "zero_shot": never})


def rated(run: Run, word: Callable[[dict[str, str]], str], **wanted: Any) -> Artifact:
    """The report's ratings by a rater with a rule of their own."""
    measured = report(run, bench())
    name = f"{wanted.get('against', 'zero_shot')}.csv"
    ((path, rows),) = exported(run, measured, name, **wanted)
    filled = fill(path, [{**row, "prefers": word(row)} for row in rows])
    return take(run.store, measured, [filled]).artifact


def verdict(run: Run) -> dict[str, Any]:
    assert run.recipe.gate is not None
    made = {"report": report(run, bench()), "dataset": dataset(run), "adapter": adapter(run)}
    found = door.run(run.recipe.gate, made, run)
    return {**read_json(found.file("verdict.json")), "page": found.file("report.html").read_text()}


def outcomes(form: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in form["rules"][2:]]


def test_a_rule_on_what_nobody_has_rated_is_open(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RULES, count=COUNT) as run:
        check_recipe(run.recipe)
        form = verdict(run)
    assert outcomes(form) == ["inconclusive"] * 5
    assert form["ratings"] is None
    assert "no evidence" in form["rules"][2]["because"]


def test_ratings_decide_rules_as_any_metric_does(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RULES, count=COUNT) as run:
        before = verdict(run)
        ratings = rated(run, prefers_calls)
        form = verdict(run)
    assert outcomes(form) == ["pass", "pass", "pass", "pass", "inconclusive"]
    assert form["ratings"] == form["evidence"]["ratings"] == ratings.digest
    assert form["report"] == before["report"]
    slices = {one["slice"]: one["evidence"]["n"] for one in form["rules"][5]["slices"]}
    assert slices == {"intent=Play": COUNT // 2, "intent=Rain": COUNT // 2}


def test_the_rate_at_equal_length_waits_for_every_sheet(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RULES, count=COUNT) as run:
        measured = report(run, bench())
        ((path, rows),) = exported(run, measured)
        words = [{**row, "prefers": prefers_calls(row)} for row in rows]
        words[3]["prefers"] = ""
        take(run.store, measured, [fill(path, words)])
        form = verdict(run)
        assert outcomes(form)[:2] == ["pass", "inconclusive"]
        assert form["rules"][3]["because"] == "1 line is out with people"
        assert form["rules"][3]["advice"].startswith("import the sheets that were handed out")
        words[3]["prefers"] = prefers_calls(rows[3])
        take(run.store, measured, [fill(path, words)])
        assert outcomes(verdict(run))[:2] == ["pass", "pass"]


def test_lines_come_back_by_their_sheet_whoever_rated_them(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RULES, count=COUNT) as run:
        measured = report(run, bench())
        ((path, rows),) = exported(run, measured)
        words = [{**row, "prefers": prefers_calls(row), "rater": "Ann"} for row in rows]
        take(run.store, measured, [fill(path, words)])
        assert outcomes(verdict(run))[:2] == ["pass", "pass"]


def test_a_sheet_that_is_lost_is_withdrawn_and_not_waited_for(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RULES, count=COUNT) as run:
        measured = report(run, bench())
        ((path, rows),) = exported(run, measured)
        ((lost, other),) = exported(run, measured, "lost.csv", seed=9, raters=("ben",))
        words = [{**row, "prefers": prefers_calls(row)} for row in rows]
        take(run.store, measured, [fill(path, words)])
        assert outcomes(verdict(run))[:2] == ["pass", "inconclusive"]
        with pytest.raises(UsageError, match=f"{COUNT} lines of sheet .* came back"):
            withdraw(run.store, measured, rows[0]["sheet"], "lost")
        with pytest.raises(UsageError, match="no sheet `x` of this report is out"):
            withdraw(run.store, measured, "x", "lost")
        withdraw(run.store, measured, other[0]["sheet"], "lost in the post")
        assert outcomes(verdict(run))[:2] == ["pass", "pass"]
        late = [{**row, "prefers": "A"} for row in other]
        with pytest.raises(RowError) as told:
            take(run.store, measured, [fill(lost, late)])
        assert "its sheet was withdrawn: lost in the post" in told.value.rows[0].problem


def test_a_withdrawn_sheet_stays_withdrawn_and_every_verdict_tells_why(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RULES, count=COUNT) as run:
        measured = report(run, bench())
        ((path, rows),) = exported(run, measured)
        ((lost, other),) = exported(run, measured, "lost.csv", seed=9, raters=("ben",))
        take(run.store, measured, [fill(path, [{**row, "prefers": "tie"} for row in rows])])
        waiting = verdict(run)
        for blank in ("", " "):
            with pytest.raises(UsageError, match="withdrawn for a reason"):
                withdraw(run.store, measured, other[0]["sheet"], blank)
        assert waiting == verdict(run)
        withdraw(run.store, measured, other[0]["sheet"], "a <trial>")
        form = verdict(run)
        lost.unlink()
        with pytest.raises(StoreError, match="was withdrawn: a <trial>"):
            exported(run, measured, "lost.csv", seed=9, raters=("ben",))
        assert not lost.exists()
        assert verdict(run) == form
    told = {"sheet": other[0]["sheet"], "suite": "calls", "rater": "ben", "lines": COUNT}
    assert form["withdrawn"] == [{**told, "because": "a <trial>"}]
    assert waiting["withdrawn"] == []
    assert f"sheets withdrawn: 1, with {COUNT} lines" in form["page"]
    assert "a &lt;trial&gt;" in form["page"]


def test_a_rater_who_looks_at_nothing_opens_no_gate(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RULES, count=COUNT) as run:
        rated(run, lambda row: "A")
        form = verdict(run)
    assert form["rules"][2]["outcome"] == "fail"
    assert form["rules"][2]["evidence"]["estimate"] == 0.5
    assert "pass" not in outcomes(form)


def test_ratings_judge_the_same_verdict_once(tmp_path: Path) -> None:
    heard = Heard()
    with project(tmp_path, recipe=RULES, count=COUNT, progress=heard) as run:
        rated(run, prefers_calls)
        first, second = verdict(run), verdict(run)
    assert first == second
    assert ("gate", "reused") in heard.stages


def test_marks_are_compared_with_a_baselines(tmp_path: Path) -> None:
    text = RECIPE + "  - calls.people_formatting >= few_shot + 0.3\n"
    with project(tmp_path, recipe=text, count=COUNT) as run:
        measured = report(run, bench())
        ((path, rows),) = exported(run, measured, against=None, criteria=("formatting",))
        words = [{**row, "formatting": 5 if '{"name"' in row["answer"] else 2} for row in rows]
        take(run.store, measured, [fill(path, words)])
        form = verdict(run)
    assert outcomes(form) == ["pass"]
    assert form["rules"][2]["evidence"]["estimate"] == pytest.approx(0.75)


def test_strengths_are_of_all_systems_that_were_compared_and_no_rules(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RECIPE, count=COUNT) as run:
        rated(run, prefers_calls)
        ratings = rated(run, lambda row: "tie", against="few_shot")
        measured = report(run, bench())
        answers = Answers.of(measured, ["tuned", "zero_shot", "few_shot"], None, 0)
        people = People.of(ratings)
        metrics = list(people.metrics(people.heard(answers)))
    strengths = {one.system: one for one in metrics if one.metric == "people_strength"}
    assert set(strengths) == {"tuned", "zero_shot", "few_shot"}
    assert strengths["tuned"].value == pytest.approx(strengths["few_shot"].value, abs=0.2)
    assert strengths["tuned"].low > strengths["zero_shot"].high
    assert {one.unit for one in strengths.values()} == {"logits"}
    assert not any(one.method.endswith(ONE_SIDED) for one in strengths.values())
    win = {one.baseline: one for one in metrics if one.metric == "people_win_rate_over_few_shot"}
    assert set(win) == {None, "few_shot"}  # zero_shot was in no such comparison
    with pytest.raises(RecipeError, match="nothing goes by"):
        check_recipe(loads(RECIPE + "  - calls.people_strength >= 0\n"))


def test_another_models_report_has_ratings_of_its_own(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RECIPE, count=COUNT) as run:
        rated(run, prefers_calls)
        answers = {"tuned": never, "few_shot": never, "zero_shot": never}
        other = report(run, FakeBench(answers, adapter="two"), mark="two")
        assert Rated(store=run.store).latest(other) is None


@pytest.mark.parametrize(
    ("line", "near"),
    [
        ("calls.people_win_rate_over_few_shots >= 0.5", "people_win_rate_over_few_shot"),
        ("calls.people_helpfullness >= 0.5", "people_helpfulness"),
    ],
)
def test_a_rule_on_no_metric_of_peoples_is_told(line: str, near: str) -> None:
    with pytest.raises(RecipeError) as caught:
        check_recipe(loads(f"{RECIPE}  - {line}\n"))
    assert f"did you mean `{near}`" in caught.value.rows[0].problem


def test_a_judge_cannot_be_called_people() -> None:
    judge = 'judges: [{name: people, endpoint: "http://127.0.0.1:1", model: m}]'
    text = RECIPE.replace("  few_shot_examples: 2\n", f"  few_shot_examples: 2\n  {judge}\n")
    with pytest.raises(RecipeError) as caught:
        loads(text)
    assert "people's ratings" in caught.value.rows[0].problem


def test_people_choose_no_checkpoint() -> None:
    text = RECIPE.replace(
        "train: {base: base}",
        "train: {base: base, early_stopping: {metric: calls.people_helpfulness}}",
    )
    with pytest.raises(RecipeError) as caught:
        check_recipe(loads(text))
    assert caught.value.rows[0].where == "train.early_stopping.metric"
