"""What the rows are like: lengths, coverage, diversity, boilerplate, refusals, forms, label noise.

Nothing is dropped for it. What takes long to find is looked for in a sample, drawn by hashes of
the texts, so that neither the order of a file nor a rhythm in it matters, and has an interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tutelage.core.intervals import wilson
from tutelage.core.ledger import LedgerEntry
from tutelage.core.row import Example
from tutelage.curate.checks import Answers
from tutelage.curate.coverage import Histogram, coverage
from tutelage.curate.measured import UNITS, Measured, taught
from tutelage.curate.shelf import Rows
from tutelage.curate.sides import request
from tutelage.curate.spread import LOOKED_AT, encoding, spread
from tutelage.curate.tokens import Count, whole_sum
from tutelage.curate.traits import sampled
from tutelage.screen.language import language
from tutelage.screen.ngrams import Grams, among, fixed, ngrams_of, words_of
from tutelage.screen.refusal import refuses
from tutelage.store.base import BaseFolder

SAMPLED = 4096  # rows looked at where every row would take long
SPAN = 8  # words, of which boilerplate is made
SPANS_SHOWN = 5
SHOWN_CHARACTERS = 120
EDGES = (0, 1, 4, 16, 64, 256, 1024, 4096, 16384)  # words at which the bins of a histogram begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What quality is measured on besides the rows."""

    answers: Answers  # of each prompt, before rows were mixed
    expected: Sequence[Example] = ()  # a sample of prompts of production
    outside_schema: Sequence[LedgerEntry] | None = None  # None where the contract has no schema
    tokens: Count | None = None  # counts them, where the recipe names a tokenizer
    encoder: BaseFolder | None = None  # tells how far they lie apart, where it names one


def quality(rows: Rows, sizes: Measured, looked: Looked) -> dict[str, Any]:
    """All of it as plain JSON; equal rows have equal measures."""
    some = rows.some(sampled(rows, SAMPLED))
    texts = {"requests": [request(one) for one in some], "answers": [taught(one) for one in some]}
    return {
        "lengths": {name: _lengths(sizes, name) for name in texts},
        "coverage": coverage(sizes, looked.expected),
        "diversity": {name: _diversity(own) for name, own in texts.items()},
        "boilerplate": {name: _boilerplate(own) for name, own in texts.items()},
        "answers": _answers(sizes, texts["answers"], looked.outside_schema),
        "label_noise": _noise(looked.answers),
        "languages": _languages(texts),
        "tokens": _tokens(texts, len(rows), looked.tokens),
        "spread": _apart(rows, looked.encoder),
    }


