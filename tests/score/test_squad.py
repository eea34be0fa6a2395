from __future__ import annotations

import numpy as np
import pytest

from tests.score.fakes import task
from tests.score.official import pairs, squad
from tutelage.score.measure import interval
from tutelage.score.squad import Squad, compare, tokens


def test_the_rules_of_squad_hold_on_fuzzed_pairs() -> None:
    for truth, prediction in pairs(2_000, 1):
        assert compare(tokens(prediction), tokens(truth)) == pytest.approx(
            squad(prediction, truth), abs=1e-9
        )


def test_case_punctuation_and_articles_do_not_count() -> None:
    one = task("where?", "The Eiffel Tower")
    assert Squad().score(one, "eiffel tower.") == {"em": 1.0, "f1": 1.0}
    assert Squad().score(one, "in the Eiffel Tower")["em"] == 0.0
    assert Squad().score(one, "in the Eiffel Tower")["f1"] == pytest.approx(0.8)
    assert Squad().score(one, "") == {"em": 0.0, "f1": 0.0}


def test_the_best_reference_counts() -> None:
    one = task("when?", "in 1889", references='["1889", "the year 1889"]')
    assert Squad().score(one, "1889") == {"em": 1.0, "f1": 1.0}
    assert Squad().problem(one) == ""
    assert "no JSON list" in Squad().problem(task("when?", "1889", references="1889"))


def test_each_metric_has_its_interval() -> None:
    one = task("where?", "Paris")
    rows = [Squad().score(one, answer) for answer in ("Paris", "paris!", "London", "in Paris")]
    found = {
        measure.metric: interval(measure, rows, list("abcd"), np.random.default_rng(0))
        for measure in Squad.measures
    }
    assert found["em"].value == 0.5
    assert 0 < found["em"].low < 0.5 < found["em"].high < 1
    assert found["f1"].value == pytest.approx((1 + 1 + 0 + 2 / 3) / 4)
