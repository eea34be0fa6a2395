"""Cases to proposed rows: what should have been answered, with all that tells where it is from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tutelage.core import licence as licences
from tutelage.core.conversation import Message
from tutelage.core.digest import Json
from tutelage.core.recipe.improve import Improve
from tutelage.core.row import Example
from tutelage.improve.triage import Case
from tutelage.score.parse import parse
from tutelage.score.schema import Schema
from tutelage.score.task import answer_text
from tutelage.screen import pii, secrets
from tutelage.store.ingest import OF_EVENT, Fault, example_of
from tutelage.store.release import ReleaseFolder

MARKS = tuple(f"[{kind.upper()}]" for kind in (*pii.KINDS, *secrets.KINDS))  # of what was replaced
REDACTED = "personal data and secrets were replaced before it was kept: [EMAIL] and the like"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """Whether a row may be taught: a whole conversation whose answer the contract allows."""

    schema: Schema | None  # None: the contract asks for no form

    @classmethod
    def of(cls, release: ReleaseFolder) -> Checker:
        """By the release's contract."""
        schema: Json = release.contract.get("output_schema")
        return cls(schema=None if schema is None else Schema(schema))

    def problem(self, row: dict[str, Any], uri: str, line: int) -> str:
        """Why the row cannot be taught, empty where it can."""
        try:
            example = example_of(row, uri, line)
        except Fault as fault:
            return fault.message
        if not example.licence.strip():
            return "its licence is empty"
        if unknown := licences.problem(example.licence):
            return f"its licence: {unknown}"
        if not example.messages[-1].taught:
            return "its answer is not taught: see `train` and `weight` of the last message"
        return self.answer_problem(example)

    def answer_problem(self, example: Example) -> str:
        """What is wrong with its last answer."""
        if self.schema is None:
            return ""
        answer = answer_text(example.messages[-1])
        if not parse(answer).ok:
            return "its answer is not JSON, which the contract asks for"
        if not self.schema.valid(answer):
            return "its answer does not satisfy the contract's output schema"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One row that might teach, and what a person should know to decide."""

    kind: str  # corrected, praised
    feedback: str  # id of the event it was made from
    answer: str  # what was served
    row: dict[str, Any]  # canonical, without an id: a person may change it
    note: str = ""
    comment: str = ""
    finish: str = ""  # why a praised answer ended, where not by itself

    @property
    def event(self) -> str:
        """Its source: `event:ID`."""
        return str(self.row["source"]["uri"])

    def corrects(self, row: Mapping[str, Any]) -> bool:
        """Whether somebody wrote another answer than that row has."""
        said, stands = (form["messages"][-1].get("content") for form in (self.row, row))
        return self.kind == "corrected" and said != stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """What can be proposed, and how many cases give no row."""

    found: tuple[Proposal, ...]
    without_text: int  # no text was kept
    without_answer: int  # praised, though what the model said was held back or failed


def proposals(cases: Iterable[Case], section: Improve, release: ReleaseFolder) -> Proposals:
    """A row for each case of the kinds that are to be proposed."""
    found, without_text, without_answer = [], 0, 0
    for case in cases:
        kind = _kind(case)
        if kind not in section.propose:
            continue
        if kind == "praised" and not case.answered:
            without_answer += 1
            continue
        if case.request is None or case.answer is None:
            without_text += 1
            continue
        found.append(_proposal(case, kind, section, release))
    return Proposals(found=tuple(found), without_text=without_text, without_answer=without_answer)


def _kind(case: Case) -> str:
    if case.correction is not None:
        return "corrected"
    return "praised" if case.rating == "up" else ""


def _proposal(case: Case, kind: str, section: Improve, release: ReleaseFolder) -> Proposal:
    said: Any = case.completion.payload
    author = _named(case.author)
    right = case.correction if case.correction is not None else case.answer or ""
    row: dict[str, Any] = {
        "messages": [*_before(said["messages"]), {"role": "assistant", "content": right}],
        "tools": said.get("tools") or None,
        "origin": "human_edited" if kind == "corrected" else "log",
        "licence": section.licence,
        "source": {
            "uri": f"{OF_EVENT}{case.completion.id}",
            "line": 0,
            "digest": case.completion.digest,
        },
        "author": author,
        "editor": author if kind == "corrected" else None,
        "generator": release.label,
        "consent_key": _named(said.get("user")),
        "tags": {"kind": kind, "release": release.digest},
    }
    return Proposal(
        kind=kind,
        feedback=case.feedback,
        answer=case.answer or "",
        row={name: value for name, value in row.items() if value is not None},
        note=REDACTED if said.get("kept") == "redacted" and _marked(row) else "",
        comment=case.comment or "",
        finish="" if kind == "corrected" or said["finish"] == "stop" else said["finish"],
    )


def _marked(row: Mapping[str, Any]) -> bool:
    """Whether something in the words that would be taught was replaced."""
    words = msgspec.json.encode([row["messages"], row["tools"]]).decode()
    return any(mark in words for mark in MARKS)


def _named(value: str | None) -> str | None:
    """The name, unless it was replaced before it was kept: many people would share the mark."""
    return None if value is None or any(mark in value for mark in MARKS) else value


def _before(forms: Sequence[dict[str, Any]]) -> list[dict[str, Json]]:
    """The turns before the answer; earlier answers are read and not taught."""
    turns = []
    for form in forms:
        turn = Message.from_dict(form).to_dict()
        turns.append({**turn, "train": False} if turn["role"] == "assistant" else turn)
    return turns
