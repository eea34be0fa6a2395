"""Lessons longer than the context: left out, cut or an error, and every one on file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile

from tutelage.core.conversation import Message
from tutelage.core.errors import BadRow, ContractError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Fit, Teach, TruncateSide
from tutelage.core.row import Example
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson
from tutelage.render.renderer import LEDGER_STAGE, TEACH

# Why rows are lost on the way to a lesson, and the quota each counts against.
QUOTA_OF = {
    Reason.TEMPLATE_FAILED: "refused",
    Reason.NOTHING_TAUGHT: "unsupervised",
    Reason.FORGED_MARKER: "forged",
    Reason.TOO_LONG: "too_long",
    Reason.TRUNCATED: "truncated",
}
Shorten = Callable[[Lesson], Lesson | None]  # None: it cannot be made short enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The lessons that will be taught, and the ledger's entries for their rows."""

    lessons: tuple[Lesson, ...]
    entries: tuple[LedgerEntry, ...]


def teach(contract: Contract, examples: Sequence[Example], taught: Teach = TEACH) -> Fitted:
    """The examples' lessons as the contract renders and fits them.

    `taught` says which of their words those are. Each row has at least one ledger entry:
    kept, refused by the template, nothing taught, or one for each lesson that was cut or
    left out.
    Raises: ContractError naming every long lesson, where the contract says `fail`.
    """
    rows = {example.id: example for example in examples}
    rendered = contract.lessons_of(examples, taught)
    lessons = [lesson for one in rendered for lesson in one.lessons]
    fitted = fit(
        lessons,
        contract.fit,
        contract.context,
        lambda lesson: shortened(contract, rows[lesson.row], lesson, taught),
    )
    refused = tuple(one.entry for one in rendered if one.entry is not None)
    return Fitted(lessons=fitted.lessons, entries=(*refused, *fitted.entries))


def fit(lessons: Sequence[Lesson], policy: Fit, context: int, shorten: Shorten) -> Fitted:
    """The lessons of at most `context` tokens, by policy.

    `reject` leaves a longer one out; `truncate` asks `shorten` for it and leaves it
    out where that gives None; `fail` raises. Rows all of whose lessons are whole
    are entered as kept.
    """
    long = [lesson for lesson in lessons if len(lesson) > context]
    if policy == "fail" and long:
        raise ContractError(
            f"{len(long)} lessons are longer than the context",
            where="contract.fit",
            expected=f"at most {context} tokens",
            hint="set `contract.fit: reject` or `truncate`, or raise `contract.context_tokens`",
            rows=[
                BadRow(where=f"{one.row} message {one.turn}", problem=f"{len(one)} tokens")
                for one in long
            ],
        )
    kept: list[Lesson] = []
    entries: list[LedgerEntry] = []
    for lesson in lessons:
        if len(lesson) <= context:
            kept.append(lesson)
            continue
        cut = shorten(lesson) if policy == "truncate" else None
        entries.append(_entry(lesson, cut, context))
        if cut is not None:
            kept.append(cut)
    touched = {entry.row for entry in entries}
    whole = dict.fromkeys(lesson.row for lesson in lessons if lesson.row not in touched)
    entries += [
        LedgerEntry(row=row, stage=LEDGER_STAGE, decision=Decision.KEEP, reason=Reason.CLEAN)
        for row in whole
    ]
    return Fitted(lessons=tuple(kept), entries=tuple(entries))


def shortened(
    contract: Contract, example: Example, lesson: Lesson, taught: Teach = TEACH
) -> Lesson | None:
    """The lesson with its oldest words left out, rendered anew so that it is still a prompt
    the server could send; None where even the shortest is too long.

    First whole exchanges go, oldest first, then the start or the end (`contract.truncate`)
    of the one user message that is left. The system messages it opens with, the answer and
    its stop token stay; a later system message goes with its exchange.
    """
    before = example.messages[: lesson.turn]
    turns = list(dropwhile(lambda message: message.role == "system", before))
    opening = before[: len(before) - len(turns)]
    starts = [at for at, message in enumerate(turns) if message.role == "user"]
    answer = example.messages[lesson.turn]

    def made(kept: Sequence[Message]) -> Lesson | None:
        messages = (*opening, *kept, answer)
        muted = [replace(message, train=False) for message in messages[:-1]]
        try:
            row = replace(example, messages=(*muted, answer), id=example.id)
            found = contract.lessons(row, taught)
        except ContractError:  # a template may refuse what is left; then it is too long
            return None
        one = replace(found[0], row=lesson.row, turn=lesson.turn)
        return one if len(one) <= contract.context else None

    if not starts:
        return None
    if (cut := _fewest(starts[1:], lambda start: made(turns[start:]))) is not None:
        return cut
    last = turns[starts[-1] :]
    return _longest(last[0], contract.truncate, lambda message: made([message, *last[1:]]))


def _fewest(starts: Sequence[int], made: Callable[[int], Lesson | None]) -> Lesson | None:
    """The lesson from the earliest start that fits, found by halving: each try is a rendering."""
    best: Lesson | None = None
    low, high = 0, len(starts)
    while low < high:
        middle = (low + high) // 2
        lesson = made(starts[middle])
        if lesson is None:
            low = middle + 1
        else:
            best, high = lesson, middle
    return best


def _longest(
    message: Message, side: TruncateSide, made: Callable[[Message], Lesson | None]
) -> Lesson | None:
    """The lesson with as much of the message as fits once `side` is cut, found by halving."""
    best: Lesson | None = None
    low, high = 1, len(message.content) - 1  # characters kept
    while low <= high:
        middle = (low + high) // 2
        kept = slice(-middle, None) if side == "start" else slice(middle)
        lesson = made(replace(message, content=message.content[kept]))
        if lesson is None:
            high = middle - 1
        else:
            best, low = lesson, middle + 1
    return best


def _entry(lesson: Lesson, cut: Lesson | None, context: int) -> LedgerEntry:
    detail = f"message {lesson.turn}: {len(lesson)} tokens, context {context}"
    if cut is None:
        decision, reason = Decision.DROP, Reason.TOO_LONG
    else:
        decision, reason = Decision.TRUNCATE, Reason.TRUNCATED
        detail += f", cut to {len(cut)}"
    return LedgerEntry(
        row=lesson.row, stage=LEDGER_STAGE, decision=decision, reason=reason, detail=detail
    )
