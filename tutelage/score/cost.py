"""`cost`: the seconds and tokens answers take."""

from __future__ import annotations

from tutelage.core.sample import Sample
from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task

SECONDS, TOKENS = "answer_seconds", "answer_tokens"


class Cost:
    """What each answer took, from its Sample: the text alone does not tell.

    Seconds are those until the answer was there, beside others of its batch.
    """

    name = "cost"
    headline = ""  # it says of no answer whether it is right
    measures = (
        Measure(
            metric="seconds",
            says="seconds until an answer is there, mean",
            family="level",
            better="lower",
            columns=(SECONDS,),
            unit="seconds",
        ),
        Measure(
            metric="seconds_p95",
            says="seconds within which 95 of 100 answers are there",
            family="level",
            better="lower",
            columns=(SECONDS,),
            statistic="p95",
            unit="seconds",
        ),
        Measure(
            metric="tokens",
            says="tokens of an answer, mean",
            family="level",
            better="lower",
            columns=(TOKENS,),
            unit="tokens",
        ),
    )

    def problem(self, task: Task) -> str:
        """Nothing: every answer takes something."""
        return ""

    def score(self, task: Task, answer: str) -> Scores:
        """Nothing: see `spent`."""
        return {}

    def spent(self, sample: Sample) -> Scores:
        """The Sample's seconds and tokens."""
        return {SECONDS: sample.seconds, TOKENS: float(sample.tokens)}
