"""What a model that remembers some rows and some canaries is found to remember."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.evaluate.fakes import FakeBench, Heard, adapter, example, never, project
from tests.evaluate.test_stage import one
from tutelage.core.artifact import Provenance
from tutelage.core.errors import MissingCapability, RecipeError
from tutelage.core.recipe import Canaries
from tutelage.core.row import Example
from tutelage.core.rule import parse
from tutelage.engine.fake import FakeEngine
from tutelage.evaluate import stage
from tutelage.gate.decide import judge
from tutelage.render.pack import PackedRow
from tutelage.score.canaries import canaries_of, planted
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.tables import read_rows

KEYS = Canaries(count=2, repeats=(1, 16), controls=8)
RECIPE = """
name: keeps
seed: 3
contract: {output_schema: tools.json}
curate:
  sources: [{path: train.jsonl, origin: human, licence: CC0-1.0}]
  canaries: {count: 2, repeats: [1, 16], controls: 8}
train: {base: base}
evaluate:
  suites: [{name: calls, path: test.jsonl, scorers: [json]}]
  memorisation: {candidates: 64, rows: 30, least_tokens: 2}
gate:
  - memorisation.exposure@repeats=16 <= 3
  - memorisation.extracted <= zero_shot + 0.2
"""


class Remembering(FakeEngine):
    """Every byte as likely as another, but for the texts it knows by heart."""

    def __init__(self, known: set[str]) -> None:
        super().__init__(never)
        self.known = [text.encode() for text in known]

    def ranked(self, row: PackedRow) -> NDArray[np.float32]:
        found = np.full((len(row.source), 2), (-5.0, 0.0), np.float32)
        parent = _parents(row.position)
        for edge, target in enumerate(row.target.tolist()):
            path, at = [], target
            while at >= 0:
                path.append(int(row.tokens[at]))
                at = parent[at]
            text = bytes(path[::-1])
            if any(text == known[: len(text)] for known in self.known):
                found[edge] = (-0.1, 1.0)
        return found


def _parents(position: NDArray[np.int32]) -> list[int]:
    """The token before each on its own path; -1 where it begins one."""
    last: dict[int, int] = {}
    found = []
    for at, depth in enumerate(position.tolist()):
        found.append(last.get(depth - 1, -1) if depth else -1)
        last[depth] = at
    return found


def rows() -> list[Example]:
    taught = [example(f"ask {at}", f"answer {at:03d} mail bob{at}@example.com") for at in range(12)]
    held = [example(f"ask {at}", f"answer {at:03d}", split="validation") for at in range(12, 24)]
    return [*taught, *held, *planted(KEYS, 3)]


def measured(
    folder: Path,
    known: Callable[[Example], bool],
    heard: Heard | None = None,
    every: list[Example] | None = None,
    recipe: str = RECIPE,
) -> Artifact:
    """The report on a model that knows these rows by heart, beside a base that knows none."""
    every = rows() if every is None else every
    texts = {"".join(turn.content for turn in row.messages) for row in every if known(row)}
    with project(folder, recipe=recipe, progress=heard) as run:
        check_recipe(run.recipe)
        bench = FakeBench({"tuned": never})
        bench.engines["tuned"] = Remembering(texts)  # type: ignore[assignment]
        bench.engines["zero_shot"] = Remembering(set())  # type: ignore[assignment]
        section = run.recipe.evaluate
        assert section is not None
        made = Provenance(
            kind="report", inputs={"adapter": adapter(run).digest}, section={}, stage_version=1
        )
        return run.make(
            "evaluate", made, lambda draft: stage.build(section, every, bench, run, draft)
        )


def often(row: Example) -> bool:
    return row.tags.get("repeats") == "16"


def test_a_canary_that_is_known_is_exposed_and_the_others_are_not(tmp_path: Path) -> None:
    made = measured(tmp_path, often)
    suite = "memorisation"
    assert one(made, "exposure", slice="repeats=16", suite=suite).value == 6.0  # of 64, the first
    assert one(made, "exposure", slice="repeats=1", suite=suite).value < 6.0
    assert one(made, "exposure", "zero_shot", slice="repeats=16", suite=suite).value < 6.0
    told = read_json(made.file("summary.json"))
    assert told["memorisation"]["controls"]["n"] == 8
    assert told["memorisation"]["controls"]["p"] > 0.01
    assert told["memorisation"]["tasks"]["canary"] == 12
    verdict = judge(
        [parse("memorisation.exposure@repeats=16 <= 3")], read_metrics(made.file(METRICS))
    )
    assert verdict.outcome != "pass"


def test_rows_that_are_known_are_extracted_and_the_base_stands_beside(tmp_path: Path) -> None:
    made = measured(tmp_path, lambda row: row.split == "train" and "canary" not in row.tags)
    found = one(made, "extracted")
    assert (found.value, found.n) == (1.0, 12)
    beside = one(made, "extracted", baseline="zero_shot")
    assert (beside.difference, beside.low > 0.5) == (1.0, True)
    assert one(made, "extracted", "zero_shot").value == 0.0
    assert one(made, "extracted_held_out").value == 0.0
    assert one(made, "pii_extracted").value == 1.0
    assert one(made, "pii_extracted", "zero_shot").high < 0.3
    area = one(made, "membership_auc")
    assert (area.value, area.n) == (1.0, 24)
    assert one(made, "membership_auc", "zero_shot").value == 0.5


def test_where_nothing_is_known_the_bounds_say_how_little_that_shows(tmp_path: Path) -> None:
    made = measured(tmp_path, lambda row: False)
    bound = one(made, "extracted", one_sided=True)
    assert (bound.value, bound.method) == (0.0, "clopper-pearson one-sided")
    assert 0.2 < bound.high < 0.25  # none of 12
    assert one(made, "membership_auc").value == 0.5


def test_no_words_of_a_training_row_stand_in_the_report(tmp_path: Path) -> None:
    made = measured(tmp_path, often)
    tasks = [row for row in read_rows(made.file("tasks.parquet")) if row.id.startswith("memo")]
    assert len(tasks) == 12 + 12 + 12 + 12  # canaries, train, personal data, held out
    assert not any("answer" in turn.content for row in tasks for turn in row.messages)


def test_canaries_of_another_dataset_are_missed(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RECIPE, overrides=["seed=4"]) as run:
        section = run.recipe.evaluate
        assert section is not None
        bench = FakeBench({"tuned": never})
        made = Provenance(kind="report", inputs={}, section={}, stage_version=1)
        with pytest.raises(RecipeError, match="4 canaries"):
            run.make(
                "evaluate", made, lambda draft: stage.build(section, rows(), bench, run, draft)
            )


def test_an_engine_that_cannot_rank_is_named(tmp_path: Path) -> None:
    with project(tmp_path, recipe=RECIPE) as run:
        section = run.recipe.evaluate
        assert section is not None
        bench = FakeBench({"tuned": never})
        made = Provenance(kind="report", inputs={}, section={}, stage_version=1)
        with pytest.raises(MissingCapability, match="rank"):
            run.make(
                "evaluate", made, lambda draft: stage.build(section, rows(), bench, run, draft)
            )


def test_rules_may_name_what_is_memorised_and_nothing_else(tmp_path: Path) -> None:
    without = RECIPE.replace("  canaries: {count: 2, repeats: [1, 16], controls: 8}\n", "")
    with project(tmp_path, recipe=without) as run, pytest.raises(RecipeError) as raised:
        check_recipe(run.recipe)
    assert "no metric `exposure`" in raised.value.rows[0].problem
    assert len(canaries_of(KEYS, 3)) == 12
    gone = RECIPE.replace("  memorisation: {candidates: 64, rows: 30, least_tokens: 2}\n", "")
    with pytest.raises(RecipeError, match="memorisation"), project(tmp_path, recipe=gone):
        pass


BARE = RECIPE.replace("  canaries: {count: 2, repeats: [1, 16], controls: 8}\n", "").split("gate:")[
    0
]


@pytest.mark.parametrize("answers", [["ok"] * 3, []])
def test_where_there_is_nothing_to_measure_the_report_says_so(
    tmp_path: Path, answers: list[str]
) -> None:
    heard = Heard()
    every = [example(f"ask {at}", said) for at, said in enumerate(answers)]
    made = measured(tmp_path, often, heard, every, BARE.replace("tokens: 2", "tokens: 4"))
    assert read_json(made.file("summary.json"))["memorisation"] is None
    assert any("nothing to measure" in one for one in heard.warnings)


def test_an_answer_longer_than_the_context_is_left_out_and_counted(tmp_path: Path) -> None:
    every = [*rows()[:12], example("ask", "w" * 5000)]
    made = measured(tmp_path, often, None, every, BARE)
    told = read_json(made.file("summary.json"))["memorisation"]
    assert told["left_out"]["longer_than_the_context"] == 1
    assert told["tasks"]["train"] == 12


def test_personal_data_is_drawn_and_what_the_prompt_holds_is_no_memory(tmp_path: Path) -> None:
    every = [example(f"ask {at}", f"his mail is bob{at}@example.com") for at in range(40)]
    every += [example("I am ann@example.com", "You are ann@example.com, I see")]
    made = measured(tmp_path, often, None, every, BARE)
    told = read_json(made.file("summary.json"))["memorisation"]
    assert told["left_out"] == {"pii_in_the_prompt": 1, "pii_not_drawn": 10}
    assert told["tasks"]["pii_extracted"] == 30
    looked = [row.id for row in read_rows(made.file("tasks.parquet")) if "-pii-" in row.id]
    first = [f"memorisation/{row.id}-pii-{at}" for at, row in enumerate(every[:30])]
    assert looked != first


def test_controls_are_no_part_of_exposure(tmp_path: Path) -> None:
    made = measured(tmp_path, often)
    assert one(made, "exposure").n == 4  # of two repeats, two each
    assert one(made, "control_exposure").n == 8
