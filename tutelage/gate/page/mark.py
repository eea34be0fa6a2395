"""The answers that are furthest off, beside what was expected, with what differs marked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from tutelage.core.row import Example
from tutelage.core.sample import Sample
from tutelage.score.measure import Measure
from tutelage.score.roster import FINISHED
from tutelage.score.slices import LENGTH
from tutelage.score.task import Task

SHOWN = 10
ALIKE = 3  # at most so many of one slice
ALIKE_ENOUGH = 0.3  # share of pieces two texts share, from which they are compared
LONGEST = 1200  # characters of a text that are shown
PIECES = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of an answer, and whether the other side has it."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one system answered."""

    system: str
    right: bool
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One task the tuned model got wrong."""

    task: str
    request: str
    expected: tuple[Piece, ...]  # marked where the tuned answer lacks it
    answers: tuple[Answer, ...]
    errors: tuple[str, ...]
    tags: tuple[str, ...] = ()  # values of what the suite is sliced by


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The worst of them, and of how many."""

    worst: tuple[Failure, ...]
    count: int
    tasks: int


def failures(
    tasks: Sequence[Example],
    samples: Mapping[str, Sequence[Sample]],
    measures: Sequence[Measure],
    headline: str,
    keys: Sequence[str],
) -> Failures:
    """The tuned answers that are not right, the furthest off first, not too many alike.

    `samples` are by system, the tuned one's among them, all in the tasks' order.
    """
    tuned = samples["tuned"]
    lower = any(one.metric == headline and one.better == "lower" for one in measures)
    best = 0.0 if lower else 1.0
    wrong = [index for index, one in enumerate(tuned) if one.scores.get(headline, best) != best]

    def rank(index: int) -> tuple[float, int, str]:
        others = [some[index] for name, some in samples.items() if name != "tuned"]
        beaten = sum(1 for one in others if one.scores.get(headline) == best)
        return (-_off(tuned[index], measures), -beaten, tuned[index].task)

    kind = next((key for key in keys if key != LENGTH), None)
    seen: Counter[str] = Counter()
    chosen = []
    for index in sorted(wrong, key=rank):
        value = tasks[index].tags.get(kind, "") if kind else tuned[index].task
        seen[value] += 1
        if seen[value] <= ALIKE:
            chosen.append(index)
    worst = [
        replace(
            _failure(tasks[index], index, samples, measures, (headline, best)),
            tags=tuple(tasks[index].tags[key] for key in keys if key in tasks[index].tags),
        )
        for index in chosen[:SHOWN]
    ]
    return Failures(worst=tuple(worst), count=len(wrong), tasks=len(tuned))


def compared(answer: str, expected: str) -> tuple[Piece, ...]:
    """The answer in stretches, those that the expected text does not have marked."""
    mine, theirs = PIECES.findall(answer), PIECES.findall(expected)
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    if matcher.ratio() < ALIKE_ENOUGH:  # words they share by chance would only confuse
        return (Piece(text=answer, differs=True),) if answer else ()
    marked: list[Piece] = []
    for kind, start, end, _, _ in matcher.get_opcodes():
        text = "".join(mine[start:end])
        if text:
            marked.append(Piece(text=text, differs=kind != "equal" and bool(text.strip())))
    return tuple(_joined(marked))


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces, with blanks between two that differ taken into one with them."""
    found: list[Piece] = []
    for index, piece in enumerate(pieces):
        following = pieces[index + 1] if index + 1 < len(pieces) else None
        before = found[-1] if found else None
        bridge = not piece.text.strip() and following is not None and following.differs
        if before is not None and before.differs and (piece.differs or bridge):
            found[-1] = Piece(text=before.text + piece.text, differs=True)
        else:
            found.append(piece)
    return found


def _failure(
    example: Example,
    index: int,
    samples: Mapping[str, Sequence[Sample]],
    measures: Sequence[Measure],
    right: tuple[str, float],
) -> Failure:
    task = Task(id=example.id, cluster="", example=example)
    expected = shortened(task.expected)
    tuned = samples["tuned"][index]
    systems = ["tuned", *(name for name in reversed(list(samples)) if name != "tuned")]
    return Failure(
        task=example.id,
        request=shortened(task.request),
        expected=compared(expected, shortened(tuned.answer)),
        answers=tuple(_answer(samples[name][index], expected, right) for name in systems),
        errors=_errors(tuned, measures),
    )


def _answer(sample: Sample, expected: str, best: tuple[str, float]) -> Answer:
    right = sample.scores.get(best[0]) == best[1]
    text = shortened(sample.answer)
    pieces = (Piece(text=text, differs=False),) if right else compared(text, expected)
    return Answer(system=sample.system, right=right, pieces=pieces)


def shortened(text: str) -> str:
    """The text, or as much of it as is shown and how much is not."""
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]} … {len(text) - LONGEST:,} more characters"


def _off(sample: Sample, measures: Sequence[Measure]) -> float:
    """How far off an answer is: points it did not get and errors it made."""
    single = [one for one in measures if one.metric in sample.scores]
    return sum(
        sample.scores[one.metric] if one.better == "lower" else 1.0 - sample.scores[one.metric]
        for one in single
    )


def _errors(sample: Sample, measures: Sequence[Measure]) -> tuple[str, ...]:
    made = [
        one.metric.replace("_", " ")
        for one in measures
        if one.better == "lower" and sample.scores.get(one.metric) == 1.0
    ]
    cut = sample.scores.get(FINISHED.metric) == 0.0
    return (*made, "cut off") if cut else tuple(made)
