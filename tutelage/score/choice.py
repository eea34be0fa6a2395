"""`choice`: the answer is one label of a set; `choice:LABEL` names the label that abstains."""

from __future__ import annotations

from dataclasses import dataclass

from tutelage.score.measure import EXPECTED, HITS, PREDICTED, Measure
from tutelage.score.parse import as_text, parse
from tutelage.score.task import Scores, Task

ABSTAINS = ("abstain_hits", "abstain_predicted", "abstain_expected")
LONGEST = 80  # characters of a wrong label that are kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The label expected, and the JSON field it stands in, if it does in one."""

    label: str
    field: str | None


class Choice:
    """Compares one label.

    Where the expected answer is a JSON object with a single key, that key's value is
    the label and the answer must be an object that has it; else the label is the
    whole text, blanks at both ends aside. With a label that abstains (such as
    `out_of_scope`) there are three metrics more: precision and recall of abstaining,
    and the accuracy on tasks that should be answered.
    """

    headline = "accuracy"

    def __init__(self, abstention: str | None = None) -> None:
        self.name = "choice" if abstention is None else f"choice:{abstention}"
        self._abstention = abstention
        self.measures = MEASURES if abstention is None else MEASURES + ABSTENTION

    def problem(self, task: Task) -> str:
        """Why there is no label to compare with."""
        return "" if asked(task.expected).label else "the expected answer has no label"

    def score(self, task: Task, answer: str) -> Scores:
        """1 or 0, and what the metrics over labels sum; an answer without a label scores 0."""
        expected = asked(task.expected)
        found = _label(answer, expected.field)
        right = found == expected.label
        scores = {"accuracy": float(right), EXPECTED + expected.label: 1.0}
        if found is not None:
            scores[PREDICTED + (found if right else found[:LONGEST])] = 1.0
        if right:
            scores[HITS + expected.label] = 1.0
        if self._abstention is None:
            return scores
        counts = (found == self._abstention, expected.label == self._abstention)
        scores |= dict(zip(ABSTAINS, map(float, (all(counts), *counts)), strict=True))
        if expected.label == self._abstention:
            scores["abstain_recall"] = float(right)
        else:
            scores["in_scope_accuracy"] = float(right)
        return scores


MEASURES = (
    Measure(metric="accuracy", says="the label is the expected one"),
    Measure(
        metric="macro_f1",
        says="mean F1 of all labels",
        family="ratio",
        statistic="macro_f1",
        sliced=False,
    ),
)
ABSTENTION = (
    Measure(
        metric="abstain_precision",
        says="of the answers that abstain, those that should",
        family="ratio",
        columns=ABSTAINS,
        statistic="precision",
        sliced=False,
    ),
    Measure(metric="abstain_recall", says="of the tasks to abstain on, those abstained on"),
    Measure(metric="in_scope_accuracy", says="accuracy on tasks that should be answered"),
)


def asked(expected: str) -> Asked:
    """What an expected answer asks for."""
    value = parse(expected).value
    if isinstance(value, dict) and len(value) == 1:
        ((field, label),) = value.items()
        return Asked(label=as_text(label), field=field)
    return Asked(label=expected.strip(), field=None)


def _label(answer: str, field: str | None) -> str | None:
    if field is None:
        return answer.strip() or None
    value = parse(answer).value
    if not isinstance(value, dict) or field not in value:
        return None
    return as_text(value[field])
