"""The rungs of the ladder: their prompts, what is shown by them, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.fakes import (
    TOOLS,
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
from tutelage.core.errors import MissingCapability, RecipeError
from tutelage.core.recipe import Decoding, loads
from tutelage.core.rule import decide, evidence, parse
from tutelage.engine.protocol import Prompt
from tutelage.evaluate.rungs import quantile
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS, read_metrics

COUNT = 20
GRAMMAR = frozenset({"ids", "logprobs", "grammar"})
NAMES = ("zero_shot", "few_shot", "prompted", "constrained", "tuned_constrained")
LADDER = [
    f"evaluate.baselines=[{', '.join(NAMES)}]",
    "evaluate.prompted={text: 'Call one function. {system}', turns: [{user: hi, assistant: '{}'}]}",
]


def right(share: float) -> Callable[[Prompt], str]:
    """Right about so many of the tasks."""
    table = oracle(COUNT)

    def answer(prompt: Prompt) -> str:
        words = last_words(prompt)
        number = int("".join(filter(str.isdigit, words)))
        return table(prompt) if number < share * COUNT else call("Rain", city="Nowhere")

    return answer


def bench(**answers: Callable[[Prompt], str]) -> FakeBench:
    given = {"zero_shot": never, "few_shot": right(0.2), "prompted": right(0.1)}
    given |= {"constrained": right(0.3), "tuned": right(0.9), "tuned_constrained": right(1.0)}
    found = FakeBench({**given, **answers})
    for engine in found.engines.values():
        engine.capabilities = GRAMMAR
    return found


def made(folder: Path, *overrides: str, on: FakeBench | None = None, **more: Any) -> Artifact:
    with project(folder, count=COUNT, overrides=[*LADDER, *overrides], **more) as run:
        return report(run, on or bench())


def ladder_of(report: Artifact) -> dict[str, Any]:
    found: dict[str, Any] = read_json(report.file("summary.json"))["suites"][0]["ladder"]
    return found


def test_every_rung_stands_in_the_report_with_its_value_and_costs(tmp_path: Path) -> None:
    ladder = ladder_of(made(tmp_path))
    assert [one["system"] for one in ladder["rungs"]] == [
        *("zero_shot", "few_shot", "prompted", "constrained", "tuned", "tuned_constrained")
    ]
    values = {one["system"]: one["value"] for one in ladder["rungs"]}
    assert values == pytest.approx(dict(zip(values, (0.0, 0.2, 0.1, 0.3, 0.9, 1.0), strict=True)))
    rungs = {one["system"]: one for one in ladder["rungs"]}
    assert rungs["few_shot"]["prompt_tokens"] > rungs["zero_shot"]["prompt_tokens"] > 0
    assert rungs["zero_shot"]["answer_tokens"] == COUNT * len(never(Prompt(ids=())))
    assert rungs["tuned"]["latency"] == {"p50": 0.0, "p95": 0.0, "n": COUNT}
    assert (ladder["metric"], ladder["best"]) == ("exact_match", "constrained")


def test_tuning_was_needed_where_it_is_surely_better_than_every_rung(tmp_path: Path) -> None:
    ladder = ladder_of(made(tmp_path))
    assert ladder["needed"] == "yes"
    assert [one["baseline"] for one in ladder["differences"]] == list(NAMES[:4])
    assert all(one["low"] > 0 for one in ladder["differences"])


@pytest.mark.parametrize(("best", "answer"), [(0.85, "not shown"), (1.0, "no")])
def test_one_rung_that_is_as_good_or_better_is_enough_to_deny_it(
    best: float, answer: str, tmp_path: Path
) -> None:
    tuned = right(0.9 if answer == "not shown" else 0.4)
    ladder = ladder_of(made(tmp_path, on=bench(prompted=right(best), tuned=tuned)))
    assert (ladder["needed"], ladder["best"]) == (answer, "prompted")


def test_the_held_model_is_paired_with_the_best_rung_and_with_itself_set_free(
    tmp_path: Path,
) -> None:
    held = ladder_of(made(tmp_path))["constrained"]
    assert set(held) == {"constrained", "tuned"}
    assert held["constrained"]["difference"] == pytest.approx(0.7)
    assert held["tuned"]["difference"] == pytest.approx(0.1)
    assert held["constrained"]["low"] > 0.3


def test_rules_know_the_rungs(tmp_path: Path) -> None:
    metrics = read_metrics(made(tmp_path).file(METRICS))
    for name, outcome in (("prompted", "pass"), ("constrained", "pass")):
        rule = parse(f"calls.exact_match >= {name} + 0.10")
        assert decide(rule, evidence(rule, metrics, "tuned")).outcome == outcome
    rule = parse("calls.exact_match >= tuned_constrained + 0.00")
    assert decide(rule, evidence(rule, metrics, "tuned")).outcome != "pass"


def words_of(engine: Recording) -> list[str]:
    return [turn.content for turn in engine.seen[0].messages]


def test_the_written_prompt_stands_before_the_request_and_the_row_s_own_in_it(
    tmp_path: Path,
) -> None:
    on = bench()
    made(tmp_path, on=on)
    prompted = words_of(on.engines["prompted"])
    assert prompted[:3] == ["Call one function.", "hi", "{}"]
    assert len(prompted) == 4


def test_a_written_prompt_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Answer with a call.\n")
    on = bench()
    made(tmp_path, "evaluate.prompted={path: prompt.txt}", on=on)
    assert words_of(on.engines["prompted"])[0] == "Answer with a call."
    on.adapter = "two"  # another report
    (tmp_path / "prompt.txt").write_text(" \n")
    with pytest.raises(RecipeError, match="is empty"):
        made(tmp_path, "evaluate.prompted={path: prompt.txt}", on=on)
    with pytest.raises(RecipeError, match="cannot be read"):
        made(tmp_path, "evaluate.prompted={path: none.txt}", on=on)


@pytest.mark.parametrize(
    ("written", "name"),
    [("null", "few_shot"), ("zero_shot", "zero_shot"), ("prompted", "prompted")],
)
def test_the_constrained_base_has_the_prompt_the_recipe_names(
    written: str, name: str, tmp_path: Path
) -> None:
    on = bench()
    report = made(tmp_path, f"evaluate.constrained_on={written}", on=on)
    assert words_of(on.engines["constrained"]) == words_of(on.engines[name])
    assert words_of(on.engines["tuned_constrained"]) == words_of(on.engines["tuned"])
    assert read_json(report.file("summary.json"))["prompts"]["constrained"] == name


def test_only_constrained_systems_are_held_and_to_the_contract_s_schema(tmp_path: Path) -> None:
    on = bench()
    made(tmp_path, on=on)
    for name, engine in on.engines.items():
        schemas = {one.schema for one in engine.decodings}
        held = "constrained" in name
        assert all(schemas) == held, name
        if held:
            (schema,) = map(json.loads, schemas)
            assert [one["properties"]["name"]["const"] for one in schema["anyOf"]] == [
                tool["function"]["name"] for tool in TOOLS
            ]


def test_held_answers_that_are_cut_are_counted_and_said(tmp_path: Path) -> None:
    heard, on = Heard(), bench()
    on.contract = FakeContract(decoding=Decoding(max_new_tokens=40))
    report = made(tmp_path, on=on, progress=heard)
    long = sum(1 for text in map(oracle(COUNT), _asked(on)) if len(text) > 40)
    assert 0 < report.counts["unfinished.calls.tuned_constrained"] == long
    assert any("held to the schema are cut" in one for one in heard.warnings)
    assert "unfinished.calls.tuned" not in report.counts


def _asked(on: FakeBench) -> Sequence[Prompt]:
    return list({one.ids: one for one in on.engines["tuned"].seen}.values())


def test_an_engine_without_a_grammar_stops_the_evaluation(tmp_path: Path) -> None:
    on = bench()
    on.engines["constrained"].capabilities = frozenset({"ids"})
    with pytest.raises(MissingCapability, match="cannot hold answers to a schema"):
        made(tmp_path, on=on)


def test_a_report_without_baselines_answers_nothing(tmp_path: Path) -> None:
    with project(
        tmp_path, count=COUNT, overrides=["evaluate.baselines=[]", "gate=[calls.parse >= 0.5]"]
    ) as run:
        assert ladder_of(report(run, bench())) is None


def test_latency_is_of_answers_asked_for_alone_and_kept_with_them(tmp_path: Path) -> None:
    on = bench()
    made(tmp_path, on=on)
    assert len(on.engines["tuned"].seen) == 2 * COUNT
    again = bench()
    again.adapter = "two"
    with project(tmp_path, count=COUNT, overrides=LADDER) as run:
        kept = ladder_of(report(run, again, mark="two"))
    assert set(again.opened) == {"tuned", "tuned_constrained"}
    assert next(one for one in kept["rungs"] if one["system"] == "few_shot")["latency"]["n"] == 20


def test_a_quantile_is_one_of_the_values() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([3.0, 1.0, 2.0], 0.95) == 3.0
    assert quantile([4.0, 1.0, 2.0, 3.0], 0.5) == 2.0


RECIPE = """\
name: a
contract: {output_schema: tools.json}
train: {base: b}
evaluate: {suites: [{name: s, path: t.jsonl, scorers: [json]}], baselines: [zero_shot]}
gate: [s.parse >= 0.5]
"""


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["evaluate.baselines=[prompted]"], "`prompted` needs `evaluate.prompted`"),
        (["evaluate.prompted={text: x}"], "`prompted` has no effect"),
        (["evaluate.constrained_on=few_shot"], "`constrained_on` has no effect"),
        (
            ["evaluate.baselines=[constrained]", "evaluate.constrained_on=prompted"],
            "`prompted` needs `evaluate.prompted`",
        ),
        (
            ["evaluate.baselines=[tuned_constrained]", "contract.output_schema=null"],
            "`tuned_constrained` needs a schema to hold answers to",
        ),
        (["evaluate.prompted={turns: []}"], "it is empty"),
        (["evaluate.candidates=[a/b, a/b]"], "`a/b` is named twice"),
        (["gate=[s.parse >= constrained + 0.1]"], "baseline `constrained` is not in"),
    ],
)
def test_keys_of_the_ladder_that_lack_each_other_are_told(overrides: list[str], says: str) -> None:
    with pytest.raises(RecipeError) as raised:
        loads(RECIPE, overrides=overrides)
    assert any(says in row.problem for row in raised.value.rows), raised.value.text()
