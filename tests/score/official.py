"""Fuzzed pairs of texts, and SQuAD's rules as its paper states them, step by step."""

from __future__ import annotations

import random
import re
import string
from collections import Counter
from collections.abc import Iterator

WORDS = (
    *("the", "The", "a", "an", "An", "cat", "Cats", "sat", "running", "runner's", "relational"),
    *("3,000", "3.5", "$9.99", "New-York", "don't", "U.S.", "naïve", "Straße", "—", "“quoted”"),
    *(
        "the’",
        "a—b",
        "x_y",
        "...",
        "?",
        "&amp;",
        "10-12",
        "(hi)",
        "généralement",
        "日本",
        "İ",
        "\t",
    ),
    *("universally", "happiness", "skies", "dying", "controlled", "\x0b", "\x07the", "an\x1f"),
)
BREAKS = (" ", " ", " ", " ", " ", "  ", "\n", "\n\n", " \n")


def pairs(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Texts and changed copies of them; some empty, some of several lines."""
    draw = random.Random(seed)
    for _ in range(count):
        words = draw.choices(WORDS, k=draw.choice((0, 1, 2, 5, 20, 60)))
        other = [word for word in words if draw.random() > 0.2]
        for _ in range(draw.randint(0, 6)):
            other.insert(draw.randint(0, len(other)), draw.choice(WORDS))
        yield _text(draw, words), _text(draw, other)


def _text(draw: random.Random, words: list[str]) -> str:
    return "".join(word + draw.choice(BREAKS) for word in words)


def normalised(text: str) -> str:
    """Lower case, no punctuation, no articles, single blanks, in that order."""
    lowered = text.lower()
    bare = "".join(letter for letter in lowered if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def squad(prediction: str, truth: str) -> tuple[float, float]:
    """Exact match and F1."""
    given, wanted = normalised(prediction).split(), normalised(truth).split()
    same = sum((Counter(given) & Counter(wanted)).values())
    exact = float(normalised(prediction) == normalised(truth))
    if same == 0:
        return exact, 0.0
    precision, recall = same / len(given), same / len(wanted)
    return exact, 2 * precision * recall / (precision + recall)
