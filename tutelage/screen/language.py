"""Which language a text is in, as far as its script and its commonest words tell.

No model: signs decide where a script is one language's, else the words that every text of a
language has. A text with too few of them, such as a name or a line of code, is `und`: undetermined.

Source: codes are those of BCP 47 (ISO 639-1).
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from importlib.resources import files

import msgspec

UNDETERMINED = "und"
LEAST_HITS = 2  # common words before a language is told, in a text of several words
LEAST_SHARE = 0.08  # of the words, that are common ones of the language told
LEAD = 1.2  # times as many as the language that comes second
LETTER = 0.3  # of a common word, that a letter of few languages counts
LOOKED_AT = 2000  # characters; more tell nothing new
LETTERS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SCRIPTS = {  # by ranges of signs; the letters that settle it among languages of one script
    "kana": re.compile(r"[\u3040-\u30ff]"),
    "han": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]"),
    "hangul": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "thai": re.compile(r"[\u0e00-\u0e7f]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "greek": re.compile(r"[\u0370-\u03ff]"),
    "georgian": re.compile(r"[\u10a0-\u10ff]"),
    "armenian": re.compile(r"[\u0530-\u058f]"),
    "tamil": re.compile(r"[\u0b80-\u0bff]"),
    "telugu": re.compile(r"[\u0c00-\u0c7f]"),
    "bengali": re.compile(r"[\u0980-\u09ff]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"),
    "arabic": re.compile(r"[\u0600-\u06ff]"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]"),
}
OF_SCRIPT = {
    "kana": "ja",
    "han": "zh",
    "hangul": "ko",
    "thai": "th",
    "hebrew": "he",
    "greek": "el",
    "georgian": "ka",
    "armenian": "hy",
    "tamil": "ta",
    "telugu": "te",
    "bengali": "bn",
}


def language(text: str) -> str:
    """The language of a text, or `und` where its words do not tell."""
    looked = text[:LOOKED_AT]
    if not looked.isascii():
        script = _script(looked)
        if script in OF_SCRIPT:
            return OF_SCRIPT[script]
        if script:
            return _by_words(looked, script)
    return _by_words(looked, "latin")


def _script(text: str) -> str:
    """The script most letters are of that is not Latin's; kana among any of Han's signs."""
    counts = {name: len(signs.findall(text)) for name, signs in SCRIPTS.items()}
    if counts["kana"] * 10 > counts["han"]:
        counts["kana"] += counts["han"]
    name = max(counts, key=counts.__getitem__)
    letters = sum(map(len, LETTERS.findall(text)))
    return name if counts[name] * 2 > letters else ""


def _by_words(text: str, script: str) -> str:
    words = LETTERS.findall(text.lower())
    known, letters = _known(script), _known("letters")
    hits = Counter(one for word in words for one in known.get(word, ()))
    if not hits:
        return UNDETERMINED
    weights = dict.fromkeys(hits, 0.0)  # what few languages share tells more
    for told in [known.get(word, ()) for word in words]:
        for one in told:
            weights[one] += 1 / len(told)
    for sign in () if text.isascii() else text.lower():
        among = [one for one in letters.get(sign, ()) if one in weights]
        for one in among:
            weights[one] += LETTER / len(among)
    ranked = sorted(weights, key=lambda one: -weights[one])
    best, most = ranked[0], hits[ranked[0]]
    other = weights[ranked[1]] if len(ranked) > 1 else 0.0
    enough = most >= min(LEAST_HITS, len(words)) and most >= LEAST_SHARE * len(words)
    return best if enough and weights[best] >= LEAD * other else UNDETERMINED


@cache
def _known(script: str) -> dict[str, tuple[str, ...]]:
    """The languages that a word is common in."""
    written = files("tutelage.screen").joinpath("common_words.json").read_bytes()
    lists: dict[str, dict[str, str]] = msgspec.json.decode(written)
    found: dict[str, tuple[str, ...]] = {}
    for name, words in lists[script].items():
        for word in dict.fromkeys(words.split()):
            found[word] = (*found.get(word, ()), name)
    return found
