from __future__ import annotations

import pytest
from rouge_score.rouge_scorer import RougeScorer

from tests.score.fakes import task
from tests.score.official import pairs
from tutelage.score.rouge import Rouge, lcs, rouge, words

KINDS = ["rouge1", "rouge2", "rougeL", "rougeLsum"]


@pytest.mark.parametrize("stemmed", [False, True])
def test_each_f_is_that_of_rouge_score(stemmed: bool) -> None:
    official = RougeScorer(KINDS, use_stemmer=stemmed)
    for truth, answer in pairs(1_000, 3):
        theirs = official.score(truth, answer)
        ours = rouge(words(truth, stemmed), words(answer, stemmed))
        assert [ours[kind] for kind in KINDS] == pytest.approx(
            [theirs[kind].fmeasure for kind in KINDS], abs=1e-9
        )


def test_the_published_pair_has_the_published_values() -> None:
    target = "The quick brown fox jumps over the lazy dog"
    found = rouge(words(target), words("The quick brown dog jumps on the log."))
    assert found["rouge1"] == pytest.approx(12 / 17)
    assert found["rougeL"] == pytest.approx(10 / 17)


@pytest.mark.parametrize(("truth", "answer"), [("", ""), ("a cat", ""), ("", "a cat"), ("?", "!")])
def test_texts_without_words_score_nothing(truth: str, answer: str) -> None:
    assert set(rouge(words(truth), words(answer)).values()) == {0.0}


def test_the_best_reference_counts_for_each_metric_by_itself() -> None:
    one = task("x", "red green blue", references='["blue green red", "a red hat"]')
    found = Rouge().score(one, "blue green red")
    assert set(found.values()) == {1.0}
    assert Rouge().score(one, "hat red green")["rouge2"] == pytest.approx(0.5)


def test_stems_are_compared_where_the_recipe_says_so() -> None:
    one = task("x", "relational conditions")
    assert Rouge(stemmed=True).score(one, "relate condition")["rouge1"] == 1.0
    assert Rouge().score(one, "relate condition")["rouge1"] == 0.0


def test_a_subsequence_need_not_be_in_one_piece() -> None:
    assert lcs(list("abcbdab"), list("bdcaba")) == 4
    assert lcs([], list("ab")) == 0
