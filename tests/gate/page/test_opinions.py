from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pytest

from tests.evaluate.fakes import FakeBench, adapter, dataset, never, oracle, project, report
from tests.evaluate.test_judging import COUNT, RECIPE, labels, likes_calls
from tests.evaluate.test_rate import exported, fill, prefers_calls
from tests.score.judges import answering
from tutelage.core.intervals import Interval
from tutelage.core.metric import Metric
from tutelage.evaluate.rate import take
from tutelage.gate import run as door
from tutelage.gate.page.opinions import Opinion, judged_names, opinions
from tutelage.gate.page.passes import pass_curve
from tutelage.score.beside import Beside
from tutelage.score.outcomes import pass_measures
from tutelage.store.artifact import Artifact, read_json


def shown(folder: Path) -> Artifact:
    """A verdict on a report with three judges and two raters."""
    labels(folder)
    with (
        answering(likes_calls) as (url, _),
        project(folder, recipe=RECIPE.format(url=url), count=COUNT) as run,
    ):
        measured = report(run, FakeBench({"tuned": oracle(COUNT), "zero_shot": never}))
        for path, rows in exported(run, measured, raters=("ann", "ben")):
            some = [{**row, "prefers": prefers_calls(row)} for row in rows]
            take(run.store, measured, [fill(path, some)])
        marks = {"against": None, "criteria": ("formatting",)}
        for path, rows in exported(run, measured, "marks.csv", **marks):
            take(run.store, measured, [fill(path, [{**row, "formatting": 4} for row in rows])])
        inputs = {"report": measured, "dataset": dataset(run), "adapter": adapter(run)}
        return door.run(run.recipe.gate or (), inputs, run)


