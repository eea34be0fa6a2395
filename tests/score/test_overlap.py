from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from tests.score.fakes import task
from tests.score.official import pairs
from tutelage.score.measure import Pairs, difference, interval
from tutelage.score.overlap import Bleu, Chrf
from tutelage.score.task import Scorer, Scores

FUZZ = list(pairs(2_000, 2))
FEW = FUZZ[:200]  # for what differs from the default by its tokenizer alone


def rows(scorer: Scorer, fuzz: list[tuple[str, str]]) -> list[Scores]:
    return [scorer.score(task("x", truth), answer) for truth, answer in fuzz]


def corpus(scorer: Scorer, found: list[Scores]) -> float:
    clusters = [str(index) for index in range(len(found))]
    (measure,) = scorer.measures
    return interval(measure, found, clusters, np.random.default_rng(0)).value


@pytest.mark.parametrize("tokenizer", [None, "char", "intl", "none", "zh"])
def test_bleu_of_a_suite_is_that_of_sacrebleu(tokenizer: str | None) -> None:
    scorer, fuzz = Bleu(tokenizer), FEW if tokenizer else FUZZ
    official = BLEU(tokenize=tokenizer or "13a").corpus_score(
        [answer for _, answer in fuzz], [[truth for truth, _ in fuzz]]
    )
    assert corpus(scorer, rows(scorer, fuzz)) == pytest.approx(official.score / 100, abs=1e-9)


@pytest.mark.parametrize("words", [False, True])
def test_chrf_of_a_suite_is_that_of_sacrebleu(words: bool) -> None:
    scorer = Chrf(words)
    official = CHRF(word_order=2 if words else 0)
    fuzz = FEW if words else FUZZ
    whole = official.corpus_score([answer for _, answer in fuzz], [[one for one, _ in fuzz]])
    found = rows(scorer, fuzz)
    assert corpus(scorer, found) == pytest.approx(whole.score / 100, abs=1e-9)
    for (truth, answer), one in zip(FEW, found, strict=False):
        alone = official.sentence_score(answer, [truth]).score
        assert one["chrf"] == pytest.approx(alone / 100, abs=1e-9)


def test_bleu_of_one_answer_is_that_of_sacrebleu() -> None:
    official = BLEU(effective_order=True)
    for truth, answer in FEW:
        alone = official.sentence_score(answer, [truth]).score
        found = Bleu().score(task("x", truth), answer)
        assert found["bleu"] == pytest.approx(alone / 100, abs=1e-9)


def test_several_references_are_as_in_sacrebleu() -> None:
    one = task("x", "a cat sat on the mat today", references='["the cat was on a mat", "cat"]')
    refs = [["a cat sat on the mat today"], ["the cat was on a mat"], ["cat"]]
    answer = "the cat sat on a mat"
    assert corpus(Bleu(), [Bleu().score(one, answer)]) == pytest.approx(
        BLEU().corpus_score([answer], refs).score / 100, abs=1e-9
    )
    assert corpus(Chrf(), [Chrf().score(one, answer)]) == pytest.approx(
        CHRF().corpus_score([answer], refs).score / 100, abs=1e-9
    )


def test_a_suite_of_matches_is_1_and_of_nothing_0() -> None:
    for scorer in (Bleu(), Chrf()):
        same = [scorer.score(task("x", "one two three four five"), "one two three four five")]
        none = [scorer.score(task("x", "one two three four five"), "")]
        assert corpus(scorer, same) == pytest.approx(1.0)
        assert corpus(scorer, none) == 0.0


def test_two_systems_are_resampled_together() -> None:
    scorer = Bleu()
    good = [scorer.score(task("x", truth), truth) for truth, _ in FUZZ[:80]]
    worse = [scorer.score(task("x", truth), answer) for truth, answer in FUZZ[:80]]
    names = tuple(map(str, range(80)))
    both = Pairs(tasks=names, first=good, second=worse, clusters=names)
    found = difference(scorer.measures[0], both, np.random.default_rng(0))
    assert found.value > 0
    assert found.low > 0
    assert found.method == "paired bootstrap"
