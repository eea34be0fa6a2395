"""What is seen of a text, and what parts its words, in every script."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

MARKS = range(0x300, 0x1F000)  # among which all signs are that combine with others
# what is not seen and so parts no words: controls, soft hyphens, zero widths, marks of direction
UNSEEN_OCTETS = bytes(code for code in (*range(32), 127) if not chr(code).isspace())
UNSEEN = re.compile(
    r"[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)


def normal(text: str) -> str:
    """A text in one of its forms, of what is seen of it; without differences of case."""
    if text.isascii():
        return text.encode().translate(None, UNSEEN_OCTETS).decode().lower()
    return unicodedata.normalize("NFKC", UNSEEN.sub("", text)).casefold()


def signs_alone(text: str) -> str:
    """The signs of a text without a word."""
    return "".join(UNSEEN.sub("", text).split())


@cache
def between() -> re.Pattern[str]:
    """What stands between words; vowel signs and accents, which combine, are a part of theirs."""
    return re.compile(rf"(?:[^\w{_marks()}]|_)+")


def _marks() -> str:
    """The signs that combine, as stretches: one by one they are looked through for each letter."""
    held = [at for at in MARKS if unicodedata.category(chr(at))[0] == "M"]
    opens = [at for at, before in zip(held, [-1, *held], strict=False) if at != before + 1]
    ends = [at for at, after in zip(held, [*held[1:], -1], strict=True) if after != at + 1]
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in zip(opens, ends, strict=True))
