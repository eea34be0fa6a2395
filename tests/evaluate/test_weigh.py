"""Suites that are weighed, with a real engine on a base of two layers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.evaluate.fakes import Heard, dataset
from tests.micro import micro_base
from tutelage.core.artifact import Provenance
from tutelage.core.errors import RowError
from tutelage.core.recipe import loads
from tutelage.core.sample import Sample
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Engine
from tutelage.evaluate import stage
from tutelage.evaluate.ladder import System
from tutelage.render.continuation import Continuations
from tutelage.render.contract import Contract
from tutelage.render.pack import PackedRow
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.base import find_base
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.run import Run
from tutelage.store.tables import SAMPLES, read_samples

RECIPE = """
name: abilities
seed: 3
train: {base: base}
evaluate:
  suites:
    - name: colours
      path: colours.jsonl
      scorers: [choices]
      choices: {asks: "Q: {question}\\nA:"}
      prompt: plain
      shots: {path: shots.jsonl, count: 2}
    - {name: held, path: held.jsonl, scorers: [text], text: said}
  baselines: [zero_shot, few_shot]
gate:
  - colours.acc >= zero_shot - 0.9
"""
THINGS = ("sky", "grass", "snow", "coal", "blood", "sun", "sea", "leaf", "milk", "night")
COLOURS = ("blue", "green", "white", "black", "red", "yellow")


def questions() -> list[dict[str, object]]:
    return [
        {
            "question": f"what colour is the {thing}?",
            "options": [COLOURS[(at + step) % 6] for step in range(4)],
            "answer": [at % 4, 3] if at % 3 else at % 4,
            "kind": "odd" if at % 2 else "even",
        }
        for at, thing in enumerate(THINGS)
    ]


class MicroBench:
    """The contract and engine of a micro base; counts how often an engine is opened."""

    def __init__(self, folder: Path, adapter: str = "one") -> None:
        base = find_base("base", folder)
        recipe = loads("name: x\n").at(folder)
        self.contract = Contract.open(recipe.contract, base, recipe)
        self.continuations = Continuations(contract=self.contract)
        self.adapter, self.opened = adapter, 0
        self.computed = {"device": "cpu", "precision": "float32"}
        self._base = base

    def digests(self, system: System) -> Mapping[str, str]:
        return {"base": "b"} | ({"adapter": self.adapter} if system.tuned else {})

    def engine(self, system: System) -> Engine:
        self.opened += 1
        return LocalEngine.open(self._base, None, decode=self.contract.decode, precision="fp32")


@contextmanager
def project(folder: Path, *overrides: str, turned: bool = False) -> Iterator[Run]:
    if not (folder / "base").exists():
        micro_base(folder / "base")
    rows = questions()
    files = {
        "colours": rows[::-1] if turned else rows,
        "shots": [{"question": f"{c}?", "options": [c, "no"], "answer": c} for c in COLOURS],
        "held": [{"said": "a short text"}, {"said": "word " * 300}],
    }
    for name, content in files.items():
        text = "".join(json.dumps(row) + "\n" for row in content)
        (folder / f"{name}.jsonl").write_text(text)
    heard = Heard()
    with Run.open(loads(RECIPE, overrides=overrides).at(folder), progress=heard) as run:
        yield run


def report(run: Run, bench: MicroBench, mark: str = "one") -> Artifact:
    section = run.recipe.evaluate
    assert section is not None
    provenance = Provenance(kind="report", inputs={"mark": mark}, section={}, stage_version=1)
    dataset(run)
    return run.make(
        "evaluate", provenance, lambda draft: stage.build(section, [], bench, run, draft)
    )


def scores(made: Artifact, system: str = "tuned") -> dict[str, Mapping[str, float]]:
    return {
        one.task: one.scores for one in read_samples(made.file(SAMPLES)) if one.system == system
    }


def test_options_are_weighed_and_scored_for_base_and_tuned(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, MicroBench(tmp_path))
    found = {(one.suite, one.metric): one for one in read_metrics(made.file(METRICS))}
    for metric in ("acc", "acc_norm", "mc1", "mc2"):
        assert 0 <= found["colours", metric].value <= 1
        assert found["colours", metric].n == len(THINGS)
    assert found["held", "bits_per_byte"].value == pytest.approx(
        math.log2(found["held", "perplexity"].value), rel=0.05
    )  # the micro base reads bytes
    summary = read_json(made.file("summary.json"))
    assert [one["headline"] for one in summary["suites"]] == ["acc", "bits_per_byte"]
    assert set(summary["suites"][0]["systems"]) == {"zero_shot", "tuned"}
    assert summary["suites"][0]["prompts"]["tuned"]["examples"] == 2


def test_what_is_weighed_is_told_while_it_is_and_comes_to_all_of_it(tmp_path: Path) -> None:
    told_before: list[int] = []

    class Watched(MicroBench):
        def engine(self, system: System) -> Engine:
            engine = super().engine(system)
            score = engine.score

            def watched(row: PackedRow) -> NDArray[np.float32]:
                told_before.append(len(heard.ticks))
                return score(row)

            engine.score = watched  # type: ignore[method-assign]
            return engine

    with project(tmp_path, "evaluate.batch_tokens=16") as run:
        heard = run.progress
        assert isinstance(heard, Heard)
        report(run, Watched(tmp_path))
    assert told_before[1] > told_before[0]  # after the first row of many
    done = [tick.done for tick in heard.ticks]
    assert done == sorted(done)
    assert done[-1] == heard.ticks[-1].total == 2 * (len(THINGS) + 2)


@pytest.mark.parametrize("prompt", ["plain", "contract"])
def test_scores_are_the_same_for_any_batch_and_order(tmp_path: Path, prompt: str) -> None:
    asked = f"evaluate.suites.0.prompt={prompt}"
    made = []
    for batch, turned in ((32768, False), (16, False), (32768, True)):
        with project(tmp_path, asked, f"evaluate.batch_tokens={batch}", turned=turned) as run:
            bench = MicroBench(tmp_path, f"{batch}{turned}")
            made.append(scores(report(run, bench, f"{prompt}{batch}{turned}")))
    first, small, other = made
    assert other == {task: first[task] for task in other}  # to the last bit
    for task, one in first.items():
        assert small[task] == pytest.approx(one, abs=2e-5)
        assert {name: small[task].get(name) for name in ("acc", "acc_norm", "mc1")} == {
            name: one.get(name) for name in ("acc", "acc_norm", "mc1")
        }


def test_log_probabilities_are_those_of_one_option_at_a_time(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        bench = MicroBench(tmp_path)
        made = report(run, bench)
        from tutelage.engine.continuations import logprobs_of

        engine = bench.engine(System(name="tuned"))
    row = questions()[0]
    shots = [json.loads(line) for line in (tmp_path / "shots.jsonl").read_text().splitlines()]
    alone = []
    kept = read_json(made.file("summary.json"))["suites"][0]["prompts"]["tuned"]
    assert kept["examples"] == 2
    drawn = sorted(run.generator("evaluate.few_shot.colours").permutation(6)[:2].tolist())
    before = "".join(f"Q: {shots[at]['question']}\nA: {COLOURS[at]}\n\n" for at in drawn)
    for option in row["options"]:  # type: ignore[attr-defined]
        pair = (f"{before}Q: {row['question']}\nA:", f" {option}")
        (parts,) = logprobs_of(
            engine.score, bench.continuations.continued([pair]), row_tokens=10**6
        )
        alone.append(float(parts.sum()))
    first = next(iter(scores(made).values()))
    assert [first[f"logprob:{place}"] for place in range(4)] == pytest.approx(alone, abs=2e-5)


def test_log_probabilities_are_kept_and_taken_from_the_store(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        report(run, MicroBench(tmp_path))
    again = MicroBench(tmp_path, "two")
    with project(tmp_path) as run:
        report(run, again, "two")
        heard = run.progress
    assert again.opened == 2  # the tuned model's two suites; the base's are there
    assert ("evaluate.colours.zero_shot", "reused") in heard.stages  # type: ignore[attr-defined]


def test_every_row_without_a_right_option_is_told(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        bad = [
            {"question": "a?", "options": ["x", "y"], "answer": 2},
            {"question": "b?", "options": ["x"], "answer": 0},
            {"question": "c?", "options": ["x", "y"], "answer": "z"},
        ]
        (tmp_path / "colours.jsonl").write_text("".join(json.dumps(one) + "\n" for one in bad))
        with pytest.raises(RowError) as raised:
            report(run, MicroBench(tmp_path), "bad")
    assert [row.where for row in raised.value.rows] == ["line 1", "line 2", "line 3"]
    assert "its place from 0 to 1" in raised.value.rows[0].problem


def test_a_sample_names_the_likeliest_option(tmp_path: Path) -> None:
    with project(tmp_path) as run:
        made = report(run, MicroBench(tmp_path))
    one: Sample = read_samples(made.file(SAMPLES))[0]
    found = [one.scores[f"logprob:{place}"] for place in range(4)]
    assert one.answer == questions()[0]["options"][found.index(max(found))]  # type: ignore[index]
