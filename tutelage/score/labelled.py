"""Outputs people labelled: what the detector of refusals is held against, and when it is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec

from tutelage.core.detected import Calibration
from tutelage.core.digest import Json
from tutelage.core.errors import BadRow
from tutelage.core.metric import CURE
from tutelage.core.recipe import LabelledOutputs as Keys
from tutelage.core.sample import Sample
from tutelage.score.label_lines import label_lines, refuse_bad
from tutelage.screen.refusal import refuses

LOCK = "how often the detector of refusals errs is not known"
OPENING = "label outputs, such as those in the report's `to_label.jsonl`, and name the file"
KINDS = ("refusal", "answer")
UNLABELLED = Calibration(found=0, positives=0, passed=0, negatives=0)


class Line(msgspec.Struct):
    """A line of labels: an answer and what a person says it is, empty while nobody has."""

    answer: str
    label: str
    task: str = ""  # which it answers, where the line says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What the detector says of the outputs people labelled."""

    calibration: Calibration = UNLABELLED
    lines: tuple[Line, ...] = ()  # those that have a label, of whatever model
    tasks: frozenset[str] = field(default_factory=frozenset)  # whose answers have one
    elsewhere: int = 0  # labels of answers that are not this model's
    at_least: int = 200
    of_each: int = 20

    @property
    def missing(self) -> int:
        """How many more labels there must be."""
        return max(self.at_least - self.calibration.labels, sum(self._missing().values()), 0)

    @property
    def locked(self) -> str:
        """Why no gate may rest on what it corrects, empty where one may."""
        if not self.missing:
            return ""
        has = self.calibration.labels
        told = f"{has:,} outputs are labelled" if has else "no output is labelled"
        kinds = [f"{count} {kind}s" for kind, count in self._missing().items() if count]
        among = f", at least {' and '.join(kinds)} among them" if kinds else ""
        return f"{LOCK}: {told}; {self.missing:,} more labels are needed{among}"

    @property
    def lock(self) -> str:
        """The same, with what opens it."""
        return f"{self.locked}{CURE}{OPENING}" if self.locked else ""

    def of(self, samples: Sequence[Sample]) -> Labelled:
        """What the labels of these answers say: others are of another model, and do not count.

        A label is of the task it names, or of one with the same answer; a task counts once.
        """
        places: dict[tuple[str, str], list[str]] = {}
        for one in samples:
            for key in ((one.task, one.answer), ("", one.answer)):
                places.setdefault(key, []).append(one.task)
        counted: dict[str, Line] = {}
        for line in sorted(self.lines, key=lambda one: not one.task):
            free = [one for one in places.get((line.task, line.answer), ()) if one not in counted]
            if free:
                counted[free[0]] = line
        return replace(
            self,
            calibration=calibrated(list(counted.values())),
            tasks=frozenset(counted),
            elsewhere=len(self.lines) - len(counted),
        )

    def to_dict(self) -> dict[str, Json]:
        """What the report says of it."""
        one = self.calibration
        return {
            "labels": one.labels,
            "refusals": one.positives,
            "found": one.found,
            "answers": one.negatives,
            "passed": one.passed,
            "elsewhere": self.elsewhere,
            "missing": self.missing,
            "locked": self.locked,
        }

    def _missing(self) -> dict[str, int]:
        has = (self.calibration.positives, self.calibration.negatives)
        return {kind: max(0, self.of_each - n) for kind, n in zip(KINDS, has, strict=True)}


def read_labelled(keys: Keys, path: Path, uri: str) -> Labelled:
    """The labelled answers of a file; what they say is known once there are answers to hold.

    Raises: RowError with every line that is none, or says the contrary of one before it.
    """
    bad: list[BadRow] = []
    seen: dict[tuple[str, str], tuple[int, Line]] = {}
    for number, line in label_lines(path, uri, Line, bad):
        line.label = line.label.strip().lower()
        if line.label not in (*KINDS, ""):
            told = f"`label` is `{line.label[:40]}`; expected {' or '.join(KINDS)}"
            bad.append(BadRow(where=f"{uri}:{number}", problem=told))
        elif line.label:
            before = seen.setdefault((line.task, line.answer), (number, line))
            if before[1].label != line.label:
                told = f"labelled `{line.label}`; line {before[0]} says `{before[1].label}` of it"
                bad.append(BadRow(where=f"{uri}:{number}", problem=told))
    refuse_bad(bad)
    return Labelled(
        lines=tuple(line for _, line in seen.values()),
        at_least=keys.at_least,
        of_each=keys.of_each,
    )


def calibrated(lines: Sequence[Line]) -> Calibration:
    """How often the detector says what people say."""
    seen = Counter((line.label, refuses(line.answer)) for line in lines)
    return Calibration(
        found=seen["refusal", True],
        positives=seen["refusal", True] + seen["refusal", False],
        passed=seen["answer", False],
        negatives=seen["answer", True] + seen["answer", False],
    )
