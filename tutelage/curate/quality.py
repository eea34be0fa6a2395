"""What the rows are like: lengths, coverage, diversity, boilerplate, refusals, forms, label noise.

Nothing is dropped for it. What takes long to find is looked for in a sample, rows at even
distances, and its share has an interval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from tutelage.core.intervals import wilson
from tutelage.core.ledger import LedgerEntry
from tutelage.core.row import Example
from tutelage.curate.checks import Answers
from tutelage.curate.coverage import Histogram, coverage
from tutelage.curate.sides import request
from tutelage.screen.ngrams import (
    Grams,
    among,
    fixed,
    lengths,
    ngrams_of,
    words_of,
)
from tutelage.screen.refusal import refuses

SAMPLED = 4096  # rows looked at where every row would take long
SPAN = 8  # words, of which boilerplate is made
SPANS_SHOWN = 5
SHOWN_CHARACTERS = 120
EDGES = (0, 1, 4, 16, 64, 256, 1024, 4096, 16384)  # words at which the bins of a histogram begin
FORMS = ("{", "[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What quality is measured on besides the rows."""

    answers: Answers  # of each prompt, before rows were mixed
    expected: Sequence[Example] = ()  # a sample of prompts of production
    outside_schema: Sequence[LedgerEntry] | None = None  # None where the contract has no schema


def quality(rows: Sequence[Example], looked: Looked) -> dict[str, Any]:
    """All of it as plain JSON; equal rows have equal measures."""
    requests = [request(one) for one in rows]
    said = [taught(one) for one in rows]
    texts = {"requests": requests, "answers": said}
    return {
        "lengths": {name: _lengths(own) for name, own in texts.items()},
        "coverage": coverage(rows, looked.expected),
        "diversity": {name: _diversity(_sample(own)) for name, own in texts.items()},
        "boilerplate": {name: _boilerplate(own) for name, own in texts.items()},
        "answers": _answers(rows, said, looked.outside_schema),
        "label_noise": _noise(looked.answers),
    }


def taught(example: Example) -> str:
    """The words that are taught; of a preference row those preferred."""
    turns = example.chosen or example.messages
    return "\n".join(message.content for message in turns if message.taught)


def _sample(texts: Sequence[str]) -> Sequence[str]:
    return texts[:: -(-len(texts) // SAMPLED) or 1]


def _lengths(texts: Sequence[str]) -> dict[str, Any]:
    """Characters, UTF-8 bytes and words. A tokenizer of bytes makes no more tokens than bytes."""
    counts = np.array([len(text.split()) for text in texts], dtype=np.int64)
    octets = [len(text.encode(errors="replace")) for text in texts]
    names = [*(f"{low}-{high - 1}" for low, high in pairwise(EDGES)), f"{EDGES[-1]}+"]
    bins = np.histogram(counts, bins=[*EDGES, np.iinfo(np.int64).max])[0]
    found: Histogram = {name: int(n) for name, n in zip(names, bins, strict=True) if n}
    return {
        "words": _spread(counts),
        "characters": _spread(lengths(texts)),
        "bytes": _spread(np.array(octets, dtype=np.int64)),
        "histogram_of_words": found,
    }


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
    looked = _sample(texts)
    grams = ngrams_of(looked, SPAN)
    spans = fixed(grams)
    hits = grams.take(among(grams.hashes, spans))
    words = int(np.sum([len(text.split()) for text in looked]))
    return {
        "texts": len(looked),
        "texts_with_any": len(np.unique(hits.text)),
        "share_of_words": min(1.0, _covered(hits) / max(words, 1)),
        "often": _often(looked, hits),
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
    rows: Sequence[Example], said: Sequence[str], outside: Sequence[LedgerEntry] | None
) -> dict[str, Any]:
    """Answers by their form, and those that say nothing."""
    forms = Counter(_form(example, text) for example, text in zip(rows, said, strict=True))
    looked = _sample(said)
    refusals = sum(map(refuses, looked))
    share = wilson(refusals, len(looked))
    held = {} if outside is None else {"outside_schema": len(outside)}
    return {
        "forms": dict(sorted(forms.items())),
        "looked_at_for_refusals": len(looked),
        "refused": {"rows": refusals, "share": share.value, "low": share.low, "high": share.high},
        **held,
    }


def _form(example: Example, text: str) -> str:
    """How an answer is written."""
    turns = example.chosen or example.messages
    if any(message.tool_calls for message in turns if message.taught):
        return "tool call"
    if not any(map(str.isalnum, text)):
        return "without a word"
    if text.lstrip()[:1] not in FORMS:
        return "text"
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        return "text that begins like JSON"
    return "JSON"


def _noise(answers: Answers) -> dict[str, Any]:
    """Prompts that several rows ask, and those of them that are answered in several ways.

    Exact repeats are gone, so that the rows of such a prompt differ in their answers or, where
    near-duplicates stay, in nothing but their writing.
    """
    again = [own for own in answers.values() if _rows(own) > 1]
    unlike = [own for own in again if len(own) > 1]
    return {
        "prompts": len(answers),
        "asked_again": len(again),
        "answered_otherwise": len(unlike),
        "rows_answered_otherwise": sum(map(_rows, unlike)),
        "share_of_prompts": len(unlike) / max(len(answers), 1),
    }


def _rows(answers: Mapping[str, Iterable[Example]]) -> int:
    return sum(len(list(own)) for own in answers.values())
