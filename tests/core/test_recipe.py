from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from tutelage.core import recipe as sections
from tutelage.core.errors import RecipeError, UsageError
from tutelage.core.recipe import Recipe, Section, json_schema, load, loads, resolved

QUICK_START = """\
name: intents
seed: 7
goals: [{id: calls, says: every request becomes one valid function call, metric: calls.exact_match}]
contract: {template: base, output_schema: tools.json, fit: reject}
curate:
  sources: [{path: data/train.jsonl, origin: human, licence: CC0-1.0}]
  validation: 0.05
  invalid: reject
train: {base: tutelage/tiny, method: full, epochs: 2}  # lora is the default; at 5 M full wins
evaluate:
  suites: [{name: calls, path: data/test.jsonl, scorers: [json, schema, call]}]
  baselines: [zero_shot, few_shot]
gate:
  - calls.parse >= 0.97
  - calls.slot_f1 >= few_shot + 0.10
"""


def faults(text: str, *overrides: str) -> dict[str, str]:
    """Problem by place of everything wrong with a recipe called r.yaml."""
    with pytest.raises(RecipeError) as raised:
        loads(text, name="r.yaml", overrides=overrides)
    return {row.where: row.problem for row in raised.value.rows}


def test_the_quick_start_is_accepted_whole() -> None:
    recipe = loads(QUICK_START)
    assert recipe.curate is not None
    assert recipe.curate.sources[0].origin == "human"
    assert recipe.train is not None
    assert (recipe.train.method, recipe.train.epochs) == ("full", 2)
    assert [str(rule) for rule in recipe.rules()] == [
        "calls.parse >= 0.97",
        "calls.slot_f1 >= few_shot + 0.10",
    ]


def test_a_section_left_out_is_a_stage_left_out() -> None:
    recipe = loads("name: x\n")
    assert (recipe.curate, recipe.train, recipe.evaluate, recipe.gate) == (None,) * 4


def test_the_resolved_recipe_loads_to_the_same_recipe() -> None:
    recipe = loads(QUICK_START)
    assert loads(resolved(recipe)) == recipe
    assert "rows_tokens: 2048" in resolved(recipe)


def test_digest_moves_with_what_the_recipe_says_and_not_with_how() -> None:
    recipe = loads(QUICK_START)
    spelled_out = loads(QUICK_START, overrides=["train.warmup=0.03"])
    assert spelled_out.digest() == recipe.digest()
    assert loads(QUICK_START, overrides=["train.warmup=0.04"]).digest() != recipe.digest()


def test_paths_are_relative_to_the_recipe_and_its_folder_is_not_written_down(
    tmp_path: Path,
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(QUICK_START)
    recipe = load(path)
    assert recipe.path("data/train.jsonl") == tmp_path / "data" / "train.jsonl"
    assert str(tmp_path) not in resolved(recipe)
    assert recipe.digest() == loads(QUICK_START).digest()


def test_an_unknown_key_is_named_with_its_place_and_the_nearest_key() -> None:
    text = QUICK_START.replace("epochs: 2", "epoch: 2")
    assert faults(text) == {"r.yaml:9:44": "unknown key `train.epoch`; did you mean `epochs`?"}


def test_an_unknown_section_lists_those_there_are() -> None:
    problem = faults("name: x\nquux: {}\n")["r.yaml:2:1"]
    assert "unknown key `quux`" in problem
    assert "evaluate" in problem


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    text = (
        QUICK_START.replace("origin: human", "origin: robot")
        .replace("epochs: 2", "epochs: 0, lora: {targets: 3, rank: x}")
        .replace("calls.parse >=", "calls.parse >")
    )
    assert list(faults(text).items()) == [
        (
            "r.yaml:6:38",
            "`curate.sources.0.origin`: expected 'human', 'human_edited', 'synthetic' or 'log', "
            "found `robot`",
        ),
        ("r.yaml:9:44", "`train.epochs`: expected greater than or equal to 1, found `0`"),
        ("r.yaml:9:62", "`train.lora.targets`: expected a list or 'all', found `3`"),
        (
            "r.yaml:9:74",
            "`train.lora.rank`: expected a valid integer, unable to parse string as an integer, "
            "found `x`",
        ),
        (
            "r.yaml:14:5",
            "`gate.0`: `calls.parse > 0.97` is not a rule: found `>` at column 13; "
            "expected `>=` or `<=`",
        ),
    ]


def test_a_missing_key_is_named_where_it_should_stand() -> None:
    text = QUICK_START.replace(", licence: CC0-1.0", "")
    assert faults(text) == {"r.yaml:6:13": "`curate.sources.0.licence` is missing"}


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ("calls.parse >=", "call.parse >=", "14:5", "suite `call` is not in evaluate.suites"),
        ("epochs: 2", "decay: 0.5", "9:44", "`decay` has no effect with `schedule: cosine`"),
        (
            "epochs: 2",
            "early_stopping: {metric: other.f1}",
            "9:61",
            "suite `other` is not in evaluate.suites (calls)",
        ),
        ("epochs: 2", "early_stopping: {tasks: 9}", "9:61", "`tasks` has no effect"),
        ("[zero_shot, few_shot]", "[zero_shot]", "15:5", "baseline `few_shot` is not in evaluate"),
        ("metric: calls.", "metric: call.", "3:74", "`call.exact_match` is of no suite"),
    ],
)
def test_sections_that_contradict_each_other_are_faults(
    old: str, new: str, place: str, problem: str
) -> None:
    found = faults(QUICK_START.replace(old, new))
    assert list(found) == [f"r.yaml:{place}"]
    assert found[f"r.yaml:{place}"].startswith(problem)


