"""People and a judge who say the same of the same answers come to the same figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.fakes import FakeBench, FakeContract, last_words, project, report
from tests.evaluate.test_rate import exported, fill
from tests.score.judges import Planted, answering
from tests.score.test_judge import PAIRS
from tutelage.core.recipe import Decoding
from tutelage.evaluate.rate import take
from tutelage.gate.pairs import Answers
from tutelage.gate.people import People
from tutelage.store.artifact import read_json
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.run import Run

WHOLE = 1500  # bytes of an answer the fake engine does not cut
ONES = [
    pair
    for pair in {pair.request: pair for pair in PAIRS}.values()
    if all(len(text.encode()) < WHOLE for text in (pair.first, pair.second))
    and pair.first != pair.second
]
RECIPE = """
name: pandalm
curate: {{sources: [{{path: train.jsonl, origin: human, licence: CC0-1.0}}]}}
train: {{base: base}}
evaluate:
  suites: [{{name: talk, path: talk.jsonl, scorers: [cost]}}]
  baselines: [zero_shot]
  judges: [{{name: taste, endpoint: "{url}", model: m}}]
"""


def talk(run: Run) -> FakeBench:
    """The published answers, the first model's as the tuned one's."""
    rows = [{"messages": [{"role": "user", "content": one.request}]} for one in ONES]
    path = run.recipe.base_dir / "talk.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first = {one.request: one.first for one in ONES}
    second = {one.request: one.second for one in ONES}
    return FakeBench(
        {
            "tuned": lambda prompt: first[last_words(prompt)],
            "zero_shot": lambda prompt: second[last_words(prompt)],
        },
        FakeContract(context=20_000, decoding=Decoding(max_new_tokens=WHOLE)),
    )


def word(row: dict[str, str]) -> str:
    """What people published of a line's answers."""
    pair = next(one for one in ONES if one.request.split() == row["request"].split())
    turned = row["answer_a"].removeprefix("'").split() != pair.first.split()
    label = pair.label if not turned or pair.label is None else 1 - pair.label
    return {1.0: "A", 0.0: "B", 0.5: "tie"}[label or 0.0]


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_two_raters_and_a_judge_of_both_orders_come_to_the_same(
    tmp_path: Path, suffix: str
) -> None:
    judge = Planted(ONES)
    with (
        answering(judge.ask) as (url, _),
        project(tmp_path, recipe=RECIPE.format(url=url)) as run,
    ):
        bench = talk(run)
        measured = report(run, bench)
        files = exported(run, measured, f"s.{suffix}", suite="talk", raters=("ann", "ben"))
        words = [
            fill(path, [{**row, "prefers": word(row)} for row in rows]) for path, rows in files
        ]
        ratings = take(run.store, measured, words).artifact
        summary = read_json(measured.file("summary.json"))
        people = People.of(ratings)
        answers = people.heard(Answers.of(measured, ["tuned", "zero_shot"], None, 0))
        by_people = {
            (one.metric, one.system, one.baseline, one.one_sided): one
            for one in people.metrics(answers)
        }
        by_judge = {
            (one.metric, one.system, one.baseline, one.one_sided): one
            for one in read_metrics(measured.file(METRICS))
        }
    said: Any = read_json(ratings.file("people.json"))["suites"]["talk"]["pairs"]["zero_shot"]
    judged = summary["judges"][0]["suites"]["talk"]
    assert judged["win_rate"]["n"] == len(ONES) > 30
    for name in ("win_rate", "length_controlled", "first_shown"):
        assert said[name] == judged[name], name
    assert said["agreement"]["value"] == 1.0
    for sided in (False, True):
        for baseline in (None, "zero_shot"):
            for short in ("win_rate", "lc_win_rate"):
                one = by_people[f"people_{short}_over_zero_shot", "tuned", baseline, sided]
                two = by_judge[f"taste_{short}", "tuned", baseline, sided]
                assert (one.value, one.n) == (two.value, two.n)
                if short == "win_rate":  # people's hold at every look
                    assert one.low < two.low < two.high < one.high
                else:
                    assert (one.low, one.high) == pytest.approx((two.low, two.high))
    strengths = [by["tuned"]["value"] for by in (said["strengths"], judged["strengths"])]
    assert strengths[0] == pytest.approx(strengths[1])
