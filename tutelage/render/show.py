"""Lessons as people see them: every token's text, the supervised ones marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from tutelage.core.printable import printable
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson

OPENING, CLOSING = "⟦", "⟧"  # around what is taught, so that colour is never alone
HEAD_STYLE, SPECIAL_STYLE, TAUGHT_STYLE = "dim", "magenta", "bold underline green"
UNFINISHED = "\ufffd"
LONGEST_CHARACTER = 4  # bytes, and so at most as many tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The shortest run of tokens that is text by itself: one token, but for split characters."""

    text: str
    ids: tuple[int, ...]
    supervised: bool
    special: bool


def pieces(contract: Contract, lesson: Lesson) -> list[Piece]:
    """The lesson from left to right; no piece lies across prompt and completion."""
    return [
        *_pieces(contract, lesson.prompt, supervised=False),
        *_pieces(contract, lesson.completion, supervised=True),
    ]


def plain(contract: Contract, lesson: Lesson, *, ids: bool = False) -> str:
    """The lesson as text without colour; with `ids`, each piece is followed by its ids."""
    return coloured(contract, lesson, ids=ids).plain


def coloured(contract: Contract, lesson: Lesson, *, ids: bool = False) -> Text:
    """The lesson as Rich text: taught tokens in brackets, underlined and green.

    Control characters stand as escapes.
    """
    text = Text()
    taught = False
    for piece in pieces(contract, lesson):
        if piece.supervised and not taught:
            taught = True
            text.append(OPENING, style=TAUGHT_STYLE)
        style = TAUGHT_STYLE if piece.supervised else HEAD_STYLE
        shown = printable(piece.text)
        text.append(shown, style=f"{style} {SPECIAL_STYLE}" if piece.special else style)
        if ids:
            text.append(f"·{','.join(map(str, piece.ids))} ", style=HEAD_STYLE)
    text.append(CLOSING, style=TAUGHT_STYLE)
    return text


def _pieces(contract: Contract, ids: Sequence[int], *, supervised: bool) -> list[Piece]:
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
                supervised=supervised,
                special=len(run) == 1 and one in encoder.marker_ids,
            )
        )
        run = []
    return found
