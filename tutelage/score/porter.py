"""The stem of an English word: Porter's algorithm with the extensions of NLTK.

Source: Porter, "An algorithm for suffix stripping", 1980. The extensions: irregular
words, words of two letters kept, `ies` and `ied` of short words to `ie`, `y` to `i`
only after a consonant, `alli` before the other endings of step 2, `fulli` and `logi`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

VOWELS = frozenset("aeiou")
IRREGULAR = {
    **{"skies": "sky", "sky": "sky", "dying": "die", "lying": "lie", "tying": "tie"},
    **{"news": "news", "innings": "inning", "inning": "inning", "outings": "outing"},
    **{"outing": "outing", "cannings": "canning", "canning": "canning", "howe": "howe"},
    **{"proceed": "proceed", "exceed": "exceed", "succeed": "succeed"},
}
SECOND = (
    *(("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize")),
    *(("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous")),
    *(("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive")),
    *(("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive")),
    *(("biliti", "ble"), ("fulli", "ful")),
)
THIRD = (
    *(("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic")),
    *(("ful", ""), ("ness", "")),
)
FOURTH = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion"),
    *("ou", "ism", "ate", "iti", "ous", "ive", "ize"),
)
KEPT = 1 << 16  # stems that are remembered


@lru_cache(maxsize=KEPT)
def stem(word: str) -> str:
    """The stem of a word in lower case."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if len(word) <= 2:
        return word
    word = _participle(_plural(word))
    if word.endswith("y") and len(word) > 2 and _shape(word[:-1])[-1] == "c":
        word = word[:-1] + "i"
    return _last_letters(_fourth(_swap(_second(word), THIRD)))


def _shape(word: str) -> str:
    """A `v` for each vowel and a `c` for each consonant; `y` is what its neighbour is not."""
    shape: list[str] = []
    for letter in word:
        if letter == "y":
            shape.append("v" if shape and shape[-1] == "c" else "c")
        else:
            shape.append("v" if letter in VOWELS else "c")
    return "".join(shape)


def _measure(word: str) -> int:
    """How often a consonant follows a vowel."""
    return _shape(word).count("vc")


def _short(word: str) -> bool:
    """Whether it ends in consonant, vowel, consonant other than w, x, y; or is vowel, consonant."""
    shape = _shape(word)
    return (shape.endswith("cvc") and word[-1] not in "wxy") or shape == "vc"


def _plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("sses"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _participle(word: str) -> str:
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        root = word[: -len(ending)]
        if word.endswith(ending) and "v" in _shape(root):
            return _mended(root)
    return word


def _mended(root: str) -> str:
    """A root whose `ed` or `ing` is gone, as it would be written alone."""
    if root.endswith(("at", "bl", "iz")):
        return root + "e"
    if len(root) > 1 and root[-1] == root[-2] and _shape(root)[-1] == "c":
        return root if root[-1] in "lsz" else root[:-1]
    return root + "e" if _measure(root) == 1 and _short(root) else root


def _second(word: str) -> str:
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _second(word[:-2])
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _swap(word, SECOND)


def _swap(word: str, endings: Sequence[tuple[str, str]]) -> str:
    """The first ending that fits is replaced where something stands before it."""
    for ending, instead in endings:
        if word.endswith(ending):
            root = word[: -len(ending)]
            return root + instead if _measure(root) > 0 else word
    return word


def _fourth(word: str) -> str:
    for ending in FOURTH:
        if word.endswith(ending):
            root = word[: -len(ending)]
            whole = ending != "ion" or root.endswith(("s", "t"))
            return root if whole and _measure(root) > 1 else word
    return word


def _last_letters(word: str) -> str:
    if word.endswith("e"):
        root = word[:-1]
        count = _measure(root)
        if count > 1 or (count == 1 and not _short(root)):
            word = root
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
