from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.fakes import (
    FakeBench,
    FakeContract,
    Heard,
    Recording,
    call,
    last_words,
    never,
    oracle,
    project,
    report,
)
from tutelage.core.errors import RecipeError, RowError
from tutelage.core.metric import Metric
from tutelage.core.recipe import Decoding
from tutelage.engine.protocol import Prompt
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.tables import SAMPLES, read_rows, read_samples

COUNT = 20


def half(prompt: Prompt) -> str:
    """Right about one of the two intents."""
    words = last_words(prompt)
    return oracle(COUNT)(prompt) if words.startswith("play") else call("Rain", city="Nowhere")


def bench(**changes: Any) -> FakeBench:
    return FakeBench({"tuned": oracle(COUNT), "few_shot": half, "zero_shot": never}, **changes)


def one(made: Artifact, metric: str, system: str = "tuned", **place: Any) -> Metric:
    wanted = {"metric": metric, "system": system, "slice": "", "baseline": None, **place}
    sides = wanted.pop("one_sided", False)
    (found,) = [
        metric
        for metric in read_metrics(made.file(METRICS))
        if metric.one_sided == sides
        and all(getattr(metric, name) == value for name, value in wanted.items())
    ]
    return found


def test_every_system_is_measured_on_the_same_tasks(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, bench())
    values = {
        name: one(made, "exact_match", name).value for name in ("tuned", "few_shot", "zero_shot")
    }
    assert values == {"tuned": 1.0, "few_shot": 0.5, "zero_shot": 0.0}
    samples = read_samples(made.file(SAMPLES))
    tasks = [row.id for row in read_rows(made.file("tasks.parquet"))]
    for system in values:
        assert [sample.task for sample in samples if sample.system == system] == tasks
    assert one(made, "parse", "zero_shot").high < 0.2
    assert one(made, "slot_f1").method == "bootstrap"
    assert made.counts["samples"] == 3 * COUNT


def test_each_metric_has_a_two_sided_and_a_one_sided_record(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, bench())
    two = one(made, "intent", "few_shot")
    bound = one(made, "intent", "few_shot", one_sided=True)
    assert (two.method, bound.method) == ("wilson", "clopper-pearson one-sided")
    assert two.low < bound.low < bound.value == two.value


def test_the_tuned_model_is_paired_with_each_baseline(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, bench())
    gain = one(made, "exact_match", baseline="few_shot")
    assert (gain.difference, gain.value, gain.n) == (0.5, 1.0, COUNT)
    assert 0.2 < gain.low < 0.5 < gain.high
    assert one(made, "slot_f1", baseline="zero_shot", one_sided=True).method.startswith(
        "paired boot"
    )
    suite = read_json(made.file("summary.json"))["suites"][0]
    assert suite["discordant"]["few_shot"]["only_first"] == COUNT // 2
    assert suite["discordant"]["few_shot"]["only_second"] == 0
    assert suite["systems"]["tuned"]["exact_match"]["value"] == 1.0
    assert suite["differences"]["few_shot"]["exact_match"]["difference"] == 0.5


def test_slices_have_metrics_of_their_own(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, bench())
    wet = one(made, "exact_match", "few_shot", slice="intent=Rain")
    dry = one(made, "exact_match", "few_shot", slice="intent=Play")
    assert (wet.value, dry.value, wet.n + dry.n) == (0.0, 1.0, COUNT)
    assert one(made, "exact_match", baseline="few_shot", slice="intent=Rain").difference == 1.0
    slices = read_json(made.file("summary.json"))["suites"][0]["slices"]
    assert {part["key"] for part in slices} == {"intent", "length"}


def test_samples_say_which_prompt_they_answer(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, bench())
    summary = read_json(made.file("summary.json"))
    assert summary["contract"] == FakeContract().digest
    prompts = summary["suites"][0]["prompts"]
    assert prompts["tuned"]["digest"] == prompts["zero_shot"]["digest"]
    assert prompts["tuned"]["digest"] != prompts["few_shot"]["digest"]
    assert prompts["few_shot"]["examples"] == 2
    assert len({sample.prompt_digest for sample in read_samples(made.file(SAMPLES))}) == 2 * COUNT


