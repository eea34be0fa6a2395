"""The signs by which code and formulas differ where their words are the same: `+`, `->`, `C#`.

Each counts with the words it stands between, or with the one it is glued to: another sign says
something else only where the words beside it are the same. Markup says nothing: lists, headings,
rules and emphasis are taken off, and what is escaped for HTML is put back.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from tutelage.screen import ngrams
from tutelage.screen.letters import between, normal

Signs = Counter[tuple[str, str, str]]  # the word before, the sign, the word after

ANY = re.compile(r"[-+/%^<>=#&|~*]")
RUN = re.compile(r"(?:[-+/%^<>=#&|~*]|!(?==))+")
# with which a line begins: bullets, numbers, headings, quotes, a table's edge, rules
LINE = re.compile(r"^[ \t]*(?:(?:[-*+>#|=~:]+|\d+[.)])(?:[ \t]+|$))+", re.MULTILINE)
EMPHASIS = re.compile(
    r"(?<![\w*)\]}])(\*{1,3})(?=[^\s*])([^*\n]{1,400}?)(?<=[^\s*])\1(?![\w*(\[{])"
)
WORD, GAP = re.compile(r"[a-z0-9]*"), re.compile(r"[^a-z0-9]*")  # in ASCII
LETTERS_OF_WORDS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
NESTED = 2  # emphasis in emphasis
OPENED = re.compile(r"\s[(\[{\"']*$")  # a blank, and what may stand between it and a sign
CLOSED = re.compile(r"[.,;:!?)\]}\"']*\s")
LETTERS = 2  # of a word; a sign between single ones is an operator


def signs(text: str) -> Signs:
    """The signs in a text, each with the words beside it."""
    if ANY.search(text) is None:
        return Counter()
    plain = LINE.sub("", normal(html.unescape(text)))
    for _ in range(NESTED if "*" in plain else 0):
        plain = EMPHASIS.sub(r"\2", plain)
    gaps = _in_ascii(plain) if plain.isascii() else _in_any_script(plain)
    return Counter(told for before, gap, after in gaps for told in _told(before, gap, after))


def exchanged(one: Signs, other: Signs) -> list[tuple[str, str]]:
    """Signs of the one, each with the sign the other has between the same words in its place.

    None are only added or left out.
    """
    here, there = one - other, other - one
    if not here or not there:
        return []
    instead = {(before, after): sign for before, sign, after in sorted(there, reverse=True)}
    return [
        (sign, instead[before, after])
        for before, sign, after in sorted(here.elements())
        if (before, after) in instead
    ]


def unlike_signs(one: Signs, other: Signs) -> bool:
    """Whether beside a word of both stands another sign, be the next word another, too."""
    here, there = one - other, other - one
    for side in (0, 2) if here and there else ():
        own = {(told[side], told[1]) for told in here if told[side]}
        others = {(told[side], told[1]) for told in there if told[side]}
        if {word for word, _ in own - others} & {word for word, _ in others - own}:
            return True
    return False


def _in_ascii(plain: str) -> Iterator[tuple[str, str, str]]:
    """What stands between two words and holds a sign, with both words."""
    seen = 0
    for sign in ANY.finditer(plain):
        if sign.start() < seen:
            continue
        gap = sign.start()
        while gap and plain[gap - 1] not in LETTERS_OF_WORDS:
            gap -= 1
        word = gap
        while word and plain[word - 1] in LETTERS_OF_WORDS:
            word -= 1
        seen = _end(GAP, plain, sign.end())
        yield plain[word:gap], plain[gap:seen], plain[seen : _end(WORD, plain, seen)]


def _end(what: re.Pattern[str], plain: str, start: int) -> int:
    found = what.match(plain, start)
    return found.end() if found else start


def _in_any_script(plain: str) -> Iterator[tuple[str, str, str]]:
    """The same of a text of any script."""
    parts = _parted().split(plain)
    for at in range(1, len(parts), 2):
        gap = parts[at]
        if gap != " " and ANY.search(gap):
            yield _beside(parts[at - 1])[-1], gap, _beside(parts[at + 1])[0]


def _told(before: str, gap: str, after: str) -> list[tuple[str, str, str]]:
    """The signs of what stands between two words."""
    if gap in ("-", "/", "--") and min(len(before), len(after)) >= LETTERS:
        return [(before, "-", after)]  # `and/or` and `and-or` are one way of writing
    found = []
    for run in RUN.finditer(gap):
        sign, head, tail = run[0], gap[: run.start()], gap[run.end() :]
        opened = OPENED.search(head) is not None or not (before or head.strip("([{\"'"))
        closed = CLOSED.match(tail) is not None or not after
        if opened == closed:
            dash = opened and not sign.strip("-")
            found.append((before, "-" if dash else sign, after))
        elif sign.strip("*"):  # stars at one side of a word are emphasis or a footnote
            found.append((before, sign, "") if closed else ("", sign, after))
    return found


def _beside(word: str) -> list[str]:
    """A word; of scripts without spaces its signs, each of which is one."""
    if word.isascii():
        return [word]
    return [one for one in ngrams.SIGNS.split(word) if one]


@cache
def _parted() -> re.Pattern[str]:
    return re.compile(f"({between().pattern})")
