from __future__ import annotations

import math

import numpy as np
import pytest

from tutelage.score.likelihood import (
    CHOICE_MEASURES,
    TEXT_MEASURES,
    TRUTH_MEASURES,
    choice_scores,
    text_scores,
    truth_scores,
)
from tutelage.score.measure import Measure, Pairs, difference, interval
from tutelage.score.task import Scores


def metric(measures: tuple[Measure, ...], name: str) -> Measure:
    return next(one for one in measures if one.metric == name)


def test_the_likeliest_option_counts_alone_and_for_its_length() -> None:
    options = ["yes", "no, it does not"]
    assert choice_scores([-3.0, -4.0], options, {0}) == {"acc": 1.0, "acc_norm": 0.0}
    assert choice_scores([-3.0, -4.0], options, {1}) == {"acc": 0.0, "acc_norm": 1.0}
    assert choice_scores([-1.0, -1.0], ["a", "b"], {0})["acc"] == 1.0


def test_mc2_is_the_share_of_the_true_answers() -> None:
    found = truth_scores([math.log(0.3), math.log(0.1)], [math.log(0.4)])
    assert found == {"mc1": 0.0, "mc2": pytest.approx(0.5)}
    assert truth_scores([-1.0], [-2.0])["mc1"] == 1.0


def test_mc2_is_finite_where_every_likelihood_underflows() -> None:
    found = truth_scores([-800.0, -801.0], [-802.0])
    expected = (1 + math.exp(-1)) / (1 + math.exp(-1) + math.exp(-2))
    assert found == {"mc1": 1.0, "mc2": pytest.approx(expected)}


@pytest.mark.parametrize(
    ("true", "false"), [([], [-1.0]), ([-1.0], []), ([math.nan], [-1.0]), ([-1.0], [-math.inf])]
)
def test_what_is_no_likelihood_is_refused(true: list[float], false: list[float]) -> None:
    with pytest.raises(ValueError, match=r"needed|finite"):
        truth_scores(true, false)


def test_options_and_their_likelihoods_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="2 options"):
        choice_scores([-1.0], ["a", "b"], {0})
    with pytest.raises(ValueError, match="right"):
        choice_scores([-1.0, -2.0], ["a", "b"], {2})


def texts() -> list[Scores]:
    return [text_scores(-20.0 - index, "four words of text", 6) for index in range(30)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("perplexity", math.exp(34.5 / 6)),
        ("word_perplexity", math.exp(34.5 / 4)),
        ("bits_per_byte", 34.5 / 18 / math.log(2)),
    ],
)
def test_a_corpus_is_summed_before_it_is_divided(name: str, expected: float) -> None:
    rows, names = texts(), [str(index) for index in range(30)]
    found = interval(metric(TEXT_MEASURES, name), rows, names, np.random.default_rng(0))
    assert found.value == pytest.approx(expected)
    assert found.low < expected < found.high
    assert found.n == 30


def test_perplexities_of_two_models_are_compared_on_the_same_texts() -> None:
    rows, names = texts(), tuple(str(index) for index in range(30))
    worse = [{**row, "text_nats": row["text_nats"] + 1.0} for row in rows]
    both = Pairs(tasks=names, first=worse, second=rows, clusters=names)
    measure = metric(TEXT_MEASURES, "bits_per_byte")
    found = difference(measure, both, np.random.default_rng(0))
    assert found.value == pytest.approx(1 / 18 / math.log(2))
    assert found.low < found.value < found.high  # that all texts agree is no certainty


def test_shares_and_means_have_their_families() -> None:
    families = {one.metric: one.family for one in (*CHOICE_MEASURES, *TRUTH_MEASURES)}
    assert families == {"acc": "share", "acc_norm": "share", "mc1": "share", "mc2": "mean"}


def test_texts_all_alike_do_not_bound_a_perplexity() -> None:
    rows = [text_scores(-20.0, "four words of text", 6) for _ in range(10)]
    names = tuple(str(index) for index in range(10))
    measure = metric(TEXT_MEASURES, "perplexity")
    found = interval(measure, rows, names, np.random.default_rng(0))
    assert found.high == math.inf
    assert 0 < found.low < found.value
    worse = [{**row, "text_nats": 21.0} for row in rows]
    both = Pairs(tasks=names, first=worse, second=rows, clusters=names)
    apart = difference(measure, both, np.random.default_rng(0))
    assert (apart.low, apart.high) == (-math.inf, math.inf)
    assert apart.value > 0
    empty = interval(measure, [], (), np.random.default_rng(0))
    assert (empty.n, empty.high) == (0, math.inf)


def test_a_perplexity_beyond_all_numbers_is_still_one() -> None:
    one = [text_scores(-8000.0, "x", 1), text_scores(-1.0, "x", 1)]
    measure = metric(TEXT_MEASURES, "perplexity")
    found = interval(measure, one, ("a", "b"), np.random.default_rng(0))
    assert 1e300 < found.value < math.inf
