"""`number`: the last word is a number, by the rules of GSM8K or read more kindly."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task

MARKED = re.compile(r"#### (\-?[0-9\.\,]+)")
ANY = re.compile(r"-?[$€£]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
MARK = "####"


class Number:
    """Compares one number.

    As GSM8K does: the number after the first `####`, commas aside, as text: `18.0` is
    not `18`. With `last`, an answer without a mark is read for its last number, and
    numbers are compared by value.

    Source: Cobbe et al., "Training verifiers to solve math word problems", 2021.
    """

    headline = "numeric_match"
    measures = (
        Measure(metric="numeric_match", says="the final number is the expected one"),
        Measure(metric="no_number", says="no final number can be read", better="lower"),
    )

    def __init__(self, last: bool = False) -> None:
        self.name = "number:last" if last else "number"
        self._last = last

    def problem(self, task: Task) -> str:
        """Why there is no number to compare with."""
        if self._read(task.expected) is not None:
            return ""
        return "the expected answer has no number" + ("" if self._last else f" after `{MARK}`")

    def score(self, task: Task, answer: str) -> Scores:
        """Whether the numbers are equal, and whether there is one."""
        found, expected = self._read(answer), self._read(task.expected)
        right = found is not None and found == expected
        return {"numeric_match": float(right), "no_number": float(found is None)}

    def _read(self, text: str) -> str | Decimal | None:
        return last_number(text) if self._last else marked_number(text)


def marked_number(text: str) -> str | None:
    """The number after the mark, as it is written without commas."""
    found = MARKED.search(text)
    return found[1].strip().replace(",", "") if found else None


def last_number(text: str) -> Decimal | None:
    """The number after the mark, or else the last one, by its value."""
    marked = marked_number(text)
    written = [marked] if marked is not None else ANY.findall(text)[-1:]
    if not written:
        return None
    try:
        return Decimal(re.sub(r"[$€£,]", "", written[0]).rstrip(".")).normalize()
    except InvalidOperation:
        return None