def _languages(texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Rows by the language of request and answer together."""
    both = zip(texts["requests"], texts["answers"], strict=True)
    counts = Counter(language(f"{asked}\n{said}") for asked, said in both)
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return {"looked_at": sum(counts.values()), "rows": dict(ranked)}


def _tokens(texts: Mapping[str, Sequence[str]], rows: int, count: Count | None) -> dict[str, Any]:
    """Tokens of the texts, and how many all rows have by that; empty where nothing counts them."""
    found: dict[str, Any] = {}
    if count is None:
        return found
    for side, own in texts.items():
        counts = count(own)
        whole, low, high = whole_sum(counts, rows)
        spread = {**_spread(counts), "sum": whole, "sum_low": low, "sum_high": high}
        found[side] = {"looked_at": len(counts), **spread}
    return found


def _apart(rows: Rows, encoder: BaseFolder | None) -> dict[str, Any]:
    """How far requests lie apart in an encoder's space; empty where the recipe names none."""
    if encoder is None:
        return {}
    some = [request(one) for one in rows.some(sampled(rows, LOOKED_AT))]
    return {"encoder": encoder.name, **spread(some, len(rows), encoding(encoder))}


def _lengths(sizes: Measured, side: str) -> dict[str, Any]:
    """Characters, UTF-8 bytes and words. A tokenizer of bytes makes no more tokens than bytes."""
    names = [*(f"{low}-{high - 1}" for low, high in pairwise(EDGES)), f"{EDGES[-1]}+"]
    edges = [*EDGES, np.iinfo(np.int64).max]
    bins = np.histogram(sizes.sizes_of(side, "words"), bins=edges)[0]
    found: Histogram = {name: int(n) for name, n in zip(names, bins, strict=True) if n}
    spreads = {unit: _spread(sizes.sizes_of(side, unit)) for unit in UNITS}
    return {**spreads, "histogram_of_words": found}


def _spread(values: Any) -> dict[str, float]:
    levels = {"least": 0, "p5": 5, "median": 50, "p95": 95, "p99": 99, "most": 100}
    found = np.percentile(values, list(levels.values())) if len(values) else [0] * len(levels)
    spread = {name: float(value) for name, value in zip(levels, found, strict=True)}
    return {**spread, "sum": float(np.sum(values))}


def _diversity(texts: Sequence[str]) -> dict[str, Any]:
    """The share of runs of one to three words that are distinct.

    It falls as texts grow more, so that only samples of one size compare.

    Source: Li et al. 2016, "A diversity-promoting objective function", distinct-n.
    """
    found: dict[str, Any] = {"texts": len(texts)}
    for n in (1, 2, 3):
        hashes = ngrams_of(texts, n).hashes
        found[f"distinct_{n}"] = len(np.unique(hashes)) / max(len(hashes), 1)
        found["words"] = max(len(hashes), found.get("words", 0))
    return found


def _boilerplate(texts: Sequence[str]) -> dict[str, Any]:
    """Runs of eight words that one text in a hundred has, and how much of the texts they are."""
    grams = ngrams_of(texts, SPAN)
    spans = fixed(grams)
    hits = grams.take(among(grams.hashes, spans))
    words = int(np.sum([len(text.split()) for text in texts]))
    return {
        "texts": len(texts),
        "texts_with_any": len(np.unique(hits.text)),
        "share_of_words": min(1.0, _covered(hits) / max(words, 1)),
        "often": _often(texts, hits),
    }


def _covered(hits: Grams) -> int:
    """Words that stand in a run, each counted once."""
    if not len(hits.hashes):
        return 0
    gaps = np.where(np.diff(hits.text) == 0, np.diff(hits.first), SPAN)
    return int(np.minimum(gaps, SPAN).sum()) + SPAN


def _often(texts: Sequence[str], hits: Grams) -> list[dict[str, Any]]:
    """The runs in most texts; of those that overlap in a text the first."""
    once = hits.distinct()
    hashes, counts = np.unique(once.hashes, return_counts=True)
    shown: list[dict[str, Any]] = []
    for index in np.lexsort((hashes, -counts)).tolist():
        place = int(np.flatnonzero(hits.hashes == hashes[index])[0])
        words = words_of([texts[int(hits.text[place])]])[0].split(" ")
        first = int(hits.first[place])
        said = " ".join(words[first : first + SPAN])[:SHOWN_CHARACTERS]
        if not any(_overlap(said, one["span"]) for one in shown):
            shown.append({"span": said, "texts": int(counts[index])})
        if len(shown) == SPANS_SHOWN:
            break
    return shown


def _overlap(one: str, other: str) -> bool:
    """Whether two runs share half of their words: shifted by some, they are one and the same."""
    return len(set(one.split()) & set(other.split())) >= SPAN // 2


def _answers(
    sizes: Measured, looked: Sequence[str], outside: Sequence[LedgerEntry] | None
) -> dict[str, Any]:
    """Answers by their form, and those that say nothing."""
    refusals = sum(map(refuses, looked))
    share = wilson(refusals, len(looked))
    held = {} if outside is None else {"outside_schema": len(outside)}
    return {
        "forms": sizes.counted("forms"),
        "looked_at_for_refusals": len(looked),
        "refused": {"rows": refusals, "share": share.value, "low": share.low, "high": share.high},
        **held,
    }


def _noise(answers: Answers) -> dict[str, Any]:
    """Prompts that several rows ask, and those of them that are answered in several ways.

    Exact repeats are gone, so that the rows of such a prompt differ in their answers or, where
    near-duplicates stay, in nothing but their writing.
    """
    rows = np.bincount(answers.prompt, minlength=len(answers.prompt))  # by the prompt's first row
    unlike = np.unique(answers.prompt[answers.unlike()])
    prompts = int(np.sum(rows > 0))
    return {
        "prompts": prompts,
        "asked_again": int(np.sum(rows > 1)),
        "answered_otherwise": len(unlike),
        "rows_answered_otherwise": int(rows[unlike].sum()),
        "share_of_prompts": len(unlike) / max(prompts, 1),
    }
