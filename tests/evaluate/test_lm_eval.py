"""Scores of suites with options beside those lm-eval gave for the same rows and weights.

The fixture is made by `benchmarks/lm_eval_parity.py --fixture`; it names lm-eval's version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tutelage.core.recipe import Choices, Shots, Suite, loads
from tutelage.engine.continuations import logprobs_of
from tutelage.engine.local import LocalEngine
from tutelage.evaluate.weigh import weigh, weighed_sample
from tutelage.render.continuation import Continuations
from tutelage.render.contract import Contract
from tutelage.score.options import LOGPROB, Options
from tutelage.score.task import tasks_of
from tutelage.store.base import find_base
from tutelage.store.ingest import read_examples

FIXTURE = json.loads(Path(__file__).with_name("lm_eval.json").read_text(encoding="utf-8"))
ROUNDING = 2e-3  # nats of an option: fp32 sums in another order


def lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("task", FIXTURE["tasks"], ids=lambda task: task["task"])
def test_scores_are_those_of_lm_eval_and_finite_where_it_has_none(
    task: dict[str, Any], tmp_path: Path
) -> None:
    lines(tmp_path / "rows.jsonl", task["rows"])
    lines(tmp_path / "shots.jsonl", task["shots"])
    shots = Shots(path="shots.jsonl", count=len(task["shots"])) if task["shots"] else None
    suite = Suite(
        name="suite",
        path="rows.jsonl",
        scorers=("choices",),
        choices=Choices(asks=task["asks"]),
        prompt="plain",
        shots=shots,
    )
    recipe = loads("name: parity\n").at(tmp_path)
    base = find_base(FIXTURE["base"], tmp_path)
    contract = Contract.open(recipe.contract, base, recipe)
    engine = LocalEngine.open(base, None, decode=contract.decode, precision="fp32")
    tasks = tasks_of("suite", read_examples(suite, recipe).examples)
    shown = suite.model_copy(update={"path": "shots.jsonl"})
    before = tuple(read_examples(shown, recipe).examples) if shots else ()
    asked = weigh(Continuations(contract=contract), suite, tasks, before)
    lessons = [lesson for one in asked for lesson in one.lessons]
    found = iter(logprobs_of(engine.score, lessons, row_tokens=2048))
    for one, theirs in zip(asked, task["theirs"], strict=True):
        sample = weighed_sample(one, [next(found) for _ in one.lessons], "base", 0.0)
        logs = [sample.scores[f"{LOGPROB}{place}"] for place in range(len(one.lessons))]
        assert logs == pytest.approx(theirs["logprobs"], abs=ROUNDING)
        ours = Options().spent(one.task, sample)
        if "acc_norm" in theirs:
            assert (ours["acc"], ours["acc_norm"]) == (theirs["acc"], theirs["acc_norm"])
        elif theirs["acc"] is None:  # its probabilities all underflow to nothing
            assert 0 <= ours["mc2"] <= 1
        else:
            assert ours["mc2"] == pytest.approx(theirs["acc"], abs=1e-5)
