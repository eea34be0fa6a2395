from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.journey.project import build, speak
from tests.release.project import SECTION, copied, sealed
from tutelage import pipeline
from tutelage.core.errors import ContractError, GateShut
from tutelage.core.recipe import Precision, load
from tutelage.engine.liveness import scores
from tutelage.engine.local import LocalEngine
from tutelage.engine.release import fingerprint_of, open_release
from tutelage.release.verify import verify
from tutelage.store.artifact import pretty, read_json
from tutelage.store.release import ReleaseFolder, read_release

TODAY = date(2026, 11, 21)
WAIVED = """\
release:
  waivers:
    - {rule: tickets.parse >= 0.99, by: Ada, reason: a pilot, expires: 2999-01-01}
"""


def test_a_release_holds_what_serving_needs_and_not_the_base(release: ReleaseFolder) -> None:
    files = {path.relative_to(release.folder).as_posix() for path in release.folder.rglob("*.*")}
    assert files == {
        "README.md",
        "adapter/model.safetensors",
        "adapter/tuned.json",
        "contract.json",
        "dataset_card.md",
        "lineage.json",
        "manifest.json",
        "metrics.jsonl",
        "recipe.yaml",
        "release.json",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "verdict.json",
    }
    assert release.form["base"]["name"] == "base"
    assert release.form["adapter"]["layout"] == "tuned"
    assert release.label == f"tickets@{release.digest[:12]}"


def test_a_low_rank_release_holds_peft_files_alone(lora: ReleaseFolder) -> None:
    names = sorted(path.name for path in lora.adapter.iterdir())
    assert names == ["adapter_config.json", "adapter_model.safetensors"]
    assert lora.form["adapter"]["layout"] == "lora"


def test_the_card_tells_data_measures_and_verdict(release: ReleaseFolder) -> None:
    text = (release.folder / "README.md").read_text(encoding="utf-8")
    assert "a test" in text
    assert "| data/train.jsonl | CC0-1.0 |" in text
    assert "| tickets.parse | 10 |" in text
    assert "| tickets.parse | few_shot | 10 |" in text
    assert "| `tickets.parse >= 0.00` | pass |" in text


def test_release_and_card_name_the_versions_of_template_and_prompt(tmp_path: Path) -> None:
    build(tmp_path)
    path = tmp_path / "recipe.yaml"
    policy = (
        "contract:\n"
        "  system: {name: desk-v3, text: Name the team.}\n"
        "  variants: [{name: short, text: Team, share: 0.25}]\n"
        "  without_system: 0.5\n"
        "  arguments: {kind: false}\n"
    )
    path.write_text(path.read_text().replace("contract:\n", policy) + SECTION)
    made = read_release(pipeline.release(load(path)).folder)
    told, contract = made.form["prompts"], made.contract
    assert told["system"] == {"name": "desk-v3", "digest": contract["system"]["digest"]}
    assert told["template"]["digest"] == contract["template"]["digest"]
    assert [(one["name"], one["share"]) for one in told["variants"]] == [("short", 0.25)]
    assert (told["without_system"], told["decoding"]["max_new_tokens"]) == (0.5, 8)
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    assert f"| template | `chat template of base` ({told['template']['digest'][:12]}) |" in card
    assert f"| system prompt | `desk-v3` ({told['system']['digest'][:12]}) |" in card
    assert f"| also taught under | `short` ({told['variants'][0]['digest'][:12]}), 25% of" in card
    assert "| taught without it | 50% of the rows |" in card
    assert "| template arguments | `kind: false` |" in card
    assert "| answers | at most 8 tokens, temperature 0, top_p 1 |" in card


def test_what_was_measured_otherwise_is_not_released(release: ReleaseFolder) -> None:
    from tutelage.release.run import measured_contract
    from tutelage.store.base import find_base
    from tutelage.store.run import Run
    from tutelage.store.store import Store

    assert release.project is not None
    report = Store.beside(release.project).load(release.form["report"])
    changed = ["contract.decoding.temperature=0.5"]
    recipe = load(release.project / "recipe.yaml", changed)
    with Run.open(recipe) as run, pytest.raises(ContractError) as raised:
        measured_contract(report, find_base("base", release.project), run)
    assert raised.value.message == "answers are drawn otherwise than was measured"
    assert [row.problem for row in raised.value.rows] == ["0.5, was 0.0"]


