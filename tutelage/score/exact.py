"""`exact`: the answer is the expected text."""

from __future__ import annotations

from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task


class Exact:
    """Compares texts, blanks at both ends aside."""

    name = "exact"
    headline = "exact_match"
    measures = (Measure(metric="exact_match", says="the answer is the expected text"),)

    def problem(self, task: Task) -> str:
        """Nothing: any text can be compared."""
        return ""

    def score(self, task: Task, answer: str) -> Scores:
        """1 where the texts are equal."""
        return {"exact_match": float(answer.strip() == task.expected.strip())}