def test_a_suite_is_named_once() -> None:
    suite = "{name: calls, path: data/test.jsonl, scorers: [json, schema, call]}"
    assert list(faults(QUICK_START.replace(suite, f"{suite}, {suite}")).values()) == [
        "suite `calls` is named twice"
    ]


def test_an_adapter_on_untrained_weights_is_a_fault_where_it_is_to_be_evaluated() -> None:
    for method in ("lora", "qlora"):
        control = ("train.init=random", f"train.method={method}")
        assert "cannot be evaluated" in faults(QUICK_START, *control)["--set train.init=random"]
    assert loads(QUICK_START, overrides=["train.init=random"]).train is not None
    alone = "name: a\ntrain: {base: b, init: random, method: lora}\n"
    assert loads(alone).evaluate is None


def test_column_names_go_with_the_fields_format() -> None:
    written = "format: fields, origin: human"
    assert "needs `fields:" in faults(QUICK_START.replace("origin: human", written))["r.yaml:6:13"]
    written = "format: alpaca, fields: {user: a, assistant: b}, origin: human"
    assert "has no effect" in faults(QUICK_START.replace("origin: human", written))["r.yaml:6:13"]


def test_a_key_given_twice_is_a_fault() -> None:
    assert faults("name: a\nseed: 1\nname: b\n") == {"r.yaml:3:1": "`name` is already given"}


@pytest.mark.parametrize(
    ("text", "where"),
    [("a: [", "r.yaml:1:5"), ("- a\n", "r.yaml"), ("", "r.yaml"), ("a: \x00", "r.yaml")],
)
def test_what_is_no_recipe_is_said_to_be_none(text: str, where: str) -> None:
    with pytest.raises(RecipeError) as raised:
        loads(text, name="r.yaml")
    assert raised.value.where == where


