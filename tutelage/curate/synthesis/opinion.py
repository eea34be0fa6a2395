"""What people have said of drafts: decisions in the order they were made, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import msgspec
import numpy as np

from tutelage.core.agreement import Unit, krippendorff
from tutelage.core.digest import Json
from tutelage.core.intervals import Interval
from tutelage.core.review import ACCEPTED, Review
from tutelage.core.row import Example, reviewed_digest
from tutelage.curate.synthesis.sift import Draft

Decision = Literal["accept", "edit", "reject"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
State = Literal["waiting", "open", "accept", "edit", "reject"]  # `open`: reviewers differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One person's decision on a draft; an edit has the words as they should be."""

    reviewer: str
    decision: Decision
    request: str = ""  # as edited; empty where it stays
    answer: str = ""
    note: str = ""

    @property
    def outcome(self) -> tuple[str, str, str]:
        """What is decided; two reviewers agree where it is equal."""
        return (self.decision, self.request, self.answer)

    def to_dict(self) -> dict[str, Json]:
        """The opinion as plain JSON."""
        form: dict[str, Json] = msgspec.to_builtins(self)
        return form


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A draft and all that was said of it."""

    draft: Draft
    said: tuple[Opinion, ...] = ()

    @property
    def latest(self) -> dict[str, Opinion]:
        """What each reviewer says now."""
        return {one.reviewer: one for one in self.said}

    @property
    def first(self) -> dict[str, Opinion]:
        """What each said before seeing what others say."""
        found: dict[str, Opinion] = {}
        for one in self.said:
            found.setdefault(one.reviewer, one)
        return found

    def state(self, reviewers: int) -> State:
        """What it comes to where so many must agree; one dissent keeps it open."""
        now = list(self.latest.values())
        if len({one.outcome for one in now}) > 1:
            return "open"
        return now[0].decision if len(now) >= reviewers else "waiting"

    def with_opinion(self, opinion: Opinion) -> Case:
        """The case after one more was said."""
        return replace(self, said=(*self.said, opinion))

    def row(self, key: bytes) -> Example:
        """The row it comes to, with its reviews; for a case that is accepted or edited."""
        agreed = sorted(self.latest.values(), key=lambda one: one.reviewer)
        first = agreed[0]
        example = edited(self.draft.example, first)
        if first.decision == "edit":
            example = replace(example, origin="human_edited", editor=first.reviewer)
        whole = reviewed_digest(example)
        reviews = [
            Review(
                reviewer=one.reviewer,
                decision=one.decision,
                draft=self.draft.digest,
                row=whole,
            ).sealed(key)
            for one in agreed
            if one.decision in ACCEPTED
        ]
        return replace(example, reviews=tuple(reviews))

    def to_dict(self) -> dict[str, Json]:
        """The case as plain JSON."""
        return {**self.draft.to_dict(), "said": [one.to_dict() for one in self.said]}

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Case:
        """The case of `to_dict`."""
        said = msgspec.convert(form["said"], tuple[Opinion, ...])
        return cls(draft=Draft.from_dict(form), said=said)


def edited(example: Example, opinion: Opinion) -> Example:
    """The draft with the words of an edit."""
    if opinion.decision != "edit":
        return example
    turns = []
    for place, turn in enumerate(example.messages):
        last = place == len(example.messages) - 1
        words = opinion.answer if last else opinion.request if turn.role == "user" else ""
        turns.append(replace(turn, content=words) if words else turn)
    return replace(example, messages=tuple(turns), id="")


def agreement(cases: Iterable[Case], generator: np.random.Generator) -> Interval:
    """How far reviewers agree on what becomes of a draft, beyond chance, before they confer."""
    units = [
        Unit(
            values=tuple(float(DECISIONS.index(one.decision)) for one in case.first.values()),
            cluster=case.draft.example.parents[0],  # drafts of one seed are not independent
        )
        for case in cases
        if case.said
    ]
    return krippendorff(units, "nominal", generator)


def counts(cases: Sequence[Case], reviewers: int) -> dict[str, int]:
    """How many drafts are in which state, and how many somebody has looked at."""
    states = [case.state(reviewers) if case.said else "waiting" for case in cases]
    return {
        "drafts": len(cases),
        "reviewed": sum(bool(case.said) for case in cases),
        "accepted": states.count("accept"),
        "edited": states.count("edit"),
        "rejected": states.count("reject"),
        "open": states.count("open"),
        "waiting": states.count("waiting"),
    }
