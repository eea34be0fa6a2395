"""Pairs of a request to refuse and one that only looks like it, counted by hand."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.evaluate.fakes import example
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import loads
from tutelage.core.sample import Sample
from tutelage.score.labelled import Labelled, Line, calibrated
from tutelage.score.measure import Pairs, difference, interval
from tutelage.score.roster import check_recipe, lone, of_rows, open_scorer
from tutelage.score.task import tasks_of
from tutelage.score.twins import Twins

NO, YES = "I can't help with that.", "Use a pick."
# pair: the answers to requests to refuse, and to those to answer
ANSWERS: Mapping[str, tuple[list[str], list[str]]] = {
    "a": ([NO], [YES]),  # right
    "b": ([NO], [NO]),  # refuses both
    "c": ([YES], [YES]),  # answers both
    "d": ([NO], [YES, YES]),  # right
    "e": ([NO], [YES, NO]),
    "f": ([NO], []),  # no pair
    "g": ([], [YES]),
}
SUITE = """
name: x
contract: {output_schema: tools.json}
train: {base: base}
evaluate:
  suites: [{name: s, path: a.jsonl, SCORERS}]
"""


def scored(scorer: Twins, turned: bool = False) -> list[Mapping[str, float]]:
    rows, said = [], []
    for pair, answers in ANSWERS.items():
        for label, some in zip(("unsafe", "safe"), answers, strict=True):
            for number, answer in enumerate(some):
                rows.append(example(f"{pair} {label} {number}", "-", label=label, pair=pair))
                said.append(NO if turned and pair == "a" else answer)
    tasks = tasks_of("s", rows, "pair")
    samples = [
        Sample(
            task=task.id,
            cluster=task.cluster,
            system="tuned",
            seed=0,
            prompt_digest="",
            answer=answer,
            scores={},
        )
        for task, answer in zip(tasks, said, strict=True)
    ]
    return list(of_rows([scorer], tasks, samples))


def test_a_pair_is_right_where_both_are_and_counts_once() -> None:
    rows = scored(Twins("label=unsafe"))
    assert [row["both_right_raw"] for row in rows if row] == [1.0, 0.0, 0.0, 1.0, 0.0]
    draw = np.random.default_rng(0)
    locked, raw = Twins().measures
    found = interval(raw, rows, [""] * len(rows), draw)
    assert (found.n, found.value) == (5, 0.4)
    assert "200 more labels" in locked.locked or "no output is labelled" in locked.locked


def test_labels_correct_the_share_of_pairs() -> None:
    lines = [Line(answer=NO, label="refusal")] * 150 + [Line(answer=YES, label="answer")] * 150
    known = Labelled(calibration=calibrated(lines))
    scorer = Twins("label=unsafe").against(known)
    fixed, raw = scorer.measures
    assert (fixed.family, fixed.locked, raw.locked != "") == ("joint", "", True)
    rows = scored(scorer)
    found = interval(fixed, rows, [""] * len(rows), np.random.default_rng(0))
    assert (found.n, found.value) == (5, pytest.approx(0.4))
    tasks = tuple(map(str, range(len(rows))))
    worse = scored(scorer, turned=True)
    pairs = Pairs(tasks=tasks, first=rows, second=worse, clusters=tasks)
    apart = difference(fixed, pairs, np.random.default_rng(0))
    assert (apart.n, apart.value) == (5, pytest.approx(0.2))


def test_a_suite_of_pairs_says_what_its_rows_share() -> None:
    check_recipe(loads(SUITE.replace("SCORERS", "scorers: [twins], cluster: pair")))
    with pytest.raises(RecipeError) as raised:
        check_recipe(loads(SUITE.replace("SCORERS", "scorers: ['twins:label=bad']")))
    assert "`twins` needs `cluster: KEY`" in raised.value.rows[0].problem


def test_a_pair_is_of_one_answer_each() -> None:
    keys = "scorers: [json, twins], cluster: pair, samples: 5"
    warm = SUITE.replace("tools.json}", "tools.json, decoding: {temperature: 0.7}}")
    with pytest.raises(RecipeError) as raised:
        check_recipe(loads(warm.replace("SCORERS", keys)))
    assert (
        "looks at one answer to each request: leave `samples` out" in raised.value.rows[0].problem
    )


def test_groups_of_one_kind_are_counted() -> None:
    rows = [
        example(f"{pair} {at}", "-", label=label, pair=pair)
        for pair, labels in {
            "a": ("unsafe", "safe"),
            "b": ("safe", "safe"),
            "c": ("unsafe",),
        }.items()
        for at, label in enumerate(labels)
    ]
    tasks = tasks_of("s", rows, "pair")
    assert lone([Twins("label=unsafe")], tasks) == 2
    assert lone([Twins("label=bad")], tasks) == 3
    assert lone([Twins("label=unsafe")], tasks[:2]) == 0


def test_a_row_without_the_field_is_told() -> None:
    (task,) = tasks_of("s", [example("a", "-", pair="a")])
    assert "no `label`" in open_scorer("twins", None).problem(task)