def test_files_that_cannot_be_read_are_errors_with_their_name(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no such recipe"):
        load(tmp_path / "none.yaml")
    with pytest.raises(RecipeError, match="a folder"):
        load(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"name: caf\xe9\n")
    with pytest.raises(RecipeError, match="not UTF-8 at byte 9"):
        load(tmp_path / "latin.yaml")


def test_overrides_are_dotted_and_typed_and_reach_into_lists() -> None:
    recipe = loads(
        QUICK_START,
        overrides=[
            "train.epochs=3",
            "train.method=lora",
            "train.lora.targets=[q, v]",
            "curate.sources.0.path=other.jsonl",
            "contract.context_tokens=64",
        ],
    )
    assert recipe.train is not None
    assert (recipe.train.epochs, recipe.train.lora.targets) == (3, ("q", "v"))
    assert recipe.curate is not None
    assert recipe.curate.sources[0].path == "other.jsonl"
    assert recipe.contract.context_tokens == 64


def test_a_fault_of_an_override_names_the_override() -> None:
    assert faults(QUICK_START, "train.epochs=none")["--set train.epochs=none"].startswith(
        "`train.epochs`: expected a valid integer"
    )
    assert faults(QUICK_START, "train.epoch=2") == {
        "--set train.epoch=2": "unknown key `train.epoch`; did you mean `epochs`?"
    }


@pytest.mark.parametrize(
    "override", ["train.epochs", "=2", "train..epochs=2", "name=[", "gate.7=a", "name.x.y=1"]
)
def test_what_is_no_override_is_a_usage_error(override: str) -> None:
    text = QUICK_START
    if override == "name.x.y=1":  # a section stands where a word stood: the recipe is at fault
        assert faults(text, override)
        return
    with pytest.raises(UsageError):
        loads(text, overrides=[override])


def test_the_schema_accepts_the_quick_start_and_refuses_an_unknown_key() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    content = yaml.safe_load(QUICK_START)
    assert validator.is_valid(content)
    content["train"]["epoch"] = 2
    assert not validator.is_valid(content)


def all_sections() -> list[type[BaseModel]]:
    known = [getattr(sections, name) for name in vars(sections)]
    return [one for one in known if isinstance(one, type) and issubclass(one, Section)]


def test_every_key_is_described_and_no_section_has_more_than_forty() -> None:
    for section in all_sections():
        assert len(section.model_fields) <= 40
        for name, known in section.model_fields.items():
            assert known.description, f"{section.__name__}.{name} has no description"


def test_the_keys_of_every_section_are_these() -> None:
    assert list(Recipe.model_fields) == [
        "name",
        "seed",
        "goals",
        "contract",
        "curate",
        "train",
        "evaluate",
        "gate",
        "release",
        "serve",
        "monitor",
        "improve",
    ]
    keys = {section.__name__: " ".join(section.model_fields) for section in all_sections()}
    assert keys["Contract"] == (
        "template arguments date system variants without_system output_schema decoding fit "
        "truncate forged context_tokens"
    )
    assert keys["Curate"] == (
        "sources rows validation group_by stratify licences opt_out people invalid expected stages "
        "screen duplicates conflicting invalid_output leakage canaries synthesis review card "
        "scale"
    )
    assert keys["Synthesis"] == "teacher seeds instruction guide samples agreement rows"
    assert keys["ModelEndpoint"] == (
        "endpoint model api_key_env temperature max_new_tokens retries timeout_seconds "
        "prompt_price answer_price"
    )
    assert keys["Teacher"] == (f"{keys['ModelEndpoint']} licence at_once")
    assert keys["Seeds"] == "sources prompts count each"
    assert keys["Prompts"] == "path format fields roles prompt licence"
    assert keys["Review"] == "reviewers key_env"
    assert keys["Card"] == "tokenizer encoder"
    assert keys["Scale"] == "runner address workers part_rows"
    assert keys["Screen"] == "actions key_env key_file detectors"
    assert keys["Detector"] == "name url least_score token_env batch timeout_seconds"
    assert keys["Duplicates"] == "near prompts answers jaccard"
    assert keys["Leakage"] == "coverage benchmarks"
    assert keys["Benchmark"] == "path format fields roles prompt"
    assert keys["SourceFile"] == (
        "path format fields roles origin licence licence_basis author generator editor columns name"
    )
    assert keys["GeneratedBy"] == "model prompt_digest parameters seed licence"
    assert keys["Columns"] == ("origin licence licence_basis consent_key generator editor parents")
    assert keys["Goal"] == "id says metric shares"
    assert keys["Train"] == (
        "base method optimizer learning_rate epochs rows_tokens step_tokens warmup schedule decay "
        "weight_decay clip_norm teach quotas lora freeze new_tokens start_from label_smoothing "
        "z_loss neftune validate_every_steps checkpoint_every_seconds "
        "checkpoints_kept early_stopping keep on_nan on_spike precision device compile "
        "gradient_checkpointing activation_offload threads parallel sinks seeds init"
    )
    assert keys["EarlyStopping"] == "metric patience min_delta tasks"
    assert keys["Lora"] == "rank alpha dropout targets rslora dora init plus quantisation"
    assert keys["NewToken"] == "text special"
    assert keys["Evaluate"] == (
        "suites baselines few_shot_examples prompted constrained_on candidates limit judges "
        "memorisation batch_tokens"
    )
    assert keys["Prompted"] == "text path turns"
    assert keys["WorkedTurn"] == "user assistant"
    assert keys["Code"] == "sandbox seconds memory_mb"
    assert keys["Judge"] == (
        f"{keys['ModelEndpoint']} name kind against criteria suites repeats labels"
    )
    assert keys["Labels"] == "path agreement sentinel"
    assert keys["Suite"] == (
        "path format fields roles name scorers slices samples code choices text prompt shots "
        "cluster red_team detector"
    )
    assert keys["Canaries"] == "count repeats controls"
    assert keys["Memorisation"] == "rows given least_tokens candidates"
    assert keys["RedTeam"] == "families mutations per_seed"
    assert keys["LabelledOutputs"] == "labels at_least of_each"
    assert keys["Choices"] == "question options answer asks joins apart"
    assert keys["Shots"] == "path count"
    assert keys["Release"] == "notes opt_out waivers"
    assert keys["Waiver"] == "rule by reason expires"
    assert keys["Serve"] == (
        "model client_system guardrails keep batch max_waiting timeout_seconds"
    )
    assert keys["Guardrail"] == "check side action kinds fail"
    assert keys["Monitor"] == "window_hours segments rules"
    assert keys["Improve"] == "review rows licence propose"


def test_sections_of_the_second_half_that_contradict_are_told() -> None:
    text = QUICK_START + (
        "release:\n"
        "  waivers:\n"
        "    - {rule: calls.parse >= 0.5, by: Ada, reason: pilot, expires: 2027-01-01}\n"
        "    - {rule: calls.parse  >= 0.97, by: Ada, reason: pilot, expires: 2027-01-01}\n"
        "serve:\n"
        "  guardrails:\n"
        "    - {check: schema, side: input}\n"
        "    - {check: schema, action: redact}\n"
        "    - {check: schema, action: block}\n"
        "monitor:\n"
        "  rules: [calls.parse >= 0.9, served.parse >= few_shot, "
        "served.parse >= evaluation - 0.1]\n"
    )
    found = faults(text)
    assert [place.split(":")[1] for place in found] == ["18", "22", "23", "26", "26"]
    said = list(found.values())
    assert "is not in `gate`" in said[0]
    assert "flags or blocks" in said[1]
    assert "`served.METRIC`" in said[3]


def test_a_policy_that_contradicts_itself_is_told_key_by_key() -> None:
    text = (
        "name: a\n"
        "contract:\n"
        "  template: {name: t}\n"
        "  system: {name: one, text: A, path: a.md}\n"
        "  without_system: 0.5\n"
        "  variants:\n"
        "    - {name: one, text: B, share: 0.4}\n"
        "    - {name: two, text: C, path: c.md, share: 0.2}\n"
        "    - {name: two, text: D, share: 0.1}\n"
    )
    assert faults(text) == {
        "r.yaml:3:3": "`t` has neither; give it one of `text` and `path`",
        "r.yaml:4:3": "`one` has both; give it one of `text` and `path`",
        "r.yaml:8:7": "`two` has both; give it one of `text` and `path`",
        "r.yaml:7:8": "`one` names another prompt already",
        "r.yaml:9:8": "`two` names another prompt already",
        "r.yaml:6:3": "the shares and `without_system` make 1.2; expected at most 1",
    }


@pytest.mark.parametrize(
    "key", ["without_system: 0.1", "variants: [{name: a, text: b, share: 0.1}]"]
)
def test_a_policy_without_a_system_prompt_is_no_policy(key: str) -> None:
    (problem,) = faults(f"name: a\ncontract: {{{key}}}\n").values()
    assert (
        problem == f"`{key.partition(':')[0]}` stands in for `system`, and there is none: give it"
    )


def test_shares_may_leave_nothing_for_the_prompt_that_is_served() -> None:
    variants = "[{name: a, text: b, share: 0.7}, {name: c, text: d, share: 0.2}]"
    recipe = loads(f"name: a\ncontract: {{system: s, without_system: 0.1, variants: {variants}}}\n")
    assert sum(one.share for one in recipe.contract.variants) == pytest.approx(0.9)


def test_a_gate_has_no_baseline_named_evaluation() -> None:
    found = faults(QUICK_START.replace("few_shot + 0.10", "evaluation + 0.10"))
    (problem,) = found.values()
    assert "only `monitor` compares with `evaluation`" in problem


def test_an_override_nested_too_deeply_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        loads(QUICK_START, overrides=[f"seed={'[' * 5000}"])


def test_faults_of_lists_and_of_names_say_what_was_found() -> None:
    text = "name: a/b\ngate: []\n"
    assert faults(text) == {
        "r.yaml:1:1": r"`name`: expected text that matches `^[A-Za-z0-9][\w.-]*$`, found `a/b`",
        "r.yaml:2:1": "`gate`: expected at least one item, found none",
    }


def test_more_threads_than_a_machine_can_have_are_a_fault() -> None:
    found = faults(QUICK_START, "train.threads=100000")
    assert "less than or equal to 1024" in found["--set train.threads=100000"]


def test_keys_of_a_text_with_a_name_are_told_as_the_users_own() -> None:
    assert faults("name: a\ncontract:\n  system: {nme: a, text: x}\n") == {
        "r.yaml:3:3": "`contract.system.name` is missing",
        "r.yaml:3:12": "unknown key `contract.system.nme`; did you mean `name`?",
    }
    assert faults("name: a\ncontract: {template: {name: 5, text: x}}\n") == {
        "r.yaml:2:23": "`contract.template.name`: expected a valid string, found `5`"
    }
    assert list(faults("name: a\ntrain: {base: b, lora: {targets: [1]}}\n").values()) == [
        "`train.lora.targets.0`: expected a valid string, found `1`"
    ]


def test_what_is_neither_text_nor_section_is_told_both() -> None:
    (problem,) = faults("name: a\ncontract: {system: [1]}\n").values()
    assert problem == "`contract.system`: expected a valid string or keys and values"


def test_blank_texts_are_refused_at_their_places() -> None:
    text = "name: a\ncontract:\n  system: ''\n  template: {name: t, text: ' '}\n"
    assert faults(text) == {
        "r.yaml:3:3": "`system` is blank; expected a text, or no `system` at all",
        "r.yaml:4:23": "the text of `t` is blank",
    }
    (problem,) = faults("name: a\ncontract: {template: ' '}\n").values()
    assert problem == "`template` is blank; expected `base`, `chatml` or a Jinja file"


def test_what_a_template_is_given_already_is_no_argument() -> None:
    text = "name: a\ncontract:\n  arguments: {messages: 1, enable_thinking: false, self: 2}\n"
    assert faults(text) == {
        "r.yaml:3:15": "`messages` is given to the template already; rename this one",
        "r.yaml:3:52": "`self` is given to the template already; rename this one",
    }


@pytest.mark.parametrize(
    ("arguments", "place", "says"),
    [
        (
            "{a: 1, b: .nan}",
            "2:30",
            "`contract.arguments.b`: expected a finite number, found `nan`",
        ),
        ("{b: 2026-01-01}", "2:24", "`contract.arguments.b`: input was not a valid JSON value"),
        ("{a: {b: .inf}}", "2:24", "`contract.arguments.a`: expected a finite number, found `inf`"),
        ("[a]", "2:12", "`contract.arguments`: expected keys and values"),
    ],
)
def test_an_argument_at_fault_is_named(arguments: str, place: str, says: str) -> None:
    found = faults(f"name: a\ncontract: {{arguments: {arguments}}}\n")
    assert found == {f"r.yaml:{place}": says}


def test_a_role_is_taught_once() -> None:
    found = faults("name: a\ntrain: {base: b, teach: {roles: [user, user]}}\n")
    assert found == {"r.yaml:2:40": "`user` is named twice"}


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("truncate: end", "`contract.truncate: end` has no effect with `contract.fit: reject`"),
        ("decoding: {top_p: 0.5}", "`contract.decoding.top_p: 0.5` has no effect at temperature 0"),
        ("decoding: {max_new_tokens: 512}", "`contract.decoding.max_new_tokens: 512` has no"),
        (
            "system: s, without_system: 0.5, variants: [{name: a, text: b, share: 0.5}]",
            "no row is taught under `contract.system`",
        ),
    ],
)
def test_what_can_hardly_be_meant_is_said(section: str, says: str) -> None:
    (doubt,) = loads(f"name: a\ncontract: {{{section}}}\n").contract.doubts(512)
    assert doubt.startswith(says)


