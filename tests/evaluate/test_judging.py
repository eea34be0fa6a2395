from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evaluate.fakes import FakeBench, Heard, never, oracle, project, report
from tests.score.judges import answering
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Recipe, loads
from tutelage.core.rule import decide, evidence, parse
from tutelage.evaluate.judging import Asking
from tutelage.gate.decide import judge
from tutelage.score.endpoint import Unanswered
from tutelage.score.judges import judge_measures
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.tables import SAMPLES, read_samples

COUNT = 12
RECIPE = """
name: music
contract: {{output_schema: tools.json}}
curate: {{sources: [{{path: train.jsonl, origin: human, licence: CC0-1.0}}]}}
train: {{base: base}}
evaluate:
  suites: [{{name: calls, path: test.jsonl, scorers: [call], slices: [intent]}}]
  baselines: [zero_shot]
  judges:
    - {{name: taste, endpoint: "{url}", model: m, labels: {{path: labels.jsonl, agreement: 0.6}}}}
    - {{name: free, endpoint: "{url}", model: n}}
    - {{name: marks, endpoint: "{url}", model: m, kind: rubric, criteria: [formatting]}}
gate:
  - calls.taste_win_rate >= 0.6
  - calls.free_win_rate >= 0.6
  - calls.taste_win_rate@intent=Play >= 0.1
  - calls.marks_formatting >= zero_shot
"""


def likes_calls(words: str) -> str:
    """Prefers what looks like a call, and the better label."""
    if "Mark the answer" in words:
        return "[[5]]" if '{"name"' in words.partition("<answer>")[2] else "[[1]]"
    a, _, b = words.partition("</answer_a>")
    first, second = ('{"name"' in part.partition("<answer_")[2] for part in (a, b))
    return "[[TIE]]" if first == second else "[[A]]" if first else "[[B]]"


def always_first(words: str) -> str:
    return "[[3]]" if "Mark the answer" in words else "[[A]]"


