"""Lessons as people see them: every token's text, and what the model does with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from rich.text import Text

from tutelage.core.printable import printable
from tutelage.core.row import Example
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson
from tutelage.render.renderer import Rendered

OPENING, CLOSING = "⟦", "⟧"  # around what is taught, so that colour is never alone
READ_OPENING, READ_CLOSING = "⟨", "⟩"  # around what of an answer is only read
SHARED_END = "┊"  # where the tokens end that another lesson of the row has too
SHARED_STYLE, SPECIAL_STYLE, TAUGHT_STYLE = "dim", "magenta", "bold underline green"
STYLES = {"prompt": "", "read": "italic yellow", "taught": TAUGHT_STYLE}
SEEN = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥"})  # inside a special token
UNFINISHED = "\ufffd"
LONGEST_CHARACTER = 4  # bytes, and so at most as many tokens

Kind = Literal["prompt", "read", "taught"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The shortest run of tokens that is text by itself: one token, but for split characters."""

    text: str
    ids: tuple[int, ...]
    kind: Kind
    special: bool
    shared: bool = False  # with an earlier lesson of the row

    @property
    def supervised(self) -> bool:
        """Whether it is taught."""
        return self.kind == "taught"

    @property
    def shown(self) -> str:
        """The text with control characters as escapes; in a special token spaces are seen too."""
        return printable(self.text.translate(SEEN) if self.special else self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One lesson of a row, and what of it is folded onto an earlier one."""

    lesson: Lesson
    shared: int = 0  # leading tokens that the earlier lesson has too
    shared_turn: int = 0  # the message that one teaches

    def says(self, context: int) -> str:
        """What the lesson is made of, in a line."""
        lesson = self.lesson
        parts = [f"{len(lesson.prompt)} tokens read, {len(lesson.taught)} taught"]
        if lesson.read:
            parts.append(f"{lesson.read} of the answer only read")
        if lesson.weight != 1:
            parts.append(f"weight {lesson.weight:g}")
        if self.shared:
            parts.append(f"the first {self.shared} shared with message {self.shared_turn}")
        if len(lesson) > context:
            parts.append(f"longer than the context of {context}")
        return ", ".join(parts)


def views(rendered: Rendered) -> list[View]:
    """The row's lessons, each beside the earlier one it shares most with."""
    found: list[View] = []
    for number, lesson in enumerate(rendered.lessons):
        most = View(lesson=lesson)
        for other in rendered.lessons[:number]:
            pairs = zip(lesson.ids, other.ids, strict=False)
            shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            if shared > most.shared:
                most = View(lesson=lesson, shared=shared, shared_turn=other.turn)
        found.append(most)
    return found


def folding(found: Sequence[View]) -> str:
    """What folding saves, in words; empty for a row of one lesson."""
    if len(found) < 2:
        return ""
    tokens, shared = sum(len(one.lesson) for one in found), sum(one.shared for one in found)
    return f"{len(found)} lessons of {tokens} tokens, {tokens - shared} once they are folded"


def prompted(contract: Contract, example: Example) -> str:
    """Which system prompt a row is taught under; empty where the contract has none."""
    policy = contract.renderer.policy
    if policy.served is None:
        return ""
    if example.messages[0].role == "system":
        return "the row's own"
    drawn = policy.of_row(example.id)
    if drawn is None:
        return f"left out, as for {policy.without_system:.0%} of the rows"
    if drawn == policy.served:
        return f"{drawn.name}, the one that is served"
    share = next(share for prompt, share in policy.variants if prompt == drawn)
    return f"{drawn.name}, a variant for {share:.0%} of the rows"


def pieces(contract: Contract, lesson: Lesson, shared: int = 0) -> list[Piece]:
    """The lesson from left to right; no piece lies across prompt and completion."""
    parts: list[tuple[Kind, Sequence[int]]] = [
        ("prompt", lesson.prompt),
        ("read", lesson.completion[: lesson.read]),
        ("taught", lesson.taught),
    ]
    found: list[Piece] = []
    start = 0
    for kind, ids in parts:
        found += _pieces(contract, ids, kind, shared - start)
        start += len(ids)
    return found


def coloured(contract: Contract, lesson: Lesson, *, ids: bool = False, shared: int = 0) -> Text:
    """The lesson as Rich text: taught tokens in brackets, underlined and green.

    What of an answer is only read stands in angle brackets; the `shared` tokens are dim and
    end at a broken bar. Control characters stand as escapes.
    """
    text = Text()
    before: Piece | None = None
    for piece in pieces(contract, lesson, shared):
        _bound(text, before, piece)
        styles = [SHARED_STYLE if piece.shared else STYLES[piece.kind]]
        styles += [SPECIAL_STYLE] if piece.special else []
        text.append(piece.shown, style=" ".join(styles).strip())
        if ids:
            text.append(f"·{','.join(map(str, piece.ids))} ", style=SHARED_STYLE)
        before = piece
    text.append(CLOSING, style=TAUGHT_STYLE)
    return text


def _bound(text: Text, before: Piece | None, piece: Piece) -> None:
    """The marks between two pieces of different standing."""
    if before is None:
        return
    if before.shared and not piece.shared:
        text.append(SHARED_END, style=SPECIAL_STYLE)
    if before.kind != piece.kind:
        if before.kind == "read":
            text.append(READ_CLOSING, style=STYLES["read"])
        opening = OPENING if piece.supervised else READ_OPENING
        text.append(opening, style=STYLES[piece.kind])


def _pieces(contract: Contract, ids: Sequence[int], kind: Kind, shared: int) -> list[Piece]:
    encoder = contract.renderer.encoder
    found: list[Piece] = []
    run: list[int] = []
    before = ""
    for at, one in enumerate(ids):
        run.append(one)
        # What comes first in a text may be decoded otherwise (SentencePiece drops a space).
        start = max(0, at + 1 - len(run) - LONGEST_CHARACTER)
        before = encoder.decode(ids[start : at + 1 - len(run)], special=True)
        text = encoder.decode(ids[start : at + 1], special=True)[len(before) :]
        if text.endswith(UNFINISHED) and len(run) < LONGEST_CHARACTER and at + 1 < len(ids):
            continue
        found.append(
            Piece(
                text=text,
                ids=tuple(run),
                kind=kind,
                special=len(run) == 1 and one in encoder.marker_ids,
                shared=at < shared,
            )
        )
        run = []
    return found
