from __future__ import annotations

from pathlib import Path

import pytest

from tests.evaluate.fakes import RECIPE, TOOLS
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import loads
from tutelage.core.recipe.evaluate import Suite
from tutelage.score.measure import STATISTICS
from tutelage.score.names import NAMES
from tutelage.score.roster import check_recipe, headline_of, measures_of, open_scorer, open_scorers


def suite(*scorers: str) -> Suite:
    return Suite(name="s", path="t.jsonl", scorers=scorers)


def test_each_name_opens_its_scorer() -> None:
    for name in (
        *("json", "schema", "call", "call:ordered", "choice", "choice:oos", "exact", "squad"),
        *("bleu", "bleu:intl", "chrf", "chrf:words", "rouge", "rouge:stem", "grounded"),
        *("grounded:context", "number", "number:last", "instructions", "fields", "fields:a,b.c"),
        *("refusal", "refusal:label=unsafe", "over_refusal", "over_refusal:label=safe", "cost"),
    ):
        assert open_scorer(name, TOOLS).name == name


def test_an_unknown_scorer_is_answered_with_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean `schema`"):
        open_scorer("shema", TOOLS)


@pytest.mark.parametrize("name", ["json:strict", "choice:", "squad:x"])
def test_an_option_that_means_nothing_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=r"after its colon|takes no"):
        open_scorer(name, TOOLS)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("rouge:stemm", "did you mean `stem`"),
        ("bleu:flores101", "there are 13a, char"),
        ("call:order", "did you mean `ordered`"),
        ("refusal:label", "names no value"),
        ("fields:a,", "empty name"),
        ("rogue", "did you mean `rouge`"),
    ],
)
def test_an_option_there_is_not_is_refused_with_the_nearest(name: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        open_scorer(name, TOOLS)


def test_every_metric_of_every_scorer_can_be_computed() -> None:
    for name in NAMES:
        for measure in open_scorer(name, TOOLS).measures:
            assert measure.statistic in {*STATISTICS, "", "p95"}
            assert measure.family != "level" or measure.columns
            assert measure.unit == "share" or measure.family == "level"


def test_the_page_of_scorers_names_each_with_its_metrics() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scorers.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"| `{name}" in page, name
        for measure in open_scorer(name, TOOLS).measures:
            assert f"`{measure.metric}`" in page, measure.metric


def test_the_schema_scorer_needs_a_schema() -> None:
    with pytest.raises(RecipeError, match="needs something to hold answers against"):
        open_scorer("schema", None)


def test_two_scorers_may_not_give_one_metric() -> None:
    with pytest.raises(RecipeError, match="`exact_match`"):
        open_scorers(suite("call", "exact"), TOOLS)


def test_the_last_scorer_has_the_headline_and_all_tell_what_is_finished() -> None:
    scorers = open_scorers(suite("json", "schema", "call"), TOOLS)
    assert headline_of(scorers) == "exact_match"
    names = [measure.metric for measure in measures_of(scorers)]
    assert names[:3] == ["parse", "valid", "intent"]
    assert names[-1] == "finished"


def test_a_recipe_that_names_what_there_is_passes() -> None:
    check_recipe(loads(RECIPE))


def test_all_unknown_names_of_a_recipe_are_told_together() -> None:
    text = RECIPE.replace("scorers: [json", "scorers: [jsn").replace(
        "calls.exact_match}", "calls.x}"
    )
    with pytest.raises(RecipeError) as caught:
        check_recipe(loads(text))
    assert caught.value.rows[0].where == "evaluate.suites[0].scorers[0]"
    assert "did you mean `json`" in caught.value.rows[0].problem


def test_metrics_of_rules_and_goals_must_be_measured() -> None:
    text = RECIPE.replace("calls.parse >= 0.5", "calls.slot_f2 >= 0.5").replace(
        "metric: calls.exact_match", "metric: calls.exact"
    )
    with pytest.raises(RecipeError) as caught:
        check_recipe(loads(text))
    problems = {row.where: row.problem for row in caught.value.rows}
    assert "did you mean `slot_f1`" in problems["gate[0]"]
    assert "did you mean `exact_match`" in problems["goals[0].metric"]


def test_a_rule_about_a_slice_needs_the_suite_to_be_sliced_so() -> None:
    with pytest.raises(RecipeError, match="1 name") as caught:
        check_recipe(loads(RECIPE.replace("calls.parse >=", "calls.parse@team=x >=")))
    assert "`team` is not in the slices" in caught.value.rows[0].problem


def test_the_schema_scorer_without_a_schema_is_told_before_any_work() -> None:
    text = RECIPE.replace("contract: {output_schema: tools.json}", "contract: {}")
    with pytest.raises(RecipeError) as caught:
        check_recipe(loads(text))
    assert "contract.output_schema" in caught.value.rows[0].problem


def test_a_rule_about_a_slice_of_what_is_only_whole_is_refused() -> None:
    text = RECIPE.replace("[json, schema, call]", '[json, "choice:oos"]').replace(
        "calls.parse >= 0.5", "calls.macro_f1@intent=Play >= 0.5"
    )
    with pytest.raises(RecipeError) as caught:
        check_recipe(loads(text))
    assert "`macro_f1` is measured on whole suites only" in {
        row.problem for row in caught.value.rows
    }