def test_a_new_training_leaves_the_answers_of_the_baselines(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        report(run, bench())
    again, heard = bench(adapter="two"), Heard()
    with project(tmp_path, progress=heard) as run:
        made = report(run, again, mark="two")
    assert again.opened == ["tuned"]
    assert ("evaluate.calls.zero_shot", "reused") in heard.stages
    assert one(made, "exact_match", "few_shot").value == 0.5
    assert heard.ticks[-1].done == heard.ticks[-1].total == 3 * COUNT


def test_the_rate_is_that_of_all_answers_so_far(tmp_path: Path) -> None:
    heard = Heard()
    with project(tmp_path, progress=heard) as run:
        report(run, bench())
    rates = [tick.figures["answers_per_second"] for tick in heard.ticks]
    done = [tick.done for tick in heard.ticks]
    assert done == sorted(done)
    # seconds never go back where another system begins: a rate of its first answers alone would
    seconds = [count / rate for count, rate in zip(done, rates, strict=True)]
    assert seconds == sorted(seconds)


def test_another_length_of_answers_is_another_answer(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        report(run, bench())
    short = bench(adapter="two")
    short.contract = FakeContract(decoding=Decoding(max_new_tokens=5))
    with project(tmp_path) as run:
        made = report(run, short, mark="two")
    assert short.opened == ["zero_shot", "few_shot", "tuned"]
    assert one(made, "finished").value == 0.0
    assert one(made, "parse").value == 0.0


def test_answers_of_another_precision_or_device_are_not_taken_for_these(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        report(run, bench())
    rounded = bench(adapter="two", precision="bfloat16")
    with project(tmp_path) as run:
        report(run, rounded, mark="two")
    assert rounded.opened == ["zero_shot", "few_shot", "tuned"]
    elsewhere = bench(adapter="three")
    elsewhere.computed = {"device": "cuda", "precision": "float32"}
    with project(tmp_path) as run:
        report(run, elsewhere, mark="three")
    assert elsewhere.opened == ["zero_shot", "few_shot", "tuned"]


def test_each_answer_is_drawn_by_the_name_of_its_task(tmp_path: Path) -> None:
    found = bench()
    with project(tmp_path) as run:
        made = report(run, found)
    tasks = {sample.task for sample in read_samples(made.file(SAMPLES))}
    for engine in found.engines.values():
        assert {prompt.name for prompt in engine.seen} == tasks


def test_drawn_answers_follow_the_contract_and_the_seed_of_the_recipe(tmp_path: Path) -> None:
    def asked(*overrides: str, **decoding: float) -> tuple[float, float, int]:
        found = bench(adapter=repr((overrides, decoding)))
        found.contract = FakeContract(decoding=Decoding.model_validate(decoding))
        with project(tmp_path, overrides=overrides) as run:
            report(run, found, mark=found.adapter)
        (one,) = {
            (each.temperature, each.top_p, each.seed)
            for engine in found.engines.values()
            for each in engine.decodings
        }
        return one

    assert asked() == (0.0, 1.0, 0)
    temperature, top_p, seed = asked(temperature=0.7, top_p=0.9)
    assert (temperature, top_p) == (0.7, 0.9)
    assert seed == asked(temperature=0.8)[2] > 0
    assert seed != asked("seed=4", temperature=0.7)[2]


class Stopped(Exception):
    """Stands for Ctrl-C."""


def test_a_stopped_evaluation_goes_on_from_the_answers_it_had(tmp_path: Path) -> None:
    left = [12]

    def stops(prompt: Prompt) -> str:
        left[0] -= 1
        if left[0] < 0:
            raise Stopped
        return oracle(COUNT)(prompt)

    broken, whole = bench(), bench()
    broken.engines["tuned"] = Recording(stops)
    with project(tmp_path) as run, pytest.raises(Stopped):
        report(run, broken)
    (kept,) = (tmp_path / ".tutelage/underway").iterdir()
    kept.write_bytes(kept.read_bytes()[:-5])  # died while the last was written
    with project(tmp_path) as run:
        made = report(run, whole)
        assert not list((tmp_path / ".tutelage/underway").iterdir())
    again = [prompt.name for prompt in whole.engines["tuned"].seen]
    alone = len(again) - (COUNT - 11)  # asked for by themselves, for their latency
    assert len(set(again[: COUNT - 11])) == COUNT - 11
    assert 0 < alone <= COUNT
    assert whole.opened == ["tuned"]
    (tmp_path / "other").mkdir()
    with project(tmp_path / "other") as run:
        straight = report(run, bench())
    assert made.file(METRICS).read_bytes() == straight.file(METRICS).read_bytes()


def test_force_answers_anew(tmp_path: Path) -> None:
    from dataclasses import replace

    with project(tmp_path) as run:
        report(run, bench())
        again = bench()
        report(replace(run, force=True), again)
    assert again.opened == ["zero_shot", "few_shot", "tuned"]


def test_the_same_answers_make_the_same_metrics(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with project(tmp_path / name) as run:
            texts.append(report(run, bench()).file(METRICS).read_bytes())
    assert texts[0] == texts[1]


def test_examples_that_do_not_fit_are_counted_and_said(tmp_path: Path) -> None:
    heard = Heard()
    with project(tmp_path, progress=heard) as run:
        made = report(run, bench(contract=FakeContract(context=240)))
    assert made.counts["fewer_examples.calls.few_shot"] == COUNT
    assert any("fewer than 2 examples" in warning for warning in heard.warnings)


def test_a_prompt_that_fills_the_context_fails_and_is_counted(tmp_path: Path) -> None:
    heard = Heard()
    with project(tmp_path, progress=heard) as run:
        made = report(run, bench(contract=FakeContract(context=10)))
    assert made.counts["unanswered.calls.tuned"] == COUNT
    assert one(made, "exact_match").value == 0.0
    assert any("count as failed" in warning for warning in heard.warnings)


def test_too_few_examples_to_choose_from_are_said(tmp_path: Path) -> None:
    heard = Heard()
    with project(tmp_path, overrides=["evaluate.few_shot_examples=9"], progress=heard) as run:
        report(run, bench())
    assert any("few_shot has 3 examples" in warning for warning in heard.warnings)


def test_limit_takes_the_first_tasks(tmp_path: Path) -> None:
    with project(tmp_path, overrides=["evaluate.limit=6"]) as run:
        made = report(run, bench())
    assert one(made, "parse").n == 6


def test_repeated_tasks_count_as_one_cluster(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        path = tmp_path / "test.jsonl"
        path.write_text(path.read_text() * 2)
        made = report(run, bench())
    found = one(made, "exact_match", "few_shot")
    assert (found.n, found.method) == (2 * COUNT, "clustered wilson")
    assert len({sample.task for sample in read_samples(made.file(SAMPLES))}) == 2 * COUNT


def test_all_tasks_that_cannot_be_scored_are_told_together(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        rows = [json.loads(line) for line in (tmp_path / "test.jsonl").read_text().splitlines()]
        for number in (2, 5):
            rows[number]["messages"][1]["content"] = "no call"
        (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
        with pytest.raises(RowError, match="2 tasks cannot be scored") as caught:
            report(run, bench())
    assert [row.where for row in caught.value.rows] == ["test.jsonl:3", "test.jsonl:6"]


def test_bad_rows_of_a_suite_stop_the_evaluation(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        with (tmp_path / "test.jsonl").open("a") as file:
            file.write("{broken\n")
        with pytest.raises(RowError) as caught:
            report(run, bench())
    assert caught.value.rows[0].where == f"line {COUNT + 1}"


def test_tasks_that_are_in_no_slice_are_counted_and_said(tmp_path: Path) -> None:
    heard = Heard()
    with project(tmp_path, progress=heard) as run:
        path = tmp_path / "test.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows[:3]:
            del row["intent"]
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
        report(run, bench())
    assert "calls: 3 of 20 tasks have no `intent`: they are in no slice of it" in heard.warnings


def test_a_slice_nobody_has_is_refused_before_any_answer(tmp_path: Path) -> None:
    from tests.evaluate.fakes import RECIPE

    asked = bench()
    with (
        project(tmp_path, recipe=RECIPE.replace("[intent, length]", "[team]")) as run,
        pytest.raises(RecipeError, match="team"),
    ):
        report(run, asked)
    assert asked.opened == []


def test_a_suite_that_expects_nothing_needs_no_answer_in_its_rows(tmp_path: Path) -> None:
    rows = [{"request": f"how do I end a process {at}?"} for at in range(3)]

    def asked(scorers: str) -> Artifact:
        change = "evaluate.suites=[{name: calls, path: asks.jsonl, fields: {user: request}, "
        with project(
            tmp_path, overrides=[f"{change}scorers: [{scorers}]}}]", "gate=null", "goals=[]"]
        ) as run:
            text = "".join(json.dumps(row) + "\n" for row in rows)
            (tmp_path / "asks.jsonl").write_text(text)
            found = FakeBench(dict.fromkeys(("tuned", "few_shot", "zero_shot"), never))
            found.adapter = scorers
            return report(run, found, mark=scorers)

    made = asked("over_refusal")
    assert one(made, "answered").n == 3
    with pytest.raises(RowError) as raised:
        asked("exact")
    assert raised.value.rows[0].problem.startswith("no expected answer")
