"""`grounded`: what an answer says is in its source, as far as words can show."""

from __future__ import annotations

from tutelage.score.claims import claims_of, name_holds, number_holds, source_of, support
from tutelage.score.measure import Measure
from tutelage.score.sentences import lines_and_sentences
from tutelage.score.task import Scores, Task
from tutelage.score.text import field_problem

NAMES = ("names_held", "names_given")
NUMBERS = ("numbers_held", "numbers_given")
SENTENCES = ("sentences_supported", "sentences_given")
ENOUGH = 0.5  # of a sentence's content words that the source has; chosen by benchmarks/grounded.py


class Grounded:
    """Whether names, numbers and sentences of an answer are found in its source.

    The source is a field of the row (`grounded:context`), else what the user says. The
    warning counts answers with a name or number that the source does not have. What
    the source does not contradict by its words, such as a `not` too many, is not seen.
    """

    headline = "grounded"
    measures = (
        Measure(metric="grounded", says="no warning, and every sentence is supported"),
        Measure(
            metric="factuality_warning",
            says="a name or number of the answer is not in the source",
            better="lower",
        ),
        Measure(metric="unknown_name", says="a name is not in the source", better="lower"),
        Measure(metric="unknown_number", says="a number is not in the source", better="lower"),
        Measure(
            metric="name_precision",
            says="share of all names that the sources have",
            family="ratio",
            columns=NAMES,
            statistic="part",
        ),
        Measure(
            metric="number_precision",
            says="share of all numbers that the sources have",
            family="ratio",
            columns=NUMBERS,
            statistic="part",
        ),
        Measure(
            metric="sentence_support",
            says=f"share of sentences with at least {ENOUGH:.0%} of their content in the source",
            family="ratio",
            columns=SENTENCES,
            statistic="part",
        ),
    )

    def __init__(self, field: str | None = None) -> None:
        self.name = "grounded" if field is None else f"grounded:{field}"
        self._field = field

    def problem(self, task: Task) -> str:
        """Why there is no source."""
        if self._field is None:
            return (
                "" if task.request.strip() else "the user says nothing to hold the answer against"
            )
        return field_problem(task, self._field)

    def score(self, task: Task, answer: str) -> Scores:
        """The warning and what it is made from."""
        return grounding(answer, self._source(task))

    def _source(self, task: Task) -> str:
        if self._field is None:
            return task.request
        return f"{task.example.tags.get(self._field, '')}\n{task.request}"


def grounding(answer: str, source: str) -> Scores:
    """The scores of an answer held against a source."""
    known, claims = source_of(source), claims_of(answer)
    names = sum(name_holds(one, known) for one in claims.names)
    numbers = sum(number_holds(one, known) for one in claims.numbers)
    parts = lines_and_sentences(answer)
    supported = sum(support(one, known) >= ENOUGH for one in parts)
    unknown_name, unknown_number = names < len(claims.names), numbers < len(claims.numbers)
    warned = unknown_name or unknown_number
    return {
        "grounded": float(not warned and supported == len(parts)),
        "factuality_warning": float(warned),
        "unknown_name": float(unknown_name),
        "unknown_number": float(unknown_number),
        NAMES[0]: float(names),
        NAMES[1]: float(len(claims.names)),
        NUMBERS[0]: float(numbers),
        NUMBERS[1]: float(len(claims.numbers)),
        SENTENCES[0]: float(supported),
        SENTENCES[1]: float(len(parts)),
    }
