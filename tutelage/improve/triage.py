"""Feedback sorted by what went wrong: one case for each answer that was rated or corrected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from tutelage.core.event import Event, Rating
from tutelage.store.journal import Journal

Kind = Literal[
    "unparsable", "invalid", "blocked", "cut_off", "corrected", "rated_down", "praised", "commented"
]
KINDS: tuple[Kind, ...] = get_args(Kind)  # a failure is of the first that fits
SAYS: Mapping[Kind, str] = {
    "unparsable": "the answer was not JSON",
    "invalid": "the answer did not satisfy the output schema",
    "blocked": "a guardrail let no answer through",
    "cut_off": "the answer was cut off at its length",
    "corrected": "somebody wrote what it should have been",
    "rated_down": "rated down, without a correction",
    "praised": "rated up",
    "commented": "commented, not rated",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One answer and all that was said of it; of each, what was said last."""

    completion: Event
    rating: Rating | None = None
    correction: str | None = None
    comment: str | None = None
    author: str | None = None  # of the correction, else of the last feedback
    feedback: str = ""  # id of that event

    @property
    def kind(self) -> Kind:
        """What went wrong, or that it was praised."""
        said = self.completion.payload
        if self.rating != "down" and self.correction is None:
            return "praised" if self.rating == "up" else "commented"
        if said.get("parsed") is False:
            return "unparsable"
        if said.get("valid") is False:
            return "invalid"
        if said.get("finish") == "content_filter":
            return "blocked"
        if said.get("finish") == "length":
            return "cut_off"
        return "corrected" if self.correction is not None else "rated_down"

    @property
    def answered(self) -> bool:
        """Whether something of the model's own answer went out, and no error in its place."""
        said = self.completion.payload
        return said.get("finish") not in ("content_filter", "error") and said.get("error") is None

    @property
    def request(self) -> str | None:
        """What the user said last; None where no text was kept."""
        messages: Any = self.completion.payload.get("messages")
        if messages is None:
            return None
        asked = [turn.get("content") or "" for turn in messages if turn.get("role") == "user"]
        return asked[-1] if asked else ""

    @property
    def answer(self) -> str | None:
        """What was served; None where no text was kept."""
        answer = self.completion.payload.get("answer")
        return None if answer is None else str(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Triage:
    """Every case in the order the answers were given, and feedback about no known answer."""

    cases: tuple[Case, ...]
    astray: int

    def of(self, kind: Kind) -> list[Case]:
        """The cases of a kind."""
        return [case for case in self.cases if case.kind == kind]

    @property
    def counts(self) -> dict[Kind, int]:
        """How many there are of each kind."""
        return {kind: len(self.of(kind)) for kind in KINDS}


def triage(journal: Journal, release: str) -> Triage:
    """The cases of a release, by its digest."""
    about: dict[str, list[Event]] = {}
    for event in journal.events(kind="feedback", release=release):
        about.setdefault(event.subject, []).append(event)
    found, astray = [], 0
    for subject, feedback in about.items():
        completion = journal.event(subject)
        if completion is None or completion.kind != "completion":
            astray += len(feedback)
        else:
            found.append(_case(completion, feedback))
    return Triage(cases=tuple(sorted(found, key=_order)), astray=astray)


def newest(cases: Sequence[Case], count: int) -> list[Case]:
    """The cases whose answers were given last, the latest first."""
    return list(reversed(cases))[:count]


def _case(completion: Event, feedback: Iterable[Event]) -> Case:
    case = Case(completion=completion)
    for event in feedback:
        said: Mapping[str, Any] = event.payload
        correction = said.get("correction")
        corrects = isinstance(correction, str) and bool(correction.strip())
        if corrects or case.correction is None:
            case = replace(case, author=said.get("author"), feedback=event.id)
        case = replace(
            case,
            rating=said.get("rating") or case.rating,
            correction=correction if corrects else case.correction,
            comment=said.get("comment") or case.comment,
        )
    return case


def _order(case: Case) -> int:
    return case.completion.seq
