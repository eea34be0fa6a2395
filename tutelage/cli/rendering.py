"""The rows that `check` renders, and what their lessons come to."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.cli.terminal import counted
from tutelage.core.row import Example
from tutelage.render.lesson import Lesson

SAMPLED = 500  # rows that are rendered: evenly chosen ones and the longest
LONGEST = 50


def sampled(examples: Sequence[Example]) -> list[Example]:
    """Evenly chosen rows and the longest ones, in the order of the file."""
    if len(examples) <= SAMPLED:
        return list(examples)
    every = len(examples) / (SAMPLED - LONGEST)
    even = {int(index * every) for index in range(SAMPLED - LONGEST)}
    by_length = sorted(range(len(examples)), key=lambda index: -_characters(examples[index]))
    return [examples[index] for index in sorted(even | set(by_length[:LONGEST]))]


def _characters(example: Example) -> int:
    return sum(len(message.content) for message in example.messages)


def figures(lessons: Sequence[Lesson], rendered: int, rows: int) -> str:
    """What the lessons of so many rendered rows come to."""
    tokens = sum(len(one) for one in lessons)
    taught = sum(len(one.completion) for one in lessons)
    of = counted(rendered, "row") if rendered == rows else f"{rendered:,} of {rows:,} rows"
    return (
        f"{of} rendered: {counted(len(lessons), 'lesson')}, {tokens / len(lessons):.0f} tokens "
        f"each, at most {max(len(one) for one in lessons):,}; {taught / tokens:.0%} of them taught"
    )
