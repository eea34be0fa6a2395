from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.evaluate.fakes import RECIPE, FakeBench, call, last_words, never, oracle, project, report
from tutelage.cli.compare import _difference, _gain
from tutelage.core.errors import StoreError
from tutelage.engine.protocol import Prompt
from tutelage.evaluate.changed import Changed
from tutelage.evaluate.compare import compare

COUNT = 20


def nearly(prompt: Prompt) -> str:
    """Wrong about one intent's slots."""
    right = oracle(COUNT)(prompt)
    return right if last_words(prompt).startswith("play") else call("Rain", city="Nowhere")


def test_two_reports_are_compared_on_the_tasks_they_share(tmp_path: Path) -> None:
    base = {"few_shot": never, "zero_shot": never}
    with project(tmp_path, overrides=["evaluate.limit=10"]) as run:
        first = report(run, FakeBench({**base, "tuned": nearly}, adapter="a"), mark="a")
    with project(tmp_path) as run:
        second = report(run, FakeBench({**base, "tuned": oracle(COUNT)}, adapter="b"), mark="b")
    found = compare(first, second)
    assert dict(found.shared) == {"calls": 10}
    assert dict(found.unshared) == {"calls": COUNT - 10}
    exact = next(one for one in found.differences if one.measure.metric == "exact_match")
    assert (exact.first, exact.second, exact.interval.value, exact.interval.n) == (
        0.5,
        1.0,
        0.5,
        10,
    )
    assert exact.discordant is not None
    assert (exact.discordant.only_first, exact.discordant.only_second) == (0, 5)
    form = exact.to_dict()
    assert form["difference"] == 0.5
    assert form["p"] == pytest.approx(2 * 0.5**5)
    assert "adjusted_p" not in form
    f1 = next(one for one in found.differences if one.measure.metric == "slot_f1")
    assert f1.discordant is None
    assert f1.interval.low > 0
    assert found.to_dict() == compare(first, second).to_dict()


def test_reports_without_a_shared_task_are_not_compared(tmp_path: Path) -> None:
    base = {"few_shot": never, "zero_shot": never, "tuned": never}
    with project(tmp_path) as run:
        first = report(run, FakeBench(base))
    other = RECIPE.replace("name: calls, path", "name: other, path").replace("calls.", "other.")
    with project(tmp_path, recipe=other) as run:
        second = report(run, FakeBench(base, adapter="b"), mark="b")
    with pytest.raises(StoreError, match="share no task"):
        compare(first, second)


def test_slices_are_compared_with_p_adjusted_for_their_number(tmp_path: Path) -> None:
    base = {"few_shot": never, "zero_shot": never}
    with project(tmp_path, count=40) as run:
        first = report(run, FakeBench({**base, "tuned": half}, adapter="a"), mark="a")
        second = report(run, FakeBench({**base, "tuned": oracle(40)}, adapter="b"), mark="b")
    found = compare(first, second)
    exact = {one.slice: one for one in found.slices if one.measure.metric == "exact_match"}
    assert {"intent=Play", "intent=Rain"} < set(exact)
    rain, play = exact["intent=Rain"], exact["intent=Play"]
    assert (rain.interval.value, rain.interval.n, play.interval.value) == (1.0, 20, 0.0)
    assert (rain.p, play.p) == (pytest.approx(2 * 0.5**20), 1.0)
    assert rain.p is not None
    assert rain.adjusted is not None
    assert rain.p < rain.adjusted < 0.05 < 1.0 == play.adjusted
    assert rain.to_dict()["adjusted_p"] == rain.adjusted


def half(prompt: Prompt) -> str:
    right = oracle(40)(prompt)
    return right if last_words(prompt).startswith("play") else call("Rain", city="Nowhere")


def test_the_tasks_whose_answers_changed_are_shown_with_both(tmp_path: Path) -> None:
    base = {"few_shot": never, "zero_shot": never}
    with project(tmp_path, count=40) as run:
        first = report(run, FakeBench({**base, "tuned": half}, adapter="a"), mark="a")
        second = report(run, FakeBench({**base, "tuned": oracle(40)}, adapter="b"), mark="b")
    changed = compare(first, second).changed
    assert len(changed) == 20
    one = changed[0]
    assert (one.suite, one.metric, one.first, one.second) == ("calls", "exact_match", 0.0, 1.0)
    assert one.request.startswith("will it rain in City")
    assert "Nowhere" in one.first_answer
    assert one.second_answer == one.expected
    assert compare(second, second).changed == ()


def test_a_suite_that_only_one_report_has_is_told(tmp_path: Path) -> None:
    base = {"few_shot": never, "zero_shot": never, "tuned": never}
    with project(tmp_path) as run:
        first = report(run, FakeBench(base))
    more = RECIPE.replace(
        "suites: [{", "suites: [{name: more, path: test.jsonl, scorers: [json]}, {"
    )
    with project(tmp_path, recipe=more) as run:
        second = report(run, FakeBench(base, adapter="b"), mark="b")
    for found in (compare(first, second), compare(second, first)):
        assert dict(found.shared) == {"calls": COUNT, "more": 0}
        assert dict(found.unshared) == {"calls": 0, "more": COUNT}


def test_where_less_is_better_the_words_are_turned(tmp_path: Path) -> None:
    base = {"few_shot": never, "zero_shot": never}
    with project(tmp_path) as run:
        first = report(run, FakeBench({**base, "tuned": oracle(COUNT)}, adapter="a"), mark="a")
        second = report(run, FakeBench({**base, "tuned": never}, adapter="b"), mark="b")
    found = compare(first, second)
    one = next(one for one in found.differences if one.measure.metric == "unparsable")
    assert one.measure.better == "lower"
    assert f"worse, only A right {COUNT}, only B 0" in _difference(one)
    bad = Changed(
        suite="calls",
        task="calls/x",
        metric="unparsable",
        request="",
        expected="",
        first=0.0,
        second=1.0,
        first_answer="",
        second_answer="",
    )
    assert _gain(bad, found) == -1.0
    assert _gain(replace(bad, metric="exact_match"), found) == 1.0
