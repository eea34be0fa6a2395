"""`call`: the answer is the expected function call, as a whole and slot by slot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tutelage.score.measure import Measure
from tutelage.score.parse import as_text, parse, same_form
from tutelage.score.task import Scores, Task

SLOTS = ("slot_hits", "slot_predicted", "slot_expected")
FORM = '{"name": …, "arguments": {…}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A function call read from an answer."""

    name: str
    slots: Counter[tuple[str, str]]  # (slot, value); a list gives one pair an element
    form: bytes  # equal for equal calls


class Call:
    """Compares function calls; case counts, the order of arguments does not."""

    name = "call"
    headline = "exact_match"
    measures = (
        Measure(metric="intent", says="the right function is named"),
        Measure(
            metric="slot_f1",
            says="F1 over all (slot, value) pairs",
            family="ratio",
            columns=SLOTS,
            statistic="f1",
        ),
        Measure(
            metric="slot_precision",
            says="share of the answers' slot values that are expected",
            family="ratio",
            columns=SLOTS,
            statistic="precision",
        ),
        Measure(
            metric="slot_recall",
            says="share of the expected slot values that are answered",
            family="ratio",
            columns=SLOTS,
            statistic="recall",
        ),
        Measure(metric="exact_match", says="function and arguments are all as expected"),
        Measure(metric="unparsable", says="no call can be read", better="lower"),
        Measure(metric="wrong_name", says="another function is named", better="lower"),
        Measure(metric="wrong_value", says="a slot has another value", better="lower"),
        Measure(metric="missing_slot", says="an expected slot is left out", better="lower"),
        Measure(metric="extra_slot", says="a slot is given that none expects", better="lower"),
        Measure(
            metric="hallucinated",
            says="a value is neither in the request nor expected",
            better="lower",
        ),
    )

    def problem(self, task: Task) -> str:
        """Why there is nothing to compare with."""
        return "" if read_call(task.expected) else f"the expected answer is no call {FORM}"

    def score(self, task: Task, answer: str) -> Scores:
        """Scores and, for an answer that is wrong, the kinds of error in it."""
        expected, found = read_call(task.expected), read_call(answer)
        if expected is None:
            raise ValueError(f"task {task.id}: {self.problem(task)}")
        slots = found.slots if found is not None else Counter[tuple[str, str]]()
        wanted = {slot for slot, _ in expected.slots}
        given = {slot for slot, _ in slots}
        off = {slot for slot, _ in (slots - expected.slots) + (expected.slots - slots)}
        right_name = found is not None and found.name == expected.name
        flags = {
            "intent": right_name,
            "exact_match": found is not None and found.form == expected.form,
            "unparsable": found is None,
            "wrong_name": found is not None and not right_name,
            "wrong_value": bool(off & wanted & given),
            "missing_slot": found is not None and bool(wanted - given),
            "extra_slot": bool(given - wanted),
            "hallucinated": _invents(slots, expected.slots, task.request),
        }
        counts = ((slots & expected.slots).total(), slots.total(), expected.slots.total())
        scores = {name: float(flag) for name, flag in flags.items()}
        return scores | {name: float(count) for name, count in zip(SLOTS, counts, strict=True)}


def read_call(answer: str) -> Called | None:
    """The one call an answer makes, None where it makes none."""
    value = parse(answer).value
    if not isinstance(value, dict):
        return None
    name, arguments = value.get("name"), value.get("arguments")
    if not isinstance(name, str) or not isinstance(arguments, dict):
        return None
    pairs = [
        (slot, as_text(one))
        for slot, held in arguments.items()
        for one in (held if isinstance(held, list) else [held])
    ]
    form = same_form({"name": name, "arguments": arguments, "more": len(value) - 2})
    return Called(name=name, slots=Counter(pairs), form=form)


def _invents(
    given: Counter[tuple[str, str]], expected: Counter[tuple[str, str]], request: str
) -> bool:
    known = {value for _, value in expected}
    return any(value not in request and value not in known for _, value in given)
