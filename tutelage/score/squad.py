"""`squad`: exact match and token F1 of short answers, by the rules of SQuAD v1.1."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task
from tutelage.score.text import references, references_problem

ARTICLE = re.compile(r"\b(a|an|the)\b")
ARTICLES = frozenset(("a", "an", "the"))
PLAIN = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, string.punctuation)
WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Squad:
    """Compares answers after case, punctuation, articles and blanks are taken away.

    The best of the references counts, for each metric by itself. Two answers of
    which nothing is left match, and have F1 0, as in the official script.
    """

    name = "squad"
    headline = "em"
    measures = (
        Measure(metric="em", says="the answer is a right one by the rules of SQuAD"),
        Measure(metric="f1", says="F1 of the tokens shared with a right answer", family="mean"),
    )

    def problem(self, task: Task) -> str:
        """Why further right answers cannot be read."""
        return references_problem(task)

    def score(self, task: Task, answer: str) -> Scores:
        """1 or 0, and F1, each against the best reference."""
        given = tokens(answer)
        found = [compare(given, tokens(one)) for one in references(task)]
        return {"em": max(one[0] for one in found), "f1": max(one[1] for one in found)}


def tokens(text: str) -> list[str]:
    """The words that count.

    Source: Rajpurkar et al., "SQuAD", 2016, its evaluation script. In printable ASCII
    an article stands between blanks once punctuation is gone, so no pattern is needed.
    """
    if text.isascii() and text.isprintable():
        return [word for word in text.translate(PLAIN).split() if word not in ARTICLES]
    return ARTICLE.sub(" ", text.lower().translate(WITHOUT_PUNCTUATION)).split()


def compare(given: Sequence[str], wanted: Sequence[str]) -> tuple[float, float]:
    """Exact match and F1 of two lists of words."""
    if given == wanted:
        return 1.0, float(bool(given))
    left: dict[str, int] = {}
    for word in wanted:
        left[word] = left.get(word, 0) + 1
    same = 0
    for word in given:
        count = left.get(word)
        if count:
            left[word] = count - 1
            same += 1
    if not same:
        return 0.0, 0.0
    precision, recall = same / len(given), same / len(wanted)
    return 0.0, 2 * precision * recall / (precision + recall)
