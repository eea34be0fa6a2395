from __future__ import annotations

import numpy as np
import pytest

from tests.score.fakes import task
from tutelage.score.choice import Choice
from tutelage.score.measure import Measure, interval

FIELD = '{"intent": "balance"}'


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (FIELD, 1.0),
        ('{"intent": "balance", "why": "asked"}', 1.0),
        ('{"intent": "Balance"}', 0.0),
        ('{"label": "balance"}', 0.0),
        ("balance", 0.0),
        ('{"intent": "balance"', 0.0),
    ],
)
def test_a_label_in_a_field_is_compared_by_that_field(answer: str, right: float) -> None:
    assert Choice().score(task("how much have I?", FIELD), answer)["accuracy"] == right


def test_a_label_without_a_field_is_the_whole_text() -> None:
    one = task("how much have I?", "balance")
    assert Choice().score(one, " balance\n")["accuracy"] == 1.0
    assert Choice().score(one, "balance!")["accuracy"] == 0.0
    assert Choice().score(one, "")["accuracy"] == 0.0


def test_abstaining_is_scored_apart() -> None:
    scorer = Choice("oos")
    known, unknown = task("how much?", FIELD), task("sing!", '{"intent": "oos"}')
    right = scorer.score(unknown, '{"intent": "oos"}')
    assert (right["abstain_recall"], right["abstain_hits"]) == (1.0, 1.0)
    assert "in_scope_accuracy" not in right
    shy = scorer.score(known, '{"intent": "oos"}')
    assert (shy["in_scope_accuracy"], shy["abstain_predicted"], shy["abstain_hits"]) == (0, 1, 0)
    assert "abstain_recall" not in shy
    broken = scorer.score(unknown, "no json")
    assert (broken["abstain_recall"], broken["accuracy"]) == (0.0, 0.0)


def value(measure: Measure, rows: list[dict[str, float]]) -> float:
    names = [str(number) for number in range(len(rows))]
    return interval(measure, rows, names, np.random.default_rng(0)).value


def scored(scorer: Choice, pairs: list[tuple[str, str]]) -> list[dict[str, float]]:
    return [dict(scorer.score(task("x", expected), answer)) for expected, answer in pairs]


def test_the_metrics_of_abstaining_are_those_of_the_textbook() -> None:
    scorer = Choice("oos")
    rows = scored(scorer, [("oos", "oos"), ("oos", "a"), ("a", "oos"), ("a", "a"), ("b", "b")])
    found = {measure.metric: value(measure, rows) for measure in scorer.measures}
    assert found["abstain_precision"] == pytest.approx(1 / 2)
    assert found["abstain_recall"] == pytest.approx(1 / 2)
    assert found["in_scope_accuracy"] == pytest.approx(2 / 3)
    assert found["accuracy"] == pytest.approx(3 / 5)


def test_macro_f1_weighs_labels_alike_and_leaves_out_those_never_expected() -> None:
    scorer = Choice()
    pairs = [("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), ("c", "elsewhere")]
    macro = next(measure for measure in scorer.measures if measure.metric == "macro_f1")
    first, second, third = 2 * 2 / (2 + 3), 2 * 1 / (2 + 1), 0.0
    assert value(macro, scored(scorer, pairs)) == pytest.approx((first + second + third) / 3)


def test_a_long_right_label_is_kept_whole() -> None:
    label = "x" * 200
    rows = scored(Choice(), [(label, label)])
    macro = next(one for one in Choice().measures if one.metric == "macro_f1")
    assert value(macro, rows) == 1.0


def test_a_task_without_a_label_is_a_problem() -> None:
    assert Choice().problem(task("x", " ")) == "the expected answer has no label"
    assert Choice("oos").name == "choice:oos"
