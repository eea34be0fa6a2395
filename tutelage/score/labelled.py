"""Outputs people labelled: what the detector of refusals is held against, and when it is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tutelage.core.detected import Calibration
from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, RowError
from tutelage.core.recipe import LabelledOutputs as Keys
from tutelage.screen.refusal import refuses

LOCK = "how often the detector of refusals errs is not known"
KINDS = ("refusal", "answer")
UNLABELLED = Calibration(found=0, positives=0, passed=0, negatives=0)


class Line(msgspec.Struct):
    """A line of labels: an answer and what a person says it is, empty while nobody has."""

    answer: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What the detector says of the outputs people labelled."""

    calibration: Calibration = UNLABELLED
    answers: frozenset[str] = field(default_factory=frozenset)  # those that have a label
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

    def to_dict(self) -> dict[str, Json]:
        """What the report says of it."""
        one = self.calibration
        return {
            "labels": one.labels,
            "refusals": one.positives,
            "found": one.found,
            "answers": one.negatives,
            "passed": one.passed,
            "missing": self.missing,
            "locked": self.locked,
        }

    def _missing(self) -> dict[str, int]:
        has = (self.calibration.positives, self.calibration.negatives)
        return {kind: max(0, self.of_each - n) for kind, n in zip(KINDS, has, strict=True)}


def read_labelled(keys: Keys, path: Path, uri: str) -> Labelled:
    """What the detector says of the labelled answers of a file.

    Raises: RowError with every line that is none.
    """
    lines, bad = [], []
    for number, text in enumerate(path.read_bytes().splitlines(), 1):
        try:
            line = msgspec.json.decode(text, type=Line)
        except msgspec.MsgspecError as error:
            bad.append(BadRow(where=f"{uri}:{number}", problem=str(error)))
            continue
        if line.label not in (*KINDS, ""):
            told = f"`label` is `{line.label[:40]}`; expected {' or '.join(KINDS)}"
            bad.append(BadRow(where=f"{uri}:{number}", problem=told))
        elif line.label:
            lines.append(line)
    if bad:
        told = f"{len(bad)} row{'s' if len(bad) > 1 else ''} of labels cannot be read"
        raise RowError(told, rows=bad, hint="fix them: labels are taken whole or not at all")
    return Labelled(
        calibration=calibrated(lines),
        answers=frozenset(line.answer for line in lines),
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
