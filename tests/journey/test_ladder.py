"""The ladder and the candidates on real weights, however few."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journey.project import Spoken, build, speak
from tests.micro import micro_base
from tutelage.score.schema import Schema
from tutelage.store.store import Store
from tutelage.store.tables import SAMPLES, read_samples

pytest.importorskip("llguidance", reason="extra `constrained`")
SCHEMA = {
    "type": "object",
    "properties": {"team": {"enum": ["billing", "shipping", "account", "technical"]}},
    "required": ["team"],
    "additionalProperties": False,
}
NAMES = "[zero_shot, few_shot, prompted, constrained, tuned_constrained]"
LADDER = [
    *("--set", f"evaluate.baselines={NAMES}"),
    *("--set", "evaluate.prompted={text: Name the team.}"),
    *("--set", "contract.decoding.max_new_tokens=100"),
]


def data(said: Spoken) -> dict[str, Any]:
    assert said.code == 0, said.err
    found: dict[str, Any] = json.loads(said.out)["data"]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = build(tmp_path_factory.mktemp("ladder"))
    (made / "answer.schema.json").write_text(json.dumps(SCHEMA))
    return made


def test_constrained_answers_of_base_and_tuned_model_satisfy_the_schema(folder: Path) -> None:
    ladder = data(speak(folder, "evaluate", *LADDER, "--json"))["ladder"]["tickets"]
    assert [one["system"] for one in ladder["rungs"]][3:] == [
        *("constrained", "tuned", "tuned_constrained")
    ]
    report = next(
        one
        for one in Store.beside(folder).root.glob("store/report-*")
        if (one / "summary.json").exists()
    )
    held = [one for one in read_samples(report / SAMPLES) if "constrained" in one.system]
    assert len(held) == 20
    scorer = Schema(SCHEMA)
    whole = [one for one in held if one.scores["finished"]]
    assert all(scorer.valid(one.answer) for one in whole)
    assert len(whole) == 20  # five parts, at most 16 blanks apart
    assert not any(
        scorer.valid(one.answer)
        for one in read_samples(report / SAMPLES)
        if one.system in ("zero_shot", "few_shot", "prompted")
    )
    said = speak(folder, "evaluate", *LADDER)
    assert said.out.startswith("was fine-tuning needed on tickets? ")


def test_candidates_are_compared_on_the_same_held_out_rows(folder: Path) -> None:
    micro_base(folder / "other", seed=3)
    (folder / "other" / "README.md").write_text("---\nlicense: mit\n---\n# other\n")
    words = ["candidates", "--set", "evaluate.candidates=[other]", "--set", "evaluate.limit=3"]
    found = data(speak(folder, *words, "--json"))
    own, other = found["candidates"]
    assert (own["name"], other["name"]) == ("base", "other")
    assert (own["licence"], other["licence"]) == ("not stated", "mit")
    assert own["parameters"] == other["parameters"] > 10_000
    assert own["context"] == 512
    assert own["own_template"]
    assert own["tokens_per_row"] == other["tokens_per_row"] > 40
    assert found["suites"] == {"tickets": 3}
    for system in ("zero_shot", "few_shot"):
        mine, theirs = (one["suites"]["tickets"][system] for one in (own, other))
        assert mine["difference"] is None
        assert theirs["difference"]["n"] == mine["metrics"]["parse"]["n"] == 3
        assert theirs["latency"]["n"] == 3
    page = (folder / found["page"]).read_text()
    assert "| licence | not stated | mit |" in page
    drawn = speak(folder, *words)
    assert drawn.code == 0
    assert "tokens a row" in drawn.out


def test_the_base_s_answers_to_candidates_leave_the_sealed_test_alone(folder: Path) -> None:
    uses = Store.beside(folder).root / "test-uses.jsonl"
    before = uses.read_text() if uses.exists() else ""
    data(speak(folder, "candidates", "--set", "evaluate.candidates=[base]", "--json"))
    assert (uses.read_text() if uses.exists() else "") == before


def test_every_candidate_that_cannot_be_opened_is_named(folder: Path) -> None:
    said = speak(folder, "candidates", "--set", "evaluate.candidates=[./none, ./neither]")
    assert said.code == 1
    assert "2 of 3 bases cannot be opened" in said.err
    assert "./none" in said.err
    assert "./neither" in said.err


def test_candidates_without_any_or_without_held_out_rows_say_what_is_missing(folder: Path) -> None:
    said = speak(folder, "candidates")
    assert said.code == 1
    assert "there is nothing to compare" in said.err
    words = ["candidates", "--set", "evaluate.candidates=[base]", "--set", "curate.validation=0"]
    said = speak(folder, *words)
    assert said.code == 1
    assert "no held-out row can be asked" in said.err