def test_what_is_meant_raises_no_doubt() -> None:
    section = "fit: truncate, truncate: end, decoding: {top_p: 0.5, temperature: 1}, system: s"
    recipe = loads(f"name: a\ncontract: {{{section}, without_system: 0.5}}\n")
    assert list(recipe.contract.doubts(512)) == []
    assert list(loads(resolved(loads("name: a\n"))).contract.doubts(512)) == []


def test_an_override_with_a_day_that_is_none_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="month must be in"):
        loads(QUICK_START, overrides=["contract.date=2026-13-01"])


WEIGHTED = QUICK_START.replace("scorers: [json, schema, call]", "scorers: [call], slices: [intent]")
PLAIN_GOAL = "metric: calls.exact_match}]"


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ("{intent=a: 0.5, intent=b: 0.4}", "shares add up to 1; these to 0.9"),
        ("{intent=a: 0.5, length=q1: 0.5}", "of one slice's values"),
        ("{a: 0.5, b: 0.5}", "of one slice's values"),
        ("{intent=a: 1.5, intent=b: -0.5}", "above 0 and at most 1"),
        ("{length=q1: 0.5, length=q2: 0.5}", "`length` is not in the slices of its suite"),
    ],
)
def test_shares_of_a_goal_are_of_one_slice_and_add_up_to_one(shares: str, problem: str) -> None:
    text = WEIGHTED.replace(PLAIN_GOAL, f"metric: calls.exact_match, shares: {shares}}}]")
    (found,) = faults(text).values()
    assert problem in found
    right = WEIGHTED.replace(
        PLAIN_GOAL, "metric: calls.exact_match, shares: {intent=a: 0.25, intent=b: 0.75}}]"
    )
    (goal,) = loads(right).goals
    assert (goal.sliced_by, goal.shares["intent=b"]) == ("intent", 0.75)


