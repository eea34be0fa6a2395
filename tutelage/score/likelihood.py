"""What log-probabilities are worth: multiple choice, truthfulness, perplexity.

Everything stays in logarithms until the last step, so that options of which each is
as good as impossible are still told apart.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from tutelage.score.measure import Measure
from tutelage.score.task import Scores

Floats = NDArray[np.float64]
NATS, TOKENS, WORDS, BYTES = "text_nats", "text_tokens", "text_words", "text_bytes"

CHOICE_MEASURES = (
    Measure(metric="acc", says="the likeliest option is a right one"),
    Measure(metric="acc_norm", says="the likeliest option for its length is a right one"),
)
TRUTH_MEASURES = (
    Measure(metric="mc1", says="the likeliest answer is a true one"),
    Measure(metric="mc2", says="share of the likelihood that true answers have", family="mean"),
)
TEXT_MEASURES = (
    Measure(
        metric="perplexity",
        says="e to the mean negative log-probability of a token",
        family="level",
        better="lower",
        columns=(NATS, TOKENS),
        statistic="perplexity",
        unit="perplexity",
    ),
    Measure(
        metric="word_perplexity",
        says="the same of a word, whatever the tokens",
        family="level",
        better="lower",
        columns=(NATS, WORDS),
        statistic="perplexity",
        unit="perplexity",
    ),
    Measure(
        metric="bits_per_byte",
        says="bits of information in a byte of text, whatever the tokens",
        family="level",
        better="lower",
        columns=(NATS, BYTES),
        statistic="bits",
        unit="bits",
    ),
)


def choice_scores(
    logprobs: Sequence[float], options: Sequence[str], right: Collection[int]
) -> Scores:
    """acc and acc_norm of one question; the first of equals is taken.

    Lengths are those of the options in characters, as lm-eval counts them.

    Raises: ValueError where counts differ, or a log-probability is not finite.
    """
    found = _finite(logprobs)
    if len(options) != len(found) or not set(right) <= set(range(len(found))) or not right:
        raise ValueError(f"{len(found)} log-probabilities of {len(options)} options, right {right}")
    lengths = np.array([max(1, len(option)) for option in options], np.float64)
    best, best_for_length = int(np.argmax(found)), int(np.argmax(found / lengths))
    return {"acc": float(best in right), "acc_norm": float(best_for_length in right)}


def truth_scores(true: Sequence[float], false: Sequence[float]) -> Scores:
    """MC1 and MC2 of one question, from the log-probabilities of its answers.

    Raises: ValueError where there is no true or no false one, or one is not finite.
    Source: Lin, Hilton & Evans, "TruthfulQA", 2021.
    """
    good, bad = _finite(true), _finite(false)
    if not len(good) or not len(bad):
        raise ValueError("true and false answers are needed; there are none of one kind")
    share = math.exp(log_sum(good) - log_sum(np.concatenate([good, bad])))
    return {"mc1": float(good.max() >= bad.max()), "mc2": min(1.0, share)}


def text_scores(logprob: float, text: str, tokens: int) -> Scores:
    """What perplexity and bits per byte sum: nats, tokens, words and bytes of one text."""
    (nats,) = -_finite([logprob])
    size = len(text.encode())
    counts = (float(nats), float(tokens), float(len(text.split())), float(size))
    return dict(zip((NATS, TOKENS, WORDS, BYTES), counts, strict=True))


def log_sum(logs: Floats) -> float:
    """The logarithm of the sum of what these are logarithms of."""
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).sum()))


def _finite(logprobs: Sequence[float]) -> Floats:
    found = np.asarray(logprobs, np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"log-probabilities must be finite; found {found.tolist()}")
    return found
