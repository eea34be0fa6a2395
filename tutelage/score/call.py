"""`call`: the answer is the expected function call, as a whole and slot by slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.core.digest import Json
from tutelage.score.measure import Measure
from tutelage.score.parse import as_text, parse, same_form
from tutelage.score.task import Scores, Task

SLOTS = ("slot_hits", "slot_predicted", "slot_expected")
FORM = '{"name": …, "arguments": {…}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """The function calls read from an answer; most often it is one."""

    names: tuple[str, ...]
    arguments: Counter[tuple[str, str, str]]  # (function, slot, value)
    forms: tuple[bytes, ...]  # equal for equal calls

    @property
    def slots(self) -> Counter[tuple[str, str]]:
        """(slot, value) whatever the function."""
        return self._slots(lambda name, slot: slot)

    @property
    def slots_of_functions(self) -> Counter[tuple[str, str]]:
        """The same, a slot named with its function: which call has it matters."""
        return self._slots(lambda name, slot: f"{name}.{slot}")

    def _slots(self, named: Callable[[str, str], str]) -> Counter[tuple[str, str]]:
        found = Counter[tuple[str, str]]()
        for (name, slot, value), count in self.arguments.items():
            found[named(name, slot), value] += count
        return found


class Call:
    """Compares function calls; case counts, the order of arguments does not.

    Several calls are a JSON list. Those of one turn may be made side by side, so
    their order counts only where the scorer is `ordered`. A slot within an object is
    named by its path; where several calls are expected, also by its function.
    """

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

    def __init__(self, ordered: bool = False) -> None:
        self.name = "call:ordered" if ordered else "call"
        self._ordered = ordered

    def problem(self, task: Task) -> str:
        """Why there is nothing to compare with."""
        return "" if read_call(task.expected) else f"the expected answer is no call {FORM}"

    def score(self, task: Task, answer: str) -> Scores:
        """Scores and, for an answer that is wrong, the kinds of error in it."""
        expected, found = read_call(task.expected), read_call(answer)
        if expected is None:
            raise ValueError(f"task {task.id}: {self.problem(task)}")
        given, expected_slots = _compared(found, expected)
        wanted_names = {slot for slot, _ in expected_slots}
        given_names = {slot for slot, _ in given}
        differing = (given - expected_slots) + (expected_slots - given)
        off = {slot for slot, _ in differing}
        right_name = found is not None and self._same(found.names, expected.names)
        flags = {
            "intent": right_name,
            "exact_match": found is not None and self._same(found.forms, expected.forms),
            "unparsable": found is None,
            "wrong_name": found is not None and not right_name,
            "wrong_value": bool(off & wanted_names & given_names),
            "missing_slot": found is not None and bool(wanted_names - given_names),
            "extra_slot": bool(given_names - wanted_names),
            "hallucinated": _invents(given, expected_slots, task.request),
        }
        counts = (
            (given & expected_slots).total(),
            given.total(),
            expected_slots.total(),
        )
        scores = {name: float(flag) for name, flag in flags.items()}
        return scores | {name: float(count) for name, count in zip(SLOTS, counts, strict=True)}

    def _same(self, found: Sequence[Any], expected: Sequence[Any]) -> bool:
        if self._ordered:
            return list(found) == list(expected)
        return sorted(found) == sorted(expected)


def read_call(answer: str) -> Called | None:
    """The calls an answer makes, one or a list of them; None where it is no call."""
    value = parse(answer).value
    calls = value if isinstance(value, list) else [value]
    names: list[str] = []
    forms: list[bytes] = []
    arguments = Counter[tuple[str, str, str]]()
    for call in calls:
        name = call.get("name") if isinstance(call, dict) else None
        given = call.get("arguments") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(name, str) or not isinstance(given, dict):
            return None
        names.append(name)
        forms.append(same_form({"name": name, "arguments": given, "more": len(call) - 2}))
        arguments.update((name, slot, text) for slot, text in _leaves(given, ""))
    if not names:
        return None
    return Called(names=tuple(names), arguments=arguments, forms=tuple(forms))


def _leaves(value: Json, path: str) -> Iterator[tuple[str, str]]:
    """Paths and values in arguments; the elements of a list share its path."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, path)
    elif path:
        yield path, as_text(value)


def _compared(
    found: Called | None, expected: Called
) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """The slots of both: by function, too, where several calls are expected."""
    several = len(expected.names) > 1
    wanted = expected.slots_of_functions if several else expected.slots
    if found is None:
        return Counter(), wanted
    return (found.slots_of_functions if several else found.slots), wanted


def _invents(
    given: Counter[tuple[str, str]], expected: Counter[tuple[str, str]], request: str
) -> bool:
    known = {value for _, value in expected}
    return any(value not in request and value not in known for _, value in given)
