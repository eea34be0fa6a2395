"""`bleu` and `chrf`: n-grams an answer shares with its references, summed over the suite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from tutelage.score.corpus import BLEU_ORDER, bleu_of_one, chrf
from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task
from tutelage.score.text import references, references_problem

TOKENIZERS = ("13a", "char", "intl", "none", "zh")  # those that need no download
BLEU_COLUMNS = (
    "bleu_length",
    "bleu_reference",
    *(f"bleu_hits_{order}" for order in range(1, BLEU_ORDER + 1)),
    *(f"bleu_given_{order}" for order in range(1, BLEU_ORDER + 1)),
)
CHARACTERS, WORDS = 6, 2  # longest n-grams of chrF and, of words, of chrF++
MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
Ngrams = Sequence[Mapping[str, int]]  # how often each stands there, an order each


class Bleu:
    """BLEU of the suite as a whole, tokenised and counted by sacrebleu.

    What stands beside a single answer is its own BLEU over the orders it is long
    enough for; the metric is not their mean.
    """

    headline = "bleu"
    measures = (
        Measure(
            metric="bleu",
            says="n-gram precision against the references, all answers as one text",
            family="ratio",
            columns=BLEU_COLUMNS,
            statistic="bleu",
        ),
    )

    def __init__(self, tokenizer: str | None = None) -> None:
        self.name = "bleu" if tokenizer is None else f"bleu:{tokenizer}"
        self._tokenizer = tokenizer or TOKENIZERS[0]

    def problem(self, task: Task) -> str:
        """Why further right answers cannot be read."""
        return references_problem(task)

    def score(self, task: Task, answer: str) -> Scores:
        """The answer's own BLEU and the counts that are summed."""
        found = _sacrebleu(self._tokenizer).sentence_score(answer, references(task))
        counts = np.array([found.sys_len, found.ref_len, *found.counts, *found.totals], np.float64)
        return {"bleu": bleu_of_one(counts), **_named(BLEU_COLUMNS, counts.tolist())}


class Chrf:
    """chrF of the suite as a whole; with words, chrF++."""

    headline = "chrf"

    def __init__(self, words: bool = False) -> None:
        self.name = "chrf:words" if words else "chrf"
        self._words = WORDS if words else 0
        self._columns = tuple(
            f"chrf_{kind}_{order}"
            for order in range(1, CHARACTERS + self._words + 1)
            for kind in ("given", "wanted", "shared")
        )
        self.measures = (
            Measure(
                metric="chrf",
                says="F of character n-grams, recall twice, all answers as one text",
                family="ratio",
                columns=self._columns,
                statistic="chrf",
            ),
        )

    def problem(self, task: Task) -> str:
        """Why further right answers cannot be read."""
        return references_problem(task)

    def score(self, task: Task, answer: str) -> Scores:
        """The answer's own chrF and its counts against the reference it is nearest to."""
        given = ngrams(answer, self._words)
        table = np.array(
            [_matches(given, ngrams(one, self._words)) for one in references(task)], np.float64
        )
        values = chrf(table)
        best = int(np.argmax(values))
        return {"chrf": float(values[best]), **_named(self._columns, table[best].tolist())}


def ngrams(text: str, words: int) -> list[Counter[str]]:
    """Character n-grams without blanks, then word n-grams with marks at their ends apart."""
    joined = "".join(text.split())
    found = [
        Counter([joined[start : start + order] for start in range(len(joined) - order + 1)])
        for order in range(1, CHARACTERS + 1)
    ]
    parts = [piece for word in text.split() for piece in _apart(word)] if words else []
    for order in range(1, words + 1):
        spans = range(len(parts) - order + 1)
        found.append(Counter([" ".join(parts[start : start + order]) for start in spans]))
    return found


def _apart(word: str) -> list[str]:
    """A word and a mark at its end, or else at its start."""
    if len(word) == 1:
        return [word]
    if word[-1] in MARKS:
        return [word[:-1], word[-1]]
    return [word[0], word[1:]] if word[0] in MARKS else [word]


def _matches(given: Ngrams, wanted: Ngrams) -> list[int]:
    found: list[int] = []
    for mine, theirs in zip(given, wanted, strict=True):
        shared = sum(min(count, theirs[gram]) for gram, count in mine.items() if gram in theirs)
        found += [sum(mine.values()) if theirs else 0, sum(theirs.values()), shared]
    return found


def _named(columns: Sequence[str], counts: Sequence[float]) -> dict[str, float]:
    return {name: float(count) for name, count in zip(columns, counts, strict=True)}


@cache
def _sacrebleu(tokenizer: str) -> Any:
    """Its BLEU, imported when one is asked for."""
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(tokenize=tokenizer, effective_order=True, force=True)
