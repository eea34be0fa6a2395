from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.fakes import (
    RECIPE,
    FakeBench,
    Heard,
    adapter,
    call,
    dataset,
    last_words,
    never,
    oracle,
    project,
    report,
)
from tutelage.core.errors import RecipeError
from tutelage.engine.protocol import Prompt
from tutelage.gate import run as door
from tutelage.gate.unlike import unlike
from tutelage.score.pairing import measures_in
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.run import Run
from tutelage.store.uses import Uses

COUNT = 20
EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


def half(prompt: Prompt) -> str:
    words = last_words(prompt)
    return oracle(COUNT)(prompt) if words.startswith("play") else call("Rain", city="Nowhere")


def evil(prompt: Prompt) -> str:
    return EVIL


def bench(tuned: Any = None, few: Any = half, **changes: Any) -> FakeBench:
    answers = {"tuned": tuned or oracle(COUNT), "few_shot": few, "zero_shot": never}
    return FakeBench(answers, **changes)


def verdict(run: Run, answers: FakeBench, mark: str = "one") -> Artifact:
    assert run.recipe.gate is not None
    inputs = {
        "report": report(run, answers, mark=mark),
        "dataset": dataset(run),
        "adapter": adapter(run, mark),
    }
    return door.run(run.recipe.gate, inputs, run)


def page(made: Artifact) -> str:
    return made.file("report.html").read_text(encoding="utf-8")


