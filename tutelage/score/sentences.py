"""Where a text's sentences end: by their marks, abbreviations and initials aside."""

from __future__ import annotations

import re

END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s|$)")
LAST_WORD = re.compile(r"(\S+)$")
ABBREVIATIONS = frozenset(
    [
        *("mr", "mrs", "ms", "dr", "prof", "rev", "hon", "gen", "col", "capt", "lt", "sgt", "st"),
        *(
            "sr",
            "jr",
            "inc",
            "ltd",
            "co",
            "corp",
            "no",
            "vol",
            "vs",
            "etc",
            "approx",
            "dept",
            "fig",
        ),
        *("e.g", "i.e", "cf", "al", "ca", "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sept"),
        *(
            "sep",
            "oct",
            "nov",
            "dec",
            "u.s",
            "u.k",
            "u.n",
            "a.m",
            "p.m",
            "ph.d",
            "d.c",
            "p.s",
            "mt",
        ),
    ]
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, blanks at their ends aside."""
    found, start = [], 0
    for mark in END.finditer(text):
        if _ends(text, mark):
            found.append(text[start : mark.end()].strip())
            start = mark.end()
    found.append(text[start:].strip())
    return [one for one in found if one]


def lines_and_sentences(text: str) -> list[str]:
    """The sentences of each line: a list or a heading ends without a mark."""
    return [one for line in text.split("\n") for one in sentences(line)]


def _ends(text: str, mark: re.Match[str]) -> bool:
    if mark[0][0] != "." or mark.end() == len(text):
        return True
    before = LAST_WORD.search(text, max(0, mark.start() - 40), mark.start())
    word = before[1].lstrip("\"'“‘([").lower() if before else ""
    following = text[mark.end() :].lstrip()[:1]
    if mark[0].startswith("..") or word in ABBREVIATIONS:
        return following.isupper() and word not in {"mr", "mrs", "ms", "dr", "prof", "st", "mt"}
    if len(word) == 1 and word.isalpha():
        return False  # an initial
    at_line_start = not text[: mark.start()].rsplit("\n", 1)[-1].strip("0123456789 \t")
    return not (word.isdigit() and at_line_start)  # the number of a list