def panels(text: str) -> dict[str, str]:
    """Each panel's words, by its head."""
    found = re.findall(r'<article class="opinion">(.*?)</article>', text, re.S)
    words = [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", one)).split()) for one in found]
    return {" ".join(one.split()[:2]): one for one in words}


def test_the_page_says_who_may_be_believed_and_why_not(tmp_path: Path) -> None:
    made = shown(tmp_path)
    text = made.file("report.html").read_text()
    told = panels(text)
    assert list(told) == ["Judge taste", "Judge free", "Judge marks", "People ✓"]
    for words in (
        "✓ a gate may rest on it",
        "agrees with people the lower bound must reach the line, n = 60 100.0 %",
        "sees through a constant",
        "win rate preferred to zero_shot, n = 12 100.0 %",
        "says what people say on the tasks people compared with zero_shot, too, n = 12 100.0 %",
        "at equal length",
        "first shown preferred of decided looks; half where order does not count, n = 24 50.0 %",
        "turns with the order none is best, n = 12 0.0 %",
        "Bradley and Terry's, 0 on average, n = 12 tuned",
        "replies asked for",
    ):
        assert words in told["Judge taste"], words
    assert "locked: no gate rests on it" in told["Judge free"]
    assert "no labels of people to be held against" in told["Judge free"]
    assert "formatting mean mark, n = 12 tuned 100.0 %" in told["Judge marks"]
    assert 'href="#opinions"' in text


def test_judges_metrics_stand_with_what_tells_whether_to_believe_them(tmp_path: Path) -> None:
    made = shown(tmp_path)
    systems = made.file("report.html").read_text().partition('id="opinions"')[0]
    rows = re.findall(r'<div class="label"><b>(\w+)</b>', systems)
    assert "exact_match" in rows
    assert not any(name.startswith(("taste_", "free_", "marks_")) for name in rows)


def test_raters_and_what_they_agree_on_are_drawn(tmp_path: Path) -> None:
    with project(tmp_path, count=COUNT) as run:
        answers = {"tuned": oracle(COUNT), "zero_shot": never, "few_shot": never}
        measured = report(run, FakeBench(answers))
        for number, (path, rows) in enumerate(exported(run, measured, raters=("ann", "ben"))):
            words = [
                {**row, "prefers": "tie" if number and n % 3 == 0 else prefers_calls(row)}
                for n, row in enumerate(rows)
            ]
            found = take(run.store, measured, [fill(path, words)])
        people: Any = read_json(found.artifact.file("people.json"))["suites"]
        (panel,) = opinions(read_json(measured.file("summary.json")), people, [])
    named = {line.name: line for line in panel.lines}
    assert list(named) == ["raters agree", "win rate", "at equal length", "first shown preferred"]
    assert named["win rate"].mark == 50.0
    assert float(named["raters agree"].text) < 0.2
    assert [one.name for one in panel.raters] == ["ann", "ben"]
    assert any("however often" in note for note in panel.notes)


def test_what_was_not_measured_is_not_drawn() -> None:
    empty = {"value": None, "low": 0.0, "high": 1.0, "n": 0, "method": "t"}
    form = {
        "win_rate": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "method": "t"},
        **dict.fromkeys(("length_controlled", "first_shown", "inconsistent", "repeated"), empty),
        "unread": 2,
    }
    spent = {"asked": 1, "kept": 0, "prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5}
    judge = {
        "name": "j",
        "model": "m",
        "kind": "pairwise",
        "against": "zero_shot",
        "locked": "no",
        "calibration": None,
        "suites": {"s": form},
        "spent": spent,
    }
    (panel,) = opinions({"judges": [judge]}, None, [])
    assert isinstance(panel, Opinion)
    assert [line.name for line in panel.lines] == ["win rate"]
    assert panel.groups == ()
    assert panel.notes == (
        "1 replies asked for, 0 kept from before, 2 tokens, cost 0.5",
        "2 looks came to no verdict and count for nothing",
    )
    (panel,) = opinions({"judges": [{**judge, "spent": {**spent, "key_said": 3}}]}, None, [])
    assert panel.notes[-1] == "3 replies said its key, which was taken out"
    assert judged_names({"judges": [judge]}) == {"j_win_rate", "j_lc_win_rate"}
    marks = {**judge, "kind": "rubric", "suites": {"s": {"means": {"tuned.brevity": {}}}}}
    assert judged_names({"judges": [marks]}) == {"j_brevity"}  # no scorer's that begins with `j_`
    same = Interval(value=0.9, low=0.8, high=0.95, n=40, method="wilson")
    alpha = Interval(value=0.75, low=0.5, high=0.9, n=40, method="krippendorff bootstrap")
    held = [
        Beside(judge="j", suite="s", against="zero_shot", same=same, alpha=alpha),
        Beside(judge="j", suite="other", against="zero_shot", same=same, alpha=alpha),
    ]
    (panel,) = opinions({"judges": [judge]}, None, [], held)
    lines = [(line.name, line.text, line.n) for line in panel.lines[1:]]
    assert lines == [("says what people say", "90.0 %", 40), ("agrees with people", "0.75", 40)]


def passed(k: int, system: str, value: float) -> Metric:
    return Metric(
        metric=f"pass_at_{k}",
        suite="code",
        system=system,
        n=50,
        value=value,
        low=value - 0.1,
        high=value + 0.1,
        method="t",
    )


def test_pass_at_k_is_a_curve_with_its_intervals() -> None:
    metrics = [passed(1, "tuned", 0.5), passed(5, "tuned", 0.75), passed(1, "zero_shot", 0.25)]
    curve = pass_curve("code", pass_measures([1, 5]), metrics)
    assert curve is not None
    assert [tick.label for tick in curve.ticks] == ["1", "5"]
    places = {(one.system, one.y): (one.top, one.bottom) for one in curve.points}
    assert places == {
        ("tuned", 90.0): (72.0, 108.0),
        ("tuned", 45.0): (27.0, 63.0),
        ("zero_shot", 135.0): (117.0, 153.0),
    }
    ((first, second),) = curve.paths["tuned"]
    assert first.x < second.x
    first_tuned, first_zero = (one for one in curve.points if one.y in (90.0, 135.0))
    assert first_tuned.x != first_zero.x  # side by side, not one upon the other


@pytest.mark.parametrize("ks", [[], [1]])
def test_one_k_is_no_curve(ks: list[int]) -> None:
    assert pass_curve("code", pass_measures(ks) if ks else (), []) is None
