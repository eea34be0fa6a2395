"""The door of monitor: events and an evaluation in, figures and decided rules out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.served import answered, evaluation, rated, released
from tutelage.core.errors import RecipeError
from tutelage.core.metric import Metric
from tutelage.core.recipe import Monitor, Recipe
from tutelage.core.rule import Bounds, decide, parse
from tutelage.core.served import EVALUATED, METRICS, MOST_HOURS
from tutelage.monitor.measure import SAYS, VALUES
from tutelage.monitor.page import html
from tutelage.monitor.run import Report, keep, run
from tutelage.store.journal import Journal
from tutelage.store.lines import read_metrics
from tutelage.store.release import ReleaseFolder
from tutelage.store.store import Store


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal.open(tmp_path / "events.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def release(tmp_path: Path) -> ReleaseFolder:
    return released(tmp_path, metrics=[*evaluation("valid", 0.95), *evaluation("parse", 0.99)])


def after(hours: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1, hours=hours)


def measured(
    release: ReleaseFolder, journal: Journal, until: datetime | None = None, **section: Any
) -> Report:
    return run(Monitor.model_validate(section), release, journal, until or after())


def figure(report: Report, name: str, part: str = "") -> Metric:
    return next(one for one in report.shown(part) if one.metric == name)


def test_every_metric_has_its_value_n_and_interval(
    release: ReleaseFolder, journal: Journal
) -> None:
    for seconds in (0.2, 0.4, 0.6):
        answered(journal, release, seconds=seconds)
    answered(journal, release, finish="length", parsed=False, valid=False, completion_tokens=32)
    flag = {"check": "pii", "side": "input", "kind": "email", "action": "block", "count": 1}
    answered(journal, release, finish="content_filter", parsed=None, valid=None, flags=[flag])
    answered(journal, release, finish="error", parsed=None, valid=None, error="full")

    report = measured(release, journal)

    values = {one.metric: (one.value, one.n) for one in report.shown()}
    assert tuple(values) == METRICS == tuple(SAYS)
    assert values["requests"] == (6.0, 6)
    assert values["errors"] == (1 / 6, 6)
    assert values["latency_p50"] == (pytest.approx(0.45), 4)
    assert values["prompt_tokens"] == (20.0, 4)
    assert values["completion_tokens"] == (14.0, 4)
    assert values["parse"] == values["valid"] == (0.75, 4)
    assert values["finished"] == (0.75, 4)
    assert values["flagged"] == values["blocked"] == (1 / 6, 6)
    assert values["rated_up"][1] == 0
    valid = figure(report, "valid")
    assert 0 < valid.low < valid.value < valid.high < 1


def test_an_answer_the_client_was_told_does_not_fit_counts_as_an_error(
    release: ReleaseFolder, journal: Journal
) -> None:
    answered(journal, release, error="schema_mismatch")
    answered(journal, release)
    report = measured(release, journal)
    assert figure(report, "errors").value == 0.5
    assert figure(report, "finished").value == 1.0


def test_a_window_is_at_most_ten_years(release: ReleaseFolder, journal: Journal) -> None:
    answered(journal, release)
    assert measured(release, journal, window_hours=MOST_HOURS).requests == 1
    with pytest.raises(ValidationError, match="less than or equal to 87600"):
        Monitor(window_hours=1e9)


def test_only_the_window_and_the_release_count(
    release: ReleaseFolder, journal: Journal, tmp_path: Path
) -> None:
    other = released(tmp_path / "other", monitor={"window_hours": 7})
    answered(journal, release)
    answered(journal, other)

    assert measured(release, journal).requests == 1
    assert measured(release, journal, window_hours=2, until=after(1)).requests == 1
    assert measured(release, journal, window_hours=2, until=after(3)).requests == 0
    assert measured(release, journal, until=datetime.now(UTC) - timedelta(hours=1)).requests == 0


def test_the_last_rating_of_an_answer_is_the_one_that_counts(
    release: ReleaseFolder, journal: Journal
) -> None:
    liked, changed, corrected = (answered(journal, release) for _ in range(3))
    rated(journal, liked, "up")
    rated(journal, changed, "up")
    rated(journal, changed, "down")
    rated(journal, corrected, None, correction="{}")

    rating = figure(measured(release, journal), "rated_up")

    assert (rating.value, rating.n) == (0.5, 2)


def test_segments_are_the_values_of_metadata_keys(release: ReleaseFolder, journal: Journal) -> None:
    answered(journal, release, metadata={"channel": "web chat"}, valid=False)
    answered(journal, release, metadata={"channel": "mail"})
    answered(journal, release, metadata={"channel": "mail", "team": "a"})
    answered(journal, release)

    report = measured(release, journal, segments=["channel"])

    assert report.parts == ["channel=mail", "channel=web_chat"]
    assert figure(report, "requests", "channel=mail").value == 2
    assert figure(report, "valid", "channel=web_chat").value == 0


def test_rare_values_of_a_segment_are_counted_and_not_measured(
    release: ReleaseFolder, journal: Journal
) -> None:
    for index in range(VALUES + 3):
        answered(journal, release, metadata={"user": f"u{index}"})

    report = measured(release, journal, segments=["user"])

    assert len(report.parts) == VALUES
    assert report.left_out == {"user": 3}


def test_the_evaluations_figures_stand_beside(release: ReleaseFolder, journal: Journal) -> None:
    answered(journal, release)
    report = measured(release, journal)
    proven = {one.metric: one.value for one in report.evaluation if not one.one_sided}
    assert proven == {"parse": 0.99, "valid": 0.95}
    assert set(proven) < set(EVALUATED)


def test_suites_that_measure_the_same_are_taken_together(tmp_path: Path, journal: Journal) -> None:
    both = [*evaluation("valid", 0.9, 100), *evaluation("valid", 0.6, 50, suite="hard")]
    report = measured(released(tmp_path, metrics=both), journal)
    (proven, for_rules) = report.evaluation
    assert (proven.value, proven.n, proven.method) == (pytest.approx(0.8), 150, "wilson")
    assert for_rules.one_sided


@pytest.mark.parametrize(("bad", "outcome"), [(0, "pass"), (40, "fail"), (8, "inconclusive")])
def test_a_rule_against_the_evaluation_is_decided_on_the_difference(
    release: ReleaseFolder, journal: Journal, bad: int, outcome: str
) -> None:
    for index in range(80):
        answered(journal, release, valid=index >= bad)

    report = measured(release, journal, rules=["served.valid >= evaluation - 0.05"])

    (decided,) = report.rules
    assert decided.outcome == report.outcome == outcome
    assert decided.bounds is not None
    assert decided.bounds.estimate == pytest.approx(1 - bad / 80 - 0.95)
    assert decided.bounds.low < decided.bounds.estimate < decided.bounds.high


def test_rules_hold_for_segments_latency_and_counts(
    release: ReleaseFolder, journal: Journal
) -> None:
    for index in range(70):
        answered(journal, release, metadata={"channel": "web"}, seconds=index / 100)
    rules = [
        "served.valid@channel=web >= 0.9",
        "served.valid@channel=mail >= 0.9",
        "served.latency_p95 <= 0.7",
        "served.latency_p50 <= 0.1",
        "served.requests >= 50",
        "served.rated_up >= 0.5",
    ]

    report = measured(release, journal, segments=["channel"], rules=rules)

    outcomes = [one.outcome for one in report.rules]
    assert outcomes == ["pass", "inconclusive", "pass", "fail", "pass", "inconclusive"]
    assert report.outcome == "fail"


def test_a_bound_at_infinity_still_lets_a_rule_fail() -> None:
    slow = Bounds(estimate=9.0, low=8.0, high=float("inf"), n=20)
    assert decide(parse("served.latency_p95 <= 2"), slow).outcome == "fail"
    assert decide(parse("served.latency_p95 <= 20"), slow).outcome == "inconclusive"


def test_an_empty_window_leaves_every_rule_open(release: ReleaseFolder, journal: Journal) -> None:
    rules = ["served.valid >= evaluation - 0.02", "served.requests >= 1", "served.errors <= 0.1"]
    report = measured(release, journal, rules=rules)
    assert report.requests == 0
    assert {one.outcome for one in report.rules} == {"inconclusive"}
    assert "Nothing was served" in html(report)
    assert report.to_dict()["outcome"] == "inconclusive"


def test_rules_about_what_is_not_measured_are_refused_together(
    release: ReleaseFolder, journal: Journal
) -> None:
    rules = [
        "served.speed >= 1",
        "served.errors <= evaluation + 0.1",
        "served.valid@channel=web >= 0.9",
        "served.valid >= 0.9",
    ]
    with pytest.raises(RecipeError) as caught:
        measured(release, journal, rules=rules)
    assert [(row.where, row.problem) for row in caught.value.rows] == [
        ("monitor.rules[0]", f"there is no metric `speed`; there is {', '.join(METRICS)}"),
        ("monitor.rules[1]", "an evaluation has no `errors`; it has parse, valid, finished"),
        ("monitor.rules[2]", "`channel` is not in monitor.segments"),
    ]


def test_the_page_is_one_file_that_asks_no_network_and_trusts_no_text(
    release: ReleaseFolder, journal: Journal
) -> None:
    answered(journal, release, metadata={"channel": "<script>alert(1)</script>"})
    rules = ["served.valid >= evaluation - 0.05"]
    page = html(measured(release, journal, segments=["channel"], rules=rules))
    assert "<script" not in page
    assert "channel=&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert rules[0].replace(">", "&gt;") in page
    assert "100.0 %" in page
    assert "95.0 %" in page


def test_the_report_is_kept_as_an_artifact_made_of_the_release(
    release: ReleaseFolder, journal: Journal, tmp_path: Path
) -> None:
    answered(journal, release)
    report = measured(release, journal, rules=["served.valid >= 0.99"])
    kept = keep(report, html(report), Store.beside(tmp_path))
    kept.verify()
    assert kept.kind == "report"
    assert dict(kept.manifest.inputs) == {"release": release.digest}
    assert dict(kept.counts) == {
        "events": 1,
        "requests": 1,
        "pass": 0,
        "fail": 0,
        "inconclusive": 1,
    }
    again = read_metrics(kept.file("metrics.jsonl"))
    assert [one.metric for one in again] == [
        one.metric for one in (*report.metrics, *report.evaluation)
    ]
    assert json.loads(kept.file("monitor.json").read_text())["outcome"] == "inconclusive"


def test_a_recipe_with_such_rules_is_refused_before_any_work() -> None:
    rules = ["served.speed >= 1", "served.valid >= 0.9", "calls.valid >= 0.9"]
    recipe = Recipe(name="desk", monitor=Monitor(rules=tuple(rules)))
    assert [place for place, _ in recipe.contradictions()] == [
        ("monitor", "rules", 0),
        ("monitor", "rules", 2),
    ]
