"""`rouge`: ROUGE-1, 2, L and Lsum of an answer against its references."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tutelage.score.measure import Measure
from tutelage.score.porter import stem
from tutelage.score.task import Scores, Task
from tutelage.score.text import references, references_problem

WORD = re.compile(r"[a-z0-9]+")
STEMMED = 4  # letters a word has at least to be stemmed


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A text as ROUGE reads it: its words, and those of each line."""

    all: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


class Rouge:
    """F of shared words, pairs of words and longest common subsequences.

    The best of the references counts, for each metric by itself. With `stem`, words
    of more than three letters are compared by their stems.

    Source: Lin, "ROUGE", 2004.
    """

    headline = "rougeL"
    measures = (
        Measure(metric="rouge1", says="F of shared words", family="mean"),
        Measure(metric="rouge2", says="F of shared pairs of words", family="mean"),
        Measure(metric="rougeL", says="F of the longest common subsequence", family="mean"),
        Measure(
            metric="rougeLsum", says="the same line by line, a line being a sentence", family="mean"
        ),
    )

    def __init__(self, stemmed: bool = False) -> None:
        self.name = "rouge:stem" if stemmed else "rouge"
        self._stemmed = stemmed

    def problem(self, task: Task) -> str:
        """Why further right answers cannot be read."""
        return references_problem(task)

    def score(self, task: Task, answer: str) -> Scores:
        """Each F against the best reference."""
        given = words(answer, self._stemmed)
        found = [rouge(words(one, self._stemmed), given) for one in references(task)]
        return {name: max(one[name] for one in found) for name in found[0]}


def words(text: str, stemmed: bool = False) -> Words:
    """The words of a text, whole and by line."""
    lines = tuple(tuple(_words(line, stemmed)) for line in text.split("\n") if line)
    return Words(all=tuple(word for line in lines for word in line), lines=lines)


def rouge(wanted: Words, given: Words) -> dict[str, float]:
    """The four F measures of one pair of texts."""
    target, answer = wanted.all, given.all
    longest = _f(lcs(target, answer), len(target), len(answer))
    one_line = len(wanted.lines) < 2 and len(given.lines) < 2
    return {
        "rouge1": _shared(target, answer),
        "rouge2": _shared(list(pairwise(target)), list(pairwise(answer))),
        "rougeL": longest,
        "rougeLsum": longest if one_line else _by_line(wanted, given),
    }


def lcs(wanted: Sequence[str], given: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    return len(given) - _columns(wanted, given)[-1].bit_count() if wanted and given else 0


def _words(text: str, stemmed: bool) -> list[str]:
    found = WORD.findall(text.lower())
    if not stemmed:
        return found
    return [root for word in found if (root := stem(word) if len(word) >= STEMMED else word)]


def _columns(wanted: Sequence[str], given: Sequence[str]) -> list[int]:
    """After each word of `wanted`, a bit for each of `given`: 0 where the length grows there.

    Source: Hyyrö, "Bit-parallel LCS-length computation revisited", 2004.
    """
    places: dict[str, int] = {}
    for index, word in enumerate(given):
        places[word] = places.get(word, 0) | 1 << index
    full = flat = (1 << len(given)) - 1
    columns = [flat]
    for word in wanted:
        here = flat & places.get(word, 0)
        if here:
            flat = (flat + here | flat - here) & full
        columns.append(flat)
    return columns


def _by_line(wanted: Words, given: Words) -> float:
    """F of the words of each wanted line that some line of the answer holds in order.

    No word counts more often than it stands in either text.
    """
    left, right = Counter(wanted.all), Counter(given.all)
    hits = 0
    for line in wanted.lines:
        union = sorted({place for other in given.lines for place in _common(line, other)})
        for word in (line[place] for place in union):
            if left[word] > 0 and right[word] > 0:
                hits += 1
                left[word] -= 1
                right[word] -= 1
    return _f(hits, len(wanted.all), len(given.all))


def _common(wanted: Sequence[str], given: Sequence[str]) -> Iterable[int]:
    """Places in `wanted` of one longest common subsequence, the same at any tie."""
    columns = _columns(wanted, given)
    row, column = len(wanted), len(given)
    while row and column:
        if wanted[row - 1] == given[column - 1]:
            row, column = row - 1, column - 1
            yield row
        elif _length(columns[row], column - 1) > _length(columns[row - 1], column):
            column -= 1
        else:
            row -= 1


def _length(flat: int, column: int) -> int:
    return column - (flat & (1 << column) - 1).bit_count()


def _shared(wanted: Sequence[object], given: Sequence[object]) -> float:
    left: dict[object, int] = {}
    for one in wanted:
        left[one] = left.get(one, 0) + 1
    hits = 0
    for one in given:
        count = left.get(one)
        if count:
            left[one] = count - 1
            hits += 1
    return _f(hits, len(wanted), len(given))


def _f(hits: int, wanted: int, given: int) -> float:
    if not hits:
        return 0.0
    precision, recall = hits / given, hits / wanted
    return 2 * precision * recall / (precision + recall)
