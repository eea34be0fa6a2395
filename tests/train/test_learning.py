"""What more rows would be worth: trainings on parts of them, told and not kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.journey.project import build, speak
from tests.micro import tickets, write_rows
from tutelage.core.curve import power_law


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build(tmp_path_factory.mktemp("learning"))
    write_rows(folder / "data" / "train.jsonl", tickets(120))
    return folder


def test_a_learning_curve_tells_what_twice_the_rows_would_give(project: Path) -> None:
    spoken = speak(project, "curate", "recipe.yaml", "--learning-curve", "--json")

    told = json.loads(spoken.out)
    points = told["data"]["points"]
    taught = points[-1]["rows"]
    assert [one["rows"] for one in points] == [
        round(taught * at) for at in (1 / 8, 1 / 4, 1 / 2, 1)
    ]
    law = power_law([one["rows"] for one in points], [one["loss"] for one in points])
    gain, low, high = law.doubling()
    assert told["data"]["doubling"] == {"gain": gain, "low": low, "high": high}
    assert points[-1]["loss"] < points[0]["loss"]
    kinds = {path.name.partition("-")[0] for path in (project / ".tutelage/store").glob("*-*")}
    assert kinds == {"dataset"}  # no training is kept


def test_without_rows_held_out_there_is_no_curve(project: Path) -> None:
    words = ("curate", "recipe.yaml", "--learning-curve", "--set", "curate.validation=0")
    spoken = speak(project, *words)

    assert spoken.code == 1
    assert "no learning curve of 120 rows and 0 held out" in spoken.err


def test_the_rows_the_base_expects_least_are_listed_and_stay(project: Path) -> None:
    told_all_day = [(f"Was the sky blue on day {n * 31}?", "Yes, it was blue.") for n in range(40)]
    write_rows(project / "data" / "odd.jsonl", [*told_all_day, ("Is it?", "zq xj qz vx jq wxz")])
    words = ["curate.sources.0.path=data/odd.jsonl", "name=odd", "train.base=tutelage/tiny"]
    words += ["curate.validation=0", "train.early_stopping=null"]
    settings = [word for one in words for word in ("--set", one)]

    spoken = speak(project, "curate", "recipe.yaml", "--unlikely", "3", "--json", *settings)

    told = json.loads(spoken.out)["data"]
    losses = [one["loss"] for one in told["rows"]]
    assert told["rows"][0]["source"] == "data/odd.jsonl:41"
    assert losses == sorted(losses, reverse=True)
    assert (len(losses), told["weighed"], told["skipped"]) == (3, 41, 0)
    assert losses[0] > told["p99"] > told["median"] > 0


def test_two_questions_are_not_asked_at_once(project: Path) -> None:
    spoken = speak(project, "curate", "recipe.yaml", "--unlikely", "3", "--learning-curve")

    assert (spoken.code, "one at a time" in spoken.err) == (2, True)