def test_rules_that_hold_open_the_gate(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = verdict(run, bench())
    form = read_json(made.file("verdict.json"))
    assert form["outcome"] == "pass"
    assert [rule["outcome"] for rule in form["rules"]] == ["pass", "pass"]
    assert made.counts == {"rules": 2, "pass": 2, "fail": 0, "inconclusive": 0}
    assert "the gate is open" in page(made)


def test_a_rule_that_fails_shuts_it_without_an_error(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = verdict(run, bench(tuned=never))
    assert read_json(made.file("verdict.json"))["outcome"] == "fail"
    assert "the gate is shut" in page(made)


def test_a_ratio_in_a_slice_is_paired_when_a_rule_asks(tmp_path: Path) -> None:
    text = RECIPE + "  - calls.slot_f1@intent=Rain >= few_shot + 0.4\n"
    with project(tmp_path, recipe=text) as run:
        made = verdict(run, bench())
    rule = read_json(made.file("verdict.json"))["rules"][2]
    assert rule["outcome"] == "pass"
    assert (rule["evidence"]["estimate"], rule["evidence"]["n"]) == (1.0, COUNT // 2)


PREVIOUS = RECIPE + "  - calls.exact_match >= previous - 0.3\n  - calls.slot_f1 >= previous\n"


def test_previous_is_inconclusive_in_the_first_run(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS) as run:
        made = verdict(run, bench())
    form = read_json(made.file("verdict.json"))
    assert form["outcome"] == "inconclusive"
    assert form["previous"] is None
    assert "no run of this project came before" in form["rules"][2]["advice"]
    assert "No evidence" in page(made) or "no evidence" in page(made)


def test_previous_is_the_run_before(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS) as run:
        verdict(run, bench(tuned=half, few=never, adapter="old"), "old")
        before = run.artifact("evaluate")
    with project(tmp_path, recipe=PREVIOUS, overrides=["seed=4"]) as run:
        made = verdict(run, bench(adapter="new"), "new")
    assert before is not None
    form = read_json(made.file("verdict.json"))
    assert form["previous"] == before.digest
    third, fourth = form["rules"][2:]
    assert (third["outcome"], third["evidence"]["estimate"]) == ("pass", 0.5)
    assert (fourth["outcome"], fourth["evidence"]["n"]) == ("pass", COUNT)


def test_a_run_that_failed_is_not_previous(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS) as run:
        verdict(run, bench(adapter="good"), "good")
        good = run.artifact("evaluate")
    with project(tmp_path, recipe=PREVIOUS, overrides=["seed=4"]) as run:
        bad = verdict(run, bench(tuned=never, adapter="bad"), "bad")
    with project(tmp_path, recipe=PREVIOUS, overrides=["seed=5"]) as run:
        again = verdict(run, bench(tuned=never, adapter="worse"), "worse")
    assert good is not None
    for made in (bad, again):
        form = read_json(made.file("verdict.json"))
        assert (form["previous"], form["rules"][2]["outcome"]) == (good.digest, "fail")


def test_a_model_is_never_its_own_previous(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS) as run:
        verdict(run, bench(), "one")
    with project(tmp_path, recipe=PREVIOUS, overrides=["seed=4"]) as run:
        made = verdict(run, bench(adapter="measured again"), "one")
    form = read_json(made.file("verdict.json"))
    assert form["previous"] is None
    assert "no run of this project came before" in form["rules"][2]["advice"]


def test_where_no_earlier_run_was_let_through_the_verdict_says_so(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS) as run:
        verdict(run, bench(tuned=never, adapter="bad"), "bad")
    with project(tmp_path, recipe=PREVIOUS, overrides=["seed=4"]) as run:
        made = verdict(run, bench(), "one")
    form = read_json(made.file("verdict.json"))
    assert form["previous"] is None
    assert "was released, or passed its gate" in form["rules"][2]["advice"]


def test_a_metric_that_was_measured_otherwise_is_not_compared(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS) as run:
        verdict(run, bench(adapter="old"), "old")
        before = run.artifact("evaluate")
    with project(tmp_path, recipe=PREVIOUS, overrides=["seed=4"]) as run:
        now = report(run, bench(), mark="new")
    assert before is not None
    measure = next(one for one in measures_in(now)["calls"] if one.metric == "slot_f1")
    assert unlike("calls", measure, now, before) == ""
    assert unlike("calls", replace(measure, says="otherwise", locked="no"), now, before) == ""
    told = unlike("calls", replace(measure, statistic="recall"), now, before)
    assert told == "`calls.slot_f1` was measured otherwise in the earlier report: statistic"
    told = unlike("calls", replace(measure, metric="new"), now, before)
    assert told == "the earlier report does not measure `calls.new`"


def test_marks_of_two_judges_are_not_compared(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RECIPE) as run:
        made = report(run, bench())
    keys = {"name": "j_win", "model": "a", "endpoint": "http://x", "labels": {"path": "l.jsonl"}}
    keys |= {"kind": "rubric", "criteria": ["rate: is right"]}
    other = {**keys, "name": "j", "model": "c"}  # whose name begins the metric's, too

    def judged(labels: str = "1", **changes: str) -> Artifact:
        section = {"judges": [other, {**keys, **changes}]}
        inputs = {"labels:l.jsonl": labels}
        return replace(made, manifest=replace(made.manifest, section=section, inputs=inputs))

    measure = measures_in(made)["calls"][0]
    measure = replace(measure, metric="j_win_rate")
    summary = read_json(made.file("summary.json"))
    summary["suites"][0]["measures"].append(measure.to_dict())
    folder = tmp_path / "edited"
    folder.mkdir()
    (folder / "summary.json").write_text(json.dumps(summary))
    made = replace(made, folder=folder)
    assert unlike("calls", measure, judged(retries="9"), judged()) == ""
    told = unlike("calls", measure, judged(model="b", endpoint="http://y"), judged("2"))
    assert told == (
        "the judge of `calls.j_win_rate` was another in the earlier report: endpoint, labels, model"
    )


def test_going_back_does_not_compare_with_a_newer_run(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS) as run:
        first = verdict(run, bench(adapter="old"), "old")
    with project(tmp_path, recipe=PREVIOUS, overrides=["seed=4"]) as run:
        verdict(run, bench(adapter="new"), "new")
    heard = Heard()
    with project(tmp_path, recipe=PREVIOUS, progress=heard) as run:
        again = verdict(run, bench(adapter="old"), "old")
    assert again.digest == first.digest
    assert ("gate", "reused") in heard.stages


def test_runs_of_another_name_are_not_previous(tmp_path: Path) -> None:
    with project(tmp_path, recipe=PREVIOUS.replace("name: music", "name: control")) as run:
        verdict(run, bench(adapter="old"), "old")
    with project(tmp_path, recipe=PREVIOUS) as run:
        made = verdict(run, bench(adapter="new"), "new")
    assert read_json(made.file("verdict.json"))["previous"] is None


def test_a_rule_about_what_is_not_measured_is_refused(tmp_path: Path) -> None:
    text = RECIPE.replace("calls.parse >=", "calls.pars >=")
    with project(tmp_path, recipe=RECIPE) as run:
        inputs = {"report": report(run, bench()), "dataset": dataset(run), "adapter": adapter(run)}
    with (
        project(tmp_path, recipe=text) as run,
        pytest.raises(RecipeError) as caught,
    ):
        door.run(run.recipe.gate or (), inputs, run)
    assert "did you mean `parse`" in caught.value.rows[0].problem


def test_the_page_shows_what_the_verdict_stands_on(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        text = page(verdict(run, bench(tuned=half, few=never)))
    words = html.unescape(text)
    for part in (
        "calls.exact_match >= few_shot + 0.10",  # the rule
        "needs ≥ +10.0 points",
        "Was fine-tuning needed?",
        "Requests become calls",  # the goal
        "50.0 %",
        "By intent",
        "By length of the request",
        '"city": "',  # a failure's expected answer
        "Nowhere",
        "hallucinated",
        "exact duplicate",  # why a row was left out
        "CC0-1.0",
        "muon",
        "5,000 a second",
        "900 MiB",
        "validation loss 0.200",
    ):
        assert part in words, part
    assert "<mark>Nowhere</mark>" in text


def test_the_page_needs_no_network_and_no_script(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        text = page(verdict(run, bench()))
    assert "<script" not in text
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", text)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text


def test_answers_are_inert_on_the_page(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        text = page(verdict(run, bench(tuned=evil)))
    assert "<script" not in text
    assert "<img" not in text
    assert "alert" in text


def test_a_system_is_told_by_its_shape_and_name_too(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        text = page(verdict(run, bench()))
    for shape in (
        '<circle class="shape tuned"',
        '<path class="shape few_shot"',
        '<rect class="shape z',
    ):
        assert shape in text
    for badge in ("✓ pass", "few_shot", "zero_shot"):
        assert badge in text


def test_a_page_without_baselines_goals_and_slices_is_whole(tmp_path: Path) -> None:
    text = (
        RECIPE.replace("  baselines: [zero_shot, few_shot]\n", "")
        .replace(", slices: [intent, length]", "")
        .replace("  - calls.exact_match >= few_shot + 0.10\n", "")
    )
    lines = [line for line in text.splitlines() if not line.startswith("goals")]
    with project(tmp_path, recipe="\n".join(lines)) as run:
        shown = page(verdict(run, bench()))
    assert "Was fine-tuning needed?" not in shown
    assert "Slices of" not in shown
    assert "Every tuned answer is right" in shown


SHARES = RECIPE.replace(
    "goals: [{id: calls, says: requests become calls, metric: calls.exact_match}]",
    "goals:\n  - id: calls\n    says: requests become calls\n    metric: calls.exact_match\n"
    "    shares: {intent=Play: 0.9, intent=Rain: 0.1}",
)


def test_a_goal_is_weighted_by_what_production_is_expected_to_bring(tmp_path: Path) -> None:
    text = SHARES + "  - goals.calls >= 0.5\n  - goals.calls >= few_shot - 0.5\n"
    with project(tmp_path, recipe=text, count=80) as run:
        answers = {"tuned": rain_only, "few_shot": never, "zero_shot": never}
        made = verdict(run, FakeBench(answers))
    form = read_json(made.file("verdict.json"))
    (goal,) = form["goals"]
    assert goal["value"] == pytest.approx(0.1)
    assert goal["low"] < 0.1 < goal["high"] < 0.2
    assert [rule["outcome"] for rule in form["rules"][2:]] == ["fail", "pass"]
    assert (goal["outcome"], goal["rules"]) == (
        "fail",
        ["goals.calls >= 0.5", "goals.calls >= few_shot - 0.5"],
    )
    assert form["rules"][3]["evidence"]["estimate"] == pytest.approx(0.1)
    text = page(made)
    assert "weighted as production is expected to be: intent=Play 90.0 %" in text
    assert "<b>Not met</b>" in text


def rain_only(prompt: Prompt) -> str:
    words = last_words(prompt)
    return never(prompt) if words.startswith("play") else oracle(80)(prompt)


def test_a_goal_without_shares_is_the_metric_it_names(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RECIPE + "  - goals.calls >= 0.5\n") as run:
        form = read_json(verdict(run, bench()).file("verdict.json"))
    named, metric = form["rules"][2]["evidence"], form["goals"][0]
    assert (named["estimate"], metric["value"], metric["outcome"]) == (1.0, 1.0, "pass")


def test_a_share_of_tasks_there_are_not_is_refused(tmp_path: Path) -> None:
    text = SHARES.replace("intent=Rain", "intent=Snow")
    with project(tmp_path, recipe=text) as run, pytest.raises(RecipeError) as caught:
        verdict(run, bench())
    (row,) = caught.value.rows
    assert row.where == "goals[0].shares"
    assert "no task is in `intent=Snow`; there are intent=Play, intent=Rain" in row.problem


def test_a_family_holds_every_slice_on_one_line(tmp_path: Path) -> None:
    text = RECIPE + "  - calls.exact_match@intent=* >= few_shot\n"
    text += "  - calls.slot_f1@intent=* >= few_shot - 0.5\n"
    with project(tmp_path, recipe=text, count=80) as run:
        answers = {"tuned": rain_only, "few_shot": play_only, "zero_shot": never}
        made = verdict(run, FakeBench(answers))
    form = read_json(made.file("verdict.json"))
    for rule in form["rules"][2:]:
        outcomes = {one["slice"]: one["outcome"] for one in rule["slices"]}
        assert outcomes == {"intent=Play": "fail", "intent=Rain": "pass"}
        assert rule["outcome"] == "fail"
    assert "2 slices" in page(made)


def play_only(prompt: Prompt) -> str:
    words = last_words(prompt)
    return oracle(80)(prompt) if words.startswith("play") else never(prompt)


USES = RECIPE + "  - calls.uses <= 1\n"


def spent(run: Run, answers: FakeBench, mark: str) -> dict[str, Any]:
    """The verdict on a report whose use of the test was written down."""
    assert run.recipe.gate is not None
    made = report(run, answers, mark=mark)
    adapter_digest = adapter(run, mark).digest
    inputs = {**made.manifest.inputs, "suite:test.jsonl": "f" * 64, "contract": "c"}
    sealed = replace(made, manifest=replace(made.manifest, inputs=inputs))
    ledger = Uses.of(run.store)
    ledger.note({"calls": "f" * 64}, adapter=adapter_digest, contract="c", recipe="music")
    artifacts = {"report": sealed, "dataset": dataset(run), "adapter": adapter(run, mark)}
    found = door.run(run.recipe.gate, artifacts, run)
    return {**read_json(found.file("verdict.json")), "page": page(found)}


def test_a_test_spent_on_more_models_than_a_rule_allows_shuts_the_gate(tmp_path: Path) -> None:
    with project(tmp_path, recipe=USES) as run:
        first = spent(run, bench(adapter="old"), "old")
        second = spent(run, bench(adapter="new"), "new")
        again = spent(run, bench(adapter="old"), "old")
    assert (first["outcome"], first["uses"]) == ("pass", {"calls": 1})
    assert (second["outcome"], second["uses"]) == ("fail", {"calls": 2})
    assert second["rules"][2]["because"] == "it is 2, which is not <= 1"
    assert again == first
    assert "model 2 that was measured on this file" in second["page"]


def test_a_use_that_was_never_noted_is_no_evidence(tmp_path: Path) -> None:
    with project(tmp_path, recipe=USES) as run:
        made = verdict(run, bench())
    form = read_json(made.file("verdict.json"))
    assert (form["outcome"], form["uses"]) == ("inconclusive", {})
    assert "was not noted" in page(made)


def test_the_verdict_names_the_digests_of_its_evidence(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, bench())
        form = read_json(verdict(run, bench()).file("verdict.json"))
    evidence = form["evidence"]
    assert evidence["report"] == made.digest
    assert evidence["report/samples.parquet"] == made.manifest.files["samples.parquet"].sha256
    assert set(evidence) >= {"dataset", "adapter", "report/metrics.jsonl"}


@pytest.mark.parametrize("recipe", [RECIPE, SHARES])
def test_a_goal_is_compared_with_the_run_before(tmp_path: Path, recipe: str) -> None:
    text = recipe.replace("calls.parse >= 0.5", "calls.parse >= 0.2")
    text += "  - goals.calls >= previous\n"
    with project(tmp_path, recipe=text, count=80) as run:
        answers = {"tuned": rain_only, "few_shot": never, "zero_shot": never}
        verdict(run, FakeBench(answers, adapter="old"), "old")
    with project(tmp_path, recipe=text, count=80, overrides=["seed=4"]) as run:
        better = {**answers, "tuned": oracle(80)}
        made = verdict(run, FakeBench(better, adapter="new"), "new")
    rule = read_json(made.file("verdict.json"))["rules"][2]
    gain = 0.9 if recipe is SHARES else 0.5
    assert rule["evidence"]["estimate"] == pytest.approx(gain)
    assert rule["outcome"] == "pass"