def labels(folder: Path) -> None:
    rows = [
        {
            "request": f"request {number}",
            "first": '{"name": "Play"}' if number % 2 else "Sure!",
            "second": "Sure!" if number % 2 else '{"name": "Play"}',
            "label": "first" if number % 2 else "second",
        }
        for number in range(60)
    ]
    (folder / "labels.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def judged(folder: Path, reply: object, heard: Heard | None = None) -> tuple[Artifact, Recipe]:
    labels(folder)
    with (
        answering(reply) as (url, _),  # type: ignore[arg-type]
        project(folder, recipe=RECIPE.format(url=url), count=COUNT, progress=heard) as run,
    ):
        check_recipe(run.recipe)
        made = report(run, FakeBench({"tuned": oracle(COUNT), "zero_shot": never}))
        return made, run.recipe


def test_judges_give_metrics_rules_may_rest_on_once_they_agree_with_people(tmp_path: Path) -> None:
    heard = Heard()
    made, recipe = judged(tmp_path, likes_calls, heard)
    verdict = judge(recipe.rules(), read_metrics(made.file(METRICS)))
    calibrated, free, by_slice, marks = (one.decided for one in verdict.rules)
    assert calibrated.outcome == "pass"
    assert (free.outcome, marks.outcome) == ("inconclusive", "inconclusive")
    assert "judge `free` has no labels of people" in free.because
    assert "labels" in verdict.rules[1].advice
    assert (by_slice.outcome, by_slice.bounds.n if by_slice.bounds else 0) == ("pass", COUNT // 2)
    assert any("judge `free`" in one for one in heard.warnings)
    form = {one["name"]: one for one in read_json(made.file("summary.json"))["judges"]}
    assert form["taste"]["locked"] == ""
    assert form["taste"]["suites"]["calls"]["win_rate"]["value"] == 1.0
    assert form["taste"]["suites"]["calls"]["inconsistent"]["value"] == 0.0
    assert form["taste"]["calibration"]["agreement"]["value"] == 1.0
    assert form["marks"]["suites"]["calls"]["means"]["tuned.formatting"]["value"] == 1.0
    assert form["taste"]["spent"]["asked"] > 100
    scores = {one.system: one.scores for one in read_samples(made.file(SAMPLES))}
    assert (scores["tuned"]["taste_win_rate"], scores["zero_shot"]["taste_win_rate"]) == (1.0, 0.0)
    lines = made.file("ratings.jsonl").read_text().splitlines()
    assert len(lines) == 2 * 2 * COUNT + 2 * COUNT  # two judges in both orders, one of both alone


def test_a_constant_judge_opens_no_gate(tmp_path: Path) -> None:
    made, recipe = judged(tmp_path, always_first)
    metrics = read_metrics(made.file(METRICS))
    for rule in recipe.rules():
        decided = decide(rule, evidence(rule, metrics, "tuned"))
        assert decided.outcome == "inconclusive"
    first = decide(recipe.rules()[0], evidence(recipe.rules()[0], metrics, "tuned"))
    assert "agrees with people on 0.0% of 60 pairs" in first.because


def rubric(folder: Path, reply: object, more: str = "") -> tuple[str, str]:
    """What a gate says of the marks of a judge with people's labels."""
    labels(folder)
    text = RECIPE.replace("kind: rubric,", "kind: rubric, labels: {{path: labels.jsonl}},")
    with (
        answering(reply) as (url, _),  # type: ignore[arg-type]
        project(folder, recipe=text.format(url=url), count=COUNT) as run,
    ):
        made = report(run, FakeBench({"tuned": oracle(COUNT), "zero_shot": never}))
    rule = parse("calls.marks_formatting >= 0.7")
    decided = decide(rule, evidence(rule, read_metrics(made.file(METRICS)), "tuned"))
    return decided.outcome, decided.because


def test_marks_open_a_gate_once_their_order_is_that_of_people(tmp_path: Path) -> None:
    assert rubric(tmp_path, likes_calls)[0] == "pass"


def test_a_judge_that_marks_everything_alike_opens_no_gate(tmp_path: Path) -> None:
    def praises(words: str) -> str:
        return "[[5]]" if "Mark the answer" in words else likes_calls(words)

    outcome, because = rubric(tmp_path, praises)
    assert outcome == "inconclusive"
    assert "judge `marks` for `formatting` agrees with people on 0.0% of 60 pairs" in because


def test_a_judge_that_marks_a_constant_answer_high_opens_no_gate(tmp_path: Path) -> None:
    def falls(words: str) -> str:
        return "[[5]]" if "This answer is the best" in words else likes_calls(words)

    outcome, because = rubric(tmp_path, falls)
    assert outcome == "inconclusive"
    assert "marks a constant answer low in 0.0% of 60 looks" in because


def test_a_stopped_evaluation_does_not_ask_again(tmp_path: Path) -> None:
    labels(tmp_path)
    bench = {"tuned": oracle(COUNT), "zero_shot": never}
    with (
        answering(likes_calls) as (url, sent),
        project(tmp_path, recipe=RECIPE.format(url=url), count=COUNT) as run,
    ):
        report(run, FakeBench(bench))
        asked = len(sent)
        report(run, FakeBench(bench), mark="two")
    assert len(sent) == asked


def test_a_look_that_an_endpoint_refuses_has_no_verdict_and_stops_nothing(tmp_path: Path) -> None:
    heard = Heard()
    labels(tmp_path)
    bench = {"tuned": oracle(COUNT), "zero_shot": never}
    with (
        answering(likes_calls, [200] * 30 + [400, 413, 422]) as (url, _),
        project(tmp_path, recipe=RECIPE.format(url=url), count=COUNT, progress=heard) as run,
    ):
        made = report(run, FakeBench(bench))
    form = {one["name"]: one for one in read_json(made.file("summary.json"))["judges"]}
    assert {name: one["refused"] for name, one in form.items()} == {
        "taste": 3,
        "free": 0,
        "marks": 0,
    }
    assert form["taste"]["calibration"]["agreement"]["n"] == 60
    assert "judge `taste`: its endpoint refused 3 looks" in " ".join(heard.warnings)


def test_a_refused_look_at_an_answer_is_unread(tmp_path: Path) -> None:
    labels(tmp_path)
    looks = 60 * 2 + 60 * 2  # both orders, and beside a constant
    bench = {"tuned": oracle(COUNT), "zero_shot": never}
    with (
        answering(likes_calls, [200] * looks + [400, 400]) as (url, _),
        project(tmp_path, recipe=RECIPE.format(url=url), count=COUNT) as run,
    ):
        made = report(run, FakeBench(bench))
    taste = read_json(made.file("summary.json"))["judges"][0]
    assert (taste["refused"], taste["suites"]["calls"]["unread"]) == (2, 2)
    assert taste["suites"]["calls"]["win_rate"]["n"] == COUNT - 1


def test_a_judge_that_left_out_many_looks_opens_no_gate(tmp_path: Path) -> None:
    labels(tmp_path)
    looks = 60 * 2 + 60 * 2
    heard = Heard()
    for refused, outcome in ((1, "pass"), (2, "inconclusive")):  # of 24
        (tmp_path / str(refused)).mkdir()
        with (
            answering(likes_calls, [200] * looks + [400] * refused) as (url, _),
            project(
                tmp_path / str(refused),
                recipe=RECIPE.format(url=url).replace("labels.jsonl", "../labels.jsonl"),
                count=COUNT,
                progress=heard,
            ) as run,
        ):
            made = report(run, FakeBench({"tuned": oracle(COUNT), "zero_shot": never}))
            verdict = judge(run.recipe.rules(), read_metrics(made.file(METRICS)))
        assert verdict.rules[0].decided.outcome == outcome
    assert "no verdict in 2 of 24 looks at `calls`" in verdict.rules[0].decided.because
    assert "see what its endpoint says to them" in verdict.rules[0].advice
    assert any("no verdict in 2 of 24 looks" in warning for warning in heard.warnings)


def test_answers_of_one_system_that_a_judge_leaves_out_lock_its_marks(tmp_path: Path) -> None:
    """Two of twelve of the tuned model's, none of the base's: one in twelve of all, in five one."""
    labels(tmp_path)
    seen: list[str] = []

    def stumbles(words: str) -> str:
        answer = words.partition("<answer>")[2]
        if "Mark the answer" in words and '"city"' in answer:
            seen.append(answer)
            if len(seen) <= 2:
                return "hm"
        return likes_calls(words)

    with (
        answering(stumbles) as (url, _),
        project(tmp_path, recipe=RECIPE.format(url=url), count=COUNT) as run,
    ):
        made = report(run, FakeBench({"tuned": oracle(COUNT), "zero_shot": never}))
    marks = read_json(made.file("summary.json"))["judges"][2]["suites"]["calls"]
    assert marks["unread"] == 2
    assert "in 2 of 12 looks at `calls` of tuned for formatting" in marks["locked"]


@pytest.mark.parametrize(("failures", "asked"), [([400] * 99, 10), ([400] * 4, 4)])
def test_an_endpoint_that_refuses_every_look_ends_the_evaluation(
    failures: list[int], asked: int
) -> None:
    left = list(failures)

    def refuses(words: str, repeat: int = 0) -> str:
        if left and left.pop(0) == 400:
            raise Unanswered("no")
        return "[[A]]"

    class Refusing:
        ask = staticmethod(refuses)

    asking = Asking(endpoint=Refusing())  # type: ignore[arg-type]
    with pytest.raises(Unanswered):
        for _ in range(min(len(failures), 12)):
            asking.ask("x")
        asking.check()
    assert asking.refused == asked
    if not left:
        assert asking.ask("x") == "[[A]]"
        asking.check()


@pytest.mark.parametrize(
    ("judge", "problem"),
    [
        ("name: a, model: m, against: few_shot", "`few_shot` is not in evaluate.baselines"),
        ("name: a, model: m, suites: [other]", "there is no suite `other`"),
        ("name: taste, model: m", "judge `taste` is named twice"),
        (
            "name: a, model: m, criteria: [formatting]",
            "`criteria` has no effect with `kind: pairwise`",
        ),
        ("name: a, model: m, kind: rubric, against: few_shot", "`against` has no effect"),
        ("name: a, model: m, kind: rubric, criteria: [is polite]", "`is polite` is none of"),
        ("name: a, model: m, kind: rubric, criteria: [politeness]", "`politeness` is none of"),
        ("name: a, model: m, kind: rubric, criteria: ['formatting: x']", "is none of helpfulness"),
        ("name: a, model: m, kind: rubric, criteria: ['b: x', 'b: y']", "each is named once"),
    ],
)
def test_judges_that_contradict_the_recipe_are_told(judge: str, problem: str) -> None:
    text = RECIPE.format(url="http://127.0.0.1:1/v1")
    more = f'    - {{{judge}, endpoint: "http://127.0.0.1:1/v1"}}\ngate:\n'
    with pytest.raises(RecipeError) as raised:
        loads(text.replace("gate:\n", more))
    assert any(problem in row.problem for row in raised.value.rows)


@pytest.mark.parametrize(
    ("judge", "problem"),
    [
        (
            "name: free_win, model: m, kind: rubric, criteria: ['rate: x']",
            "`free_win_rate` of judge `free_win` is that of judge `free`, too",
        ),
        ("name: taste_lc, model: m", "`taste_lc_win_rate` of judge `taste_lc` is that of"),
        ("name: free, model: m, kind: rubric, criteria: ['longer: x']", "named twice"),
        (
            "name: slot, model: m, kind: rubric, criteria: ['f1: x']",
            "`slot_f1` of judge `slot` is given already",
        ),
        (
            "name: people_x, model: m, kind: rubric, criteria: ['y: x']",
            "",
        ),
    ],
)
def test_two_judges_give_no_metric_of_one_name(judge: str, problem: str) -> None:
    text = RECIPE.format(url="http://127.0.0.1:1/v1")
    more = f'    - {{{judge}, endpoint: "http://127.0.0.1:1/v1"}}\ngate:\n'
    told = []
    try:
        check_recipe(loads(text.replace("gate:\n", more)))
    except RecipeError as error:
        told = [row.problem for row in error.rows]
    assert any(problem in one for one in told) if problem else not told


def test_rules_on_judges_there_are_not_are_told() -> None:
    text = RECIPE.format(url="http://127.0.0.1:1/v1").replace("free_win_rate >=", "fre_win_rate >=")
    with pytest.raises(RecipeError) as raised:
        check_recipe(loads(text))
    assert "did you mean `free_win_rate`" in raised.value.rows[0].problem


def test_a_criterion_of_ones_own_has_a_name_that_rules_may_use() -> None:
    text = RECIPE.format(url="http://127.0.0.1:1/v1")
    text = text.replace("criteria: [formatting]", "criteria: ['brevity: says it in few words']")
    recipe = loads(text.replace("marks_formatting", "marks_brevity"))
    check_recipe(recipe)
    assert recipe.evaluate is not None
    (measure,) = judge_measures(recipe.evaluate.judges[2:])
    assert (measure.metric, measure.says) == (
        "marks_brevity",
        "mark for brevity by judge `marks`, 0 to 1",
    )


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ("calls.taste_win_rate@intent >= 0.1", "write `@intent=VALUE`, or `@intent=*`"),
        ("memorisation.uses <= 3", "`memorisation` has no file"),
    ],
)
def test_rules_that_could_never_be_shown_are_told(rule: str, problem: str) -> None:
    text = RECIPE.format(url="http://127.0.0.1:1/v1") + f"  - {rule}\n"
    text = text.replace("  baselines: [zero_shot]", "  baselines: [zero_shot]\n  memorisation: {}")
    with pytest.raises(RecipeError) as raised:
        check_recipe(loads(text))
    assert problem in raised.value.rows[0].problem