def test_a_rule_may_name_a_goal_there_is() -> None:
    rules = "gate:\n  - goals.calls >= 0.9\n"
    assert loads(QUICK_START.replace("gate:\n", rules)).rules()[0].suite == "goals"
    wrong = QUICK_START.replace("gate:\n", "gate:\n  - goals.other >= 0.9\n")
    assert "there is no goal `other` (calls)" in "".join(faults(wrong).values())
    sliced = QUICK_START.replace("gate:\n", "gate:\n  - goals.calls@intent=a >= 0.9\n")
    assert "a goal has no slices" in "".join(faults(sliced).values())
    taken = QUICK_START.replace("{name: calls,", "{name: goals,")
    assert any("name the suite otherwise" in one for one in faults(taken).values())


def test_a_goal_is_named_once() -> None:
    twice = QUICK_START.replace(
        PLAIN_GOAL, PLAIN_GOAL[:-1] + ", {id: calls, says: x, metric: calls.parse}]"
    )
    assert "goal `calls` is named twice" in "".join(faults(twice).values())


def test_a_test_may_not_be_a_source_from_which_a_checkpoint_is_chosen() -> None:
    text = QUICK_START.replace("path: data/test.jsonl", "path: data/train.jsonl")
    (problem,) = faults(text).values()
    assert "a test is not trained on" in problem