def test_lineage_goes_along(release: ReleaseFolder) -> None:
    kinds = [one["kind"] for one in read_json(release.folder / "lineage.json")["artifacts"]]
    assert kinds == ["dataset", "adapter", "report", "verdict"]


def test_unchanged_it_is_taken_from_the_store_and_a_serving_key_makes_another(
    release: ReleaseFolder,
) -> None:
    assert release.project is not None
    recipe = load(release.project / "recipe.yaml")
    assert pipeline.release(recipe).digest == release.digest
    other = load(release.project / "recipe.yaml", ["serve.batch=7"])
    assert pipeline.release(other).digest != release.digest


def test_it_is_proven_and_opened_in_the_precision_it_was_measured_in(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    assert release.project is not None
    assert release.precision == load(release.project / "recipe.yaml").train.precision  # type: ignore[union-attr]
    build(tmp_path)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(recipe.read_text() + SECTION)
    made = {}
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for name in precisions:
        one = load(recipe, [f"train.precision={name}"])
        made[name] = read_release(pipeline.release(one).folder)
        assert made[name].precision == name
        opened = open_release(made[name])
        base, contract = opened.base, opened.contract
        adapter = made[name].adapter
        own = LocalEngine.open(base, adapter, decode=contract.decode, precision=name)
        proven = fingerprint_of(made[name]).tuned
        assert scores(own, contract) == proven == scores(opened.engine, contract)


def test_every_check_passes_wherever_it_is_copied(release: ReleaseFolder, tmp_path: Path) -> None:
    moved = copied(release, tmp_path)
    checks = [*verify(moved, base=str(tmp_path / "base"), today=TODAY)]
    assert [(one.what, one.error) for one in checks] == [
        (what, None) for what in ("files", "verdict", "base", "tokenizer", "contract", "adapter")
    ]


def test_verify_prints_every_check_and_fails_on_a_changed_byte(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    moved = copied(release, tmp_path)
    well = speak(tmp_path, "verify", "release", "--base", "base")
    assert well.code == 0
    assert "ok   adapter" in well.out
    card = moved.folder / "README.md"
    card.write_text(card.read_text() + "better than it is\n")
    said = speak(tmp_path, "verify", "release", "--base", "base")
    assert said.code == 1
    assert "BAD  files" in said.out
    assert "ok   adapter" in said.out
    assert "README.md" in said.err
    form = json.loads(speak(tmp_path, "verify", "release", "--base", "base", "--json").out)
    assert [one["check"] for one in form["data"]["checks"] if not one["ok"]] == ["files"]


def test_a_project_that_is_named_is_where_a_copied_releases_base_is_looked_for(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    assert release.project is not None
    shutil.copytree(release.folder, tmp_path / "release")
    assert speak(tmp_path, "verify", "release").code == 1
    assert speak(tmp_path, "verify", "release", "--project", str(release.project)).code == 0


def states(release: ReleaseFolder, base: Path) -> dict[str, str]:
    """Each check: well, failed, or what it was not reached for."""
    return {
        one.what: "failed" if one.error else "well" if one.ok else one.says
        for one in verify(release, base=str(base), today=TODAY)
    }


def test_what_rests_on_a_failed_check_is_not_reached_and_says_so(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    moved = copied(release, tmp_path)
    (moved.folder / "verdict.json").write_text("{}")
    (moved.adapter / "model.safetensors").write_bytes(b"cut off")
    found = states(moved, tmp_path / "base")
    assert found == {
        "files": "failed",
        "verdict": "not reached: see verdict.json",
        "base": "well",
        "tokenizer": "well",
        "contract": "well",
        "adapter": "not reached: see adapter/model.safetensors",
    }
    away = states(release, tmp_path / "nowhere")
    assert away["base"] == "failed"
    assert away["tokenizer"] == away["contract"] == "not reached: see base"
    (moved.folder / "release.json").write_text((release.folder / "release.json").read_text() + " ")
    assert states(moved, tmp_path / "base")["base"] == "not reached: see release.json"


def test_an_ended_waiver_no_longer_lets_it_be_served(
    release: ReleaseFolder, tmp_path: Path
) -> None:
    moved = copied(release, tmp_path)
    rule = read_json(moved.folder / "verdict.json")["rules"][0]
    shut = {"rules": [{**rule, "outcome": "fail", "because": "it is not"}]}
    (moved.folder / "verdict.json").write_bytes(pretty(shut))
    waiver = {"rule": rule["rule"], "by": "Ada", "reason": "a pilot", "expires": "2026-11-22"}
    form = {**moved.form, "outcome": "fail", "waivers": [{**waiver, "outcome": "fail"}]}
    (moved.folder / "release.json").write_bytes(pretty(form))
    whole = sealed(moved.folder)
    base = str(tmp_path / "base")
    before = [*verify(whole, base=base, today=TODAY)][1]
    assert before.says == "fail, waived until 2026-11-22"
    after = [*verify(whole, base=base, today=date(2026, 11, 22))][1]
    assert after.error is not None
    assert "ended 2026-11-22" in after.error.rows[0].problem
    (moved.folder / "release.json").write_bytes(
        pretty({**form, "waivers": [{**waiver, "outcome": "fail", "expires": "2020-01-01"}]})
    )
    sealed(moved.folder)
    said = speak(tmp_path, "serve", "release", "--base", "base", "--port", "0")
    assert said.code == 3
    assert "no longer has leave to be served" in said.err


def test_made_twice_of_the_same_artifacts_it_has_the_same_digest(release: ReleaseFolder) -> None:
    assert release.project is not None
    again = pipeline.release(load(release.project / "recipe.yaml"), force=True)
    assert again.digest == release.digest


def test_a_release_trained_from_random_weights_needs_no_weights_of_the_base(
    tmp_path: Path,
) -> None:
    build(tmp_path)
    (tmp_path / "base" / "model.safetensors").unlink()
    recipe = tmp_path / "recipe.yaml"
    text = recipe.read_text().replace("method: full", "method: full\n  init: random")
    recipe.write_text(text.replace("[zero_shot, few_shot]", "[]") + SECTION)
    made = read_release(pipeline.release(load(recipe)).folder)
    assert made.form["fingerprint"]["base"] is None
    assert all(one.ok for one in verify(made, today=TODAY))


def test_a_shut_gate_ends_a_run_and_refuses_a_release(tmp_path: Path) -> None:
    build(tmp_path)
    recipe = tmp_path / "recipe.yaml"
    shut = recipe.read_text().replace("parse >= 0.00", "parse >= 0.99")
    recipe.write_text(shut + SECTION)
    outcome = pipeline.run(load(recipe))
    assert list(outcome.artifacts)[-1] == "gate"
    with pytest.raises(GateShut, match="nothing is released"):
        pipeline.release(load(recipe))
    assert speak(tmp_path, "release").code == 3

    recipe.write_text(shut + WAIVED.replace("2999", "2020"))
    late = speak(tmp_path, "run")
    assert late.code == 3
    assert "warning: the waiver of `tickets.parse >= 0.99` by Ada ended 2020-01-01" in late.err
    refused = speak(tmp_path, "release")
    assert refused.code == 3
    assert "its waiver by Ada ended 2020-01-01" in refused.err

    recipe.write_text(shut + WAIVED)
    said = speak(tmp_path, "run", "--json")
    assert said.code == 0
    form = json.loads(said.out)
    assert form["artifacts"][-1]["kind"] == "release"
    folder = Path(form["artifacts"][-1]["folder"])
    waivers = read_json(tmp_path / folder / "release.json")["waivers"]
    assert [one["by"] for one in waivers] == ["Ada"]
    checks = json.loads(speak(tmp_path, "verify", "--json").out)["data"]["checks"]
    assert checks[1]["says"].endswith("waived until 2999-01-01")
