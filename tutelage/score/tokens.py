"""Words of a text with their marks apart, as the Penn Treebank writes them."""

from __future__ import annotations

import re

PIECE = re.compile(
    r"\.{2,}|--+|\d[\d.,:]*\d(?:\w+)?"
    r"|(?:[^\W\d_]\.){2,}"  # initials keep their points
    r"|\w+(?:[-'’./]\w+)*"
    r"|[^\w\s]"
)
CLITIC = re.compile(r"(?i)^(.+)(n't|'(?:s|m|d|ll|re|ve))$")


def treebank(text: str) -> list[str]:
    """The words and marks; `don't` is `do` and `n't`."""
    found: list[str] = []
    for piece in PIECE.findall(text):
        apart = CLITIC.match(piece)
        found += [apart[1], apart[2]] if apart else [piece]
    return found
