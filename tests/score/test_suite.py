"""The scorers of texts in a suite: from a recipe's names to a report's metrics."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.fakes import RECIPE, FakeBench, never, oracle, project, report
from tutelage.core.metric import Metric
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS, read_metrics

NAMED = (
    '[cost, bleu, chrf, "rouge:stem", "fields:name", grounded, "over_refusal:intent=Rain", squad]'
)
TEXTS = RECIPE.replace("[json, schema, call]", NAMED).replace("exact_match", "em")
RULES = TEXTS.replace("calls.parse >= 0.5", "calls.seconds_p95 <= 2.5")


def made(folder: Path) -> Artifact:
    answers = {"tuned": oracle(40), "few_shot": never, "zero_shot": lambda prompt: ""}
    with project(folder, recipe=RULES, count=40) as run:
        check_recipe(run.recipe)
        return report(run, FakeBench(answers))


def found(whole: Artifact, metric: str, system: str, baseline: str | None = None) -> Metric:
    (only,) = [
        one
        for one in read_metrics(whole.file(METRICS))
        if (one.metric, one.system, one.slice, one.baseline) == (metric, system, "", baseline)
        and not one.one_sided
    ]
    return only


def test_every_scorer_of_a_suite_is_in_its_report(tmp_path: Path) -> None:
    whole = made(tmp_path)
    for metric in ("em", "f1", "bleu", "chrf", "rouge2", "rougeLsum", "fields_present", "answered"):
        assert found(whole, metric, "tuned").value == pytest.approx(1.0), metric
        assert found(whole, metric, "few_shot").value < 0.4 or metric == "answered", metric
        assert found(whole, metric, "tuned", "few_shot").difference is not None
    assert found(whole, "over_refusal", "tuned").n == 20
    assert found(whole, "grounded", "zero_shot").value == 1.0


def test_what_answers_take_has_its_unit_and_no_upper_end(tmp_path: Path) -> None:
    whole = made(tmp_path)
    tokens = found(whole, "tokens", "tuned")
    assert tokens.unit == "tokens"
    assert tokens.value > 1.0
    assert tokens.low < tokens.value < tokens.high
    assert found(whole, "tokens", "tuned", "few_shot").difference is not None
    assert found(whole, "seconds_p95", "tuned").unit == "seconds"


def test_the_headline_is_of_the_last_scorer_and_the_slices_are_measured(tmp_path: Path) -> None:
    whole = made(tmp_path)
    assert read_json(whole.file("summary.json"))["suites"][0]["headline"] == "em"
    parts = {
        (one.metric, one.slice)
        for one in read_metrics(whole.file(METRICS))
        if one.slice.startswith("intent=") and one.system == "tuned"
    }
    assert {("em", "intent=Rain"), ("bleu", "intent=Play"), ("tokens", "intent=Rain")} <= parts
