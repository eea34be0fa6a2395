"""The first half of the road, walked on a micro base: rows to verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.journey.project import ROWS, Spoken, build, speak

STAGES = ["curate", "train", "evaluate", "gate"]
Again = Callable[..., Spoken]


def form_of(said: Spoken) -> dict[str, Any]:
    """The one object of `--json`."""
    form: dict[str, Any] = json.loads(said.out)
    return form


def made(form: dict[str, Any]) -> list[str]:
    """The stages that were not taken from the store."""
    return [name for name, stage in form["data"]["stages"].items() if not stage["reused"]]


def test_a_run_ends_with_systems_verdict_and_report(walked: tuple[Path, Spoken]) -> None:
    folder, said = walked
    assert said.code == 0, said.err
    for word in ("zero_shot", "few_shot", "tuned", "parse", "valid"):
        assert word in said.out
    assert "tuned − few_shot, paired" in said.out
    assert "verdict: pass" in said.out
    assert "PASS  tickets.parse >= 0.00" in said.out
    assert "tickets: model 1 measured on this test" in said.out
    report = next(line for line in said.out.splitlines() if line.startswith("report: "))
    page = (folder / report.removeprefix("report: ")).read_text(encoding="utf-8")
    assert "tickets" in page


def test_talk_is_on_stderr(walked: tuple[Path, Spoken]) -> None:
    _, said = walked
    ended = [line.split()[0] for line in said.err.splitlines() if " made " in line]
    assert ended == ["curate", "tokens", "train", "evaluate", "gate"]


def test_every_artifact_is_whole_and_nothing_half_written_is_left(
    walked: tuple[Path, Spoken],
) -> None:
    store = walked[0] / ".tutelage"
    folders = [*(store / "store").glob("*-*")]
    kinds = {folder.name.partition("-")[0] for folder in folders}
    assert kinds == {"adapter", "dataset", "report", "tokens", "verdict"}
    assert all((folder / "manifest.json").is_file() for folder in folders)
    assert [*(store / "temp").glob("*")] == []
    assert [*(store / "checkpoints").glob("*/*")] == []


def test_a_second_run_does_no_work_and_says_so(again: Again) -> None:
    said = again("run")
    assert said.code == 0
    assert "nothing changed: no work was done" in said.out
    assert said.err.count("unchanged, taken from the store") == len(STAGES) + 1  # and the tokens
    assert made(form_of(again("run", "--json"))) == []


@pytest.mark.parametrize(
    ("override", "anew"),
    [
        ("gate=[tickets.valid >= 0.0]", ["gate"]),
        ("contract.decoding.max_new_tokens=6", ["evaluate", "gate"]),
        ("evaluate.limit=9", ["evaluate", "gate"]),
        ("train.epochs=1", ["train", "evaluate", "gate"]),
        ("curate.rows=30", STAGES),
    ],
)
def test_one_key_changed_runs_only_what_is_downstream(
    again: Again, override: str, anew: list[str]
) -> None:
    said = again("run", "--json", "--set", override)
    assert said.code in (0, 3), said.err
    assert made(form_of(said)) == anew


def test_a_shut_gate_ends_with_its_own_code(again: Again) -> None:
    said = again("run", "--json", "--set", "gate=[tickets.parse >= 0.99]")
    form = form_of(said)
    assert (said.code, form["status"], form["error"]["code"]) == (3, "shut", "gate_shut")
    assert form["data"]["verdict"]["outcome"] in ("fail", "inconclusive")
    assert made(form) == ["gate"]


def test_the_test_is_spent_once_however_often_it_is_asked(
    again: Again, walked: tuple[Path, Spoken]
) -> None:
    ledger = walked[0] / ".tutelage" / "test-uses.jsonl"
    before = ledger.read_bytes()
    form = form_of(again("evaluate", "--force", "--json"))
    assert made(form) == ["evaluate"]
    assert ledger.read_bytes() == before
    first = json.loads(before.splitlines()[0])
    assert first["adapter"]
    assert first["suite"] == "tickets"
    verdict = form_of(again("gate", "--json"))["data"]["verdict"]
    assert verdict["uses"] == {"tickets": 1}


def test_the_gate_writes_its_verdict_as_junit_too(
    again: Again, walked: tuple[Path, Spoken]
) -> None:
    path = walked[0] / "out" / "gate.xml"
    shut = again("gate", "--junit", str(path), "--set", "gate=[tickets.parse >= 0.99]")
    assert shut.code == 3
    root = ElementTree.parse(path).getroot()
    assert (root.get("tests"), len([*root.iter("testcase")])) == ("1", 1)
    assert len([*root.iter("failure"), *root.iter("error")]) == 1


def test_a_stage_runs_with_what_it_depends_on_and_no_further(tmp_path: Path) -> None:
    folder = build(tmp_path)
    form = form_of(speak(folder, "train", "--json"))
    assert [one["stage"] for one in form["artifacts"]] == ["curate", "train"]
    assert not [*(folder / ".tutelage" / "store").glob("report-*")]


def test_force_makes_the_stage_anew_and_comes_to_the_same(
    again: Again, walked: tuple[Path, Spoken]
) -> None:
    form = form_of(again("train", "--force", "--json"))
    assert made(form) == ["train"]
    name = form["data"]["stages"]["train"]["artifact"]
    assert (walked[0] / ".tutelage" / "store" / name).is_dir()


def test_the_verdict_leads_back_to_every_row(again: Again) -> None:
    form = form_of(again("lineage", "--rows", "--json"))
    assert len(form["data"]["rows"]) == ROWS
    tree = json.dumps(form["data"]["tree"])
    assert all(name in tree for name in ("dataset-", "adapter-", "report-", "verdict-"))
    assert "source:data/train.jsonl" in tree


def test_a_row_leads_forward_to_what_was_made_with_it(again: Again) -> None:
    form = form_of(again("explain-row", "data/train.jsonl:1", "--json"))
    (story,) = form["data"]["rows"]
    assert {"curate", "train"} <= {entry["stage"] for entry in story["decisions"]}
    kinds = {name.partition("-")[0] for name in story["made_with_it"]}
    assert kinds == {"tokens", "adapter", "report", "verdict"}


def test_two_runs_are_compared_task_by_task(again: Again) -> None:
    first = form_of(again("run", "--json"))["data"]["run"]
    second = form_of(again("run", "--json", "--set", "train.epochs=1"))["data"]["run"]
    form = form_of(again("compare", first, second, "--json"))
    assert form["data"]["recipe"].keys() == {"train.epochs"}
    metrics = [one["metric"] for one in form["data"]["differences"]]
    assert {"parse", "valid"} <= set(metrics)
    drawn = again("compare", first, second).out
    assert "train.epochs" in drawn
    assert "10 tasks both answered" in drawn


def test_lora_walks_the_same_road(again: Again) -> None:
    said = again("train", "--json", "--set", "train.method=lora", "--set", "train.lora.rank=2")
    assert said.code == 0, said.err
    assert made(form_of(said)) == ["train"]


def test_plan_tells_what_training_will_take(tmp_path: Path) -> None:
    said = speak(build(tmp_path), "plan", "--price-per-hour", "3600", "--watts", "3600000")
    assert said.code == 0, said.err
    sizes, _, open_ = said.out.partition("\n\n")
    told = {line.split()[0] for line in sizes.splitlines()}
    assert told == {"model", "lessons", "steps", "time", "memory", "disk", "cost", "energy"}
    assert open_.startswith("what the recipe leaves open\n")
    assert "  warmup: 0.03  3 % of the steps" in open_
    assert "  epochs" not in open_, "the recipe says it"
