"""What makes a row of digits a number of its kind: check digits, and the words before it."""

from __future__ import annotations

from collections.abc import Set

CUE_REACH = 40  # characters before a number in which a word may say what it is


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others.

    Source: ISO/IEC 7812-1, annex B.
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def cued(text: str, start: int, cues: Set[str]) -> bool:
    """Whether one of these words stands shortly before a place."""
    before = text[max(0, start - CUE_REACH) : start].lower()
    if not any(cue in before for cue in cues):
        return False
    words = "".join(letter if letter.isalpha() else " " for letter in before).split()
    return not cues.isdisjoint(words)


def decimal(text: str, start: int, end: int) -> bool:
    """Whether the stretch is a part of a longer number: a point or comma and a digit beside it."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    left = len(before) == 2 and before[1] in ".," and before[0].isdigit()
    return left or (len(after) == 2 and after[0] in ".," and after[1].isdigit())
