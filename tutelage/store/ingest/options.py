"""Rows of suites that are weighed, not answered: questions with options, and held-out text."""

from __future__ import annotations

from typing import Any

import msgspec

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Choices
from tutelage.core.recipe.evaluate import OPTIONS, RIGHT
from tutelage.store.ingest.fault import Fault, column, listed, text
from tutelage.store.ingest.laid import Laid, tags


def choice(row: dict[str, Any], columns: Choices) -> Laid:
    """A question, answered by the first right option; the options are kept as tags.

    Raises: Fault for fewer than two options, and where no right one is named.
    """
    asked = text(column(row, columns.question), f"column `{columns.question}`")
    place = f"column `{columns.options}`"
    options = [
        text(one, f"an option in {place}") for one in listed(column(row, columns.options), place)
    ]
    if len(options) < 2 or len(set(options)) < len(options):
        fewer = "fewer than two options" if len(options) < 2 else "the same option twice"
        raise Fault(Reason.WRONG_TYPE, f"{place} has {fewer}; expected two or more, all different")
    right = _right(column(row, columns.answer), options, f"column `{columns.answer}`")
    others = tags(row, (columns.question, columns.options, columns.answer), whole=True)
    for name in (OPTIONS, RIGHT):
        if name in others:
            raise Fault(Reason.UNKNOWN_FIELD, f"column `{name}` is not the one `choices` names")
    kept = {OPTIONS: options, RIGHT: right}
    return Laid(
        messages=(
            Message(role="user", content=asked),
            Message(role="assistant", content=options[right[0]]),
        ),
        tags={**others, **{name: msgspec.json.encode(one).decode() for name, one in kept.items()}},
    )


def held_out(row: dict[str, Any], name: str) -> Laid:
    """A text that is read, not answered."""
    said = text(column(row, name), f"column `{name}`")
    return Laid(messages=(Message(role="user", content=said),), tags=tags(row, (name,), whole=True))


def _right(value: Any, options: list[str], place: str) -> list[int]:
    """The places of the right options, named by place or by text, in order."""
    found = set()
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str) and one in options:
            found.add(options.index(one))
        elif isinstance(one, int) and not isinstance(one, bool) and 0 <= one < len(options):
            found.add(one)
        else:
            raise Fault(
                Reason.WRONG_TYPE,
                f"{place} names `{one}`; expected an option's text, or its place from 0 to "
                f"{len(options) - 1}",
            )
    if not found:
        raise Fault(Reason.WRONG_TYPE, f"{place} names no right option")
    return sorted(found)
