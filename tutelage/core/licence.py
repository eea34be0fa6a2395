"""Licences by their SPDX names: which are known, and what a list of allowed ones lets pass."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Collection
from pathlib import Path

OWN = re.compile(r"^LicenseRef-[A-Za-z0-9.-]+$")  # a licence that is not on the list
WORD = re.compile(r"\(|\)|[^\s()]+")
WITH = "WITH"  # an exception, which a list may name or not


@functools.cache
def known() -> dict[str, str]:
    """Every name of the SPDX list, by its lower case."""
    lines = Path(__file__).with_name("spdx.txt").read_text(encoding="utf-8").splitlines()
    return {name.lower(): name for name in lines if not name.startswith("#")}


@functools.lru_cache(maxsize=1024)
def problem(written: str) -> str:
    """What is wrong with a licence expression, empty where nothing is."""
    words = WORD.findall(written)
    if not words:
        return "it is empty"
    for name in _names(words):
        if OWN.match(name) or known().get(name.removesuffix("+").lower()) in (
            name,
            name.removesuffix("+"),
        ):
            continue
        right = known().get(name.lower())
        close = difflib.get_close_matches(name.lower(), known(), n=1)
        meant = right or (known()[close[0]] if close else "")
        ask = f"did you mean `{meant}`?" if meant else "a licence of one's own is `LicenseRef-NAME`"
        return f"`{name}` is not on the SPDX list; {ask}"
    try:
        permitted(written, ())
    except ValueError:
        return f"`{written}` is no licence expression, such as `MIT OR Apache-2.0`"
    return ""


def _names(words: list[str]) -> list[str]:
    """The licences among the words; what follows WITH is an exception's name."""
    return [
        word
        for index, word in enumerate(words)
        if word not in ("AND", "OR", WITH, "(", ")") and words[index - 1 : index] != [WITH]
    ]


def permitted(written: str, allowed: Collection[str]) -> bool:
    """Whether a licence expression may be used where these are: one side of OR, both of AND.

    Raises: ValueError if it is no expression.
    """
    words = WORD.findall(written)
    verdict = _either(words, frozenset(allowed))
    if words:
        raise ValueError(f"`{words[0]}` is too much")
    return verdict


def _either(words: list[str], allowed: Collection[str]) -> bool:
    found = _both(words, allowed)
    while words[:1] == ["OR"]:
        words.pop(0)
        found = _both(words, allowed) or found
    return found


def _both(words: list[str], allowed: Collection[str]) -> bool:
    found = _one(words, allowed)
    while words[:1] == ["AND"]:
        words.pop(0)
        found = _one(words, allowed) and found
    return found


def _one(words: list[str], allowed: Collection[str]) -> bool:
    if not words or words[0] in ("AND", "OR", WITH, ")"):
        raise ValueError("a licence is missing")
    name = words.pop(0)
    if name == "(":
        found = _either(words, allowed)
        if words[:1] != [")"]:
            raise ValueError("a bracket is not closed")
        words.pop(0)
        return found
    if words[:1] == [WITH]:
        if len(words) < 2:
            raise ValueError("an exception is missing")
        excepted = f"{name} {WITH} {words[1]}"
        del words[:2]
        return excepted in allowed or name in allowed
    return name in allowed