JUDGE = '{name: j, endpoint: "http://127.0.0.1:1/v1", model: m'
WEIGHED = """\
name: abilities
train: {base: b}
evaluate:
  baselines: [zero_shot, few_shot]
  suites:
    - {name: truth, path: t.jsonl, scorers: [choices], choices: {asks: "Q: {question}"}}
    - {name: held, path: h.jsonl, scorers: [text], text: said}
gate:
  - truth.acc >= zero_shot - 0.02
"""


def test_suites_that_are_weighed_name_their_columns() -> None:
    recipe = loads(WEIGHED)
    assert recipe.evaluate is not None
    assert [suite.weighed for suite in recipe.evaluate.suites] == [True, True]
    assert [recipe.evaluate.suites[0].asks(one) for one in ("zero_shot", "few_shot")] == [
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (', choices: {asks: "Q: {question}"}', "", "scorer `choices` needs `choices:"),
        (", text: said", "", "scorer `text` needs `text: COLUMN`"),
        ("[choices]", "[choices, exact]", "use `scorers: [choices]`"),
        ('"Q: {question}"', '"Q:"', "`Q:` has no `{question}`"),
        ("text: said", "text: said, prompt: plain", "have no effect without `choices`"),
        ("text: said", "text: said, format: alpaca", "have no effect with `choices` or `text`"),
        ("text: said", "text: said, roles: {me: user}", "have no effect with `choices` or"),
        ("text: said", "text: said, samples: 2", "nothing is drawn"),
        ("zero_shot - 0.02", "few_shot - 0.02", "is weighed without `few_shot`"),
        ("gate:", f"  judges: [{JUDGE}, suites: [held]}}]\ngate:", "in `held` nothing is answered"),
    ],
)
def test_what_a_weighed_suite_cannot_have_is_told(old: str, new: str, problem: str) -> None:
    (found,) = faults(WEIGHED.replace(old, new)).values()
    assert problem in found
