"""What a text claims that can be looked up in another: its numbers and its names.

Words alone are looked at. A name or number that stands in the source for something
else is taken for right, a nickname for wrong; docs/scorers.md has the rates of error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tutelage.score.porter import stem
from tutelage.score.sentences import lines_and_sentences

WORD = re.compile(r"[^\W_]+(?:[’'][^\W\d_]+)*")
DIGITS = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    *("nineteen",),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
VALUES = {name: value for value, name in enumerate(SMALL)} | {
    name: 10 * place for place, name in enumerate(TENS, 2)
}
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
SCALES |= {"trillion": 10**12}
ORDINALS = {
    **{"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7},
    **{"eighth": 8, "ninth": 9, "tenth": 10, "once": 1, "twice": 2, "both": 2, "dozen": 12},
    **{"half": 2, "quarter": 4, "double": 2, "triple": 3, "single": 1, "pair": 2, "couple": 2},
}
VAGUE = frozenset(("one", "zero"))  # as a word of an answer no claim: "one of them"
GRAMMAR = (  # words that carry no content
    "a an the and or but nor so yet if then than that this these those there here it its he "
    "she they them his her their our your my we you i me us him who whom whose which what "
    "when where why how is are was were be been being am do does did done has have had having "
    "will would can could shall should may might must not no yes of in on at by for from to "
    "with without into onto over under about after before during between among against "
    "through across as because while although though since until unless also too very more "
    "most much many some any all each every few both either neither other another such only "
    "just even still already often never always however therefore moreover furthermore "
    "meanwhile additionally overall finally first second third next last later now today "
    "according based given one two ones up down out off again once let's it's that's there's "
    "he's she's they're we're you're i'm don't doesn't didn't isn't aren't wasn't weren't "
    "can't won't people several like within per via instead despite thus hence perhaps maybe "
    "around near along upon toward towards whether get got make made "
)
FUNCTION = frozenset(GRAMMAR.split())
TOO_SHORT = 3  # letters of a word that carries content


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Numbers and names of a text, each as often as it stands there."""

    numbers: tuple[frozenset[Decimal], ...]  # a number's readings: 3.5 million, 3.5
    names: tuple[tuple[str, ...], ...]  # the folded words of each


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a text may be held against."""

    numbers: frozenset[Decimal]
    words: frozenset[str]  # folded
    stems: frozenset[str]  # of its content words
    initials: frozenset[str]  # of its names


def source_of(text: str) -> Source:
    """A text, made ready to be looked things up in."""
    words = [fold(word) for word in WORD.findall(text)]
    numbers = {value for readings in numbers_of(text, vague=True) for value in readings}
    numbers |= {Decimal(ORDINALS[word]) for word in words if word in ORDINALS}
    runs = _runs(text)
    return Source(
        numbers=frozenset(numbers),
        words=frozenset(words),
        stems=frozenset(stem(word) for word in words),
        initials=frozenset("".join(word[0] for word in run).lower() for run in runs if run[1:]),
    )


def claims_of(text: str) -> Claims:
    """The numbers and names of a text."""
    names = [tuple(fold(word) for word in run) for run in names_of(text)]
    return Claims(numbers=tuple(numbers_of(text)), names=tuple(names))


def number_holds(readings: Iterable[Decimal], source: Source) -> bool:
    """Whether the source has the number in one of its readings."""
    return any(value in source.numbers for value in readings)


def name_holds(words: Sequence[str], source: Source) -> bool:
    """Whether the source has every word of a name, or a name that it abbreviates or spells out."""
    if all(_known(word, source) for word in words):
        return True
    whole = "".join(words)
    return whole in source.initials or "".join(word[0] for word in words) in source.words


def support(sentence: str, source: Source) -> float:
    """Share of the sentence's content words whose stem the source has; 1 without any."""
    words = [fold(word) for word in WORD.findall(sentence)]
    content = [one for one in words if len(one) >= TOO_SHORT and one not in FUNCTION]
    content = [one for one in content if not one.isdigit()]
    held = sum(stem(one) in source.stems or _known(one, source) for one in content)
    return held / len(content) if content else 1.0


def fold(word: str) -> str:
    """The word without case, accents and possessive."""
    bare = word.replace("’", "'").lower().removesuffix("'s").rstrip("'")
    apart = unicodedata.normalize("NFKD", bare)
    return "".join(letter for letter in apart if not unicodedata.combining(letter)) or bare


def numbers_of(text: str, *, vague: bool = False) -> list[frozenset[Decimal]]:
    """Each number, in digits or in words, with the values it may be read as."""
    found = []
    for match in DIGITS.finditer(text):
        value = Decimal(match[0].replace(",", "")).normalize()
        following = WORD.match(text, match.end() + 1) if text[match.end() :][:1] in " -" else None
        scale = SCALES.get(following[0].lower()) if following else None
        found.append(frozenset((value, (value * scale).normalize()) if scale else (value,)))
    return found + _spelled(WORD.findall(text.lower()), vague)


def names_of(text: str) -> list[tuple[str, ...]]:
    """Runs of capitalised words that are names and not how a sentence begins."""
    common = {word for word in WORD.findall(text) if word.islower()}
    found = []
    for sentence in lines_and_sentences(text):
        for run in _runs(sentence):
            words = list(run)
            opens = sentence.lstrip("\"'“‘(*-•# ").startswith(words[0])
            if opens and not _named(words, common):
                words = words[1:]
            if words:
                found.append(tuple(words))
    return found


def _named(words: Sequence[str], common: set[str]) -> bool:
    """Whether the first word of a sentence is (part of) a name."""
    first = words[0]
    if first[1:] != first[1:].lower() or any(letter.isdigit() for letter in first):
        return True  # an acronym
    lower = first.lower()
    if lower in common or lower.endswith(("ing", "ly", "ed")):
        return False
    return len(words) > 1


def _runs(text: str) -> list[tuple[str, ...]]:
    """Capitalised words that stand side by side, words of grammar left out."""
    runs: list[list[str]] = []
    end = -2
    for match in WORD.finditer(text):
        word = match[0]
        if not word[0].isupper() or fold(word) in FUNCTION or fold(word) in VALUES:
            continue
        beside = text[end : match.start()] in (" ", "-") if end >= 0 else False
        if beside:
            runs[-1].append(word)
        else:
            runs.append([word])
        end = match.end()
    return [tuple(run) for run in runs]


def _known(word: str, source: Source) -> bool:
    if word in source.words or stem(word) in source.stems:
        return True
    if word.endswith("s") and word[:-1] in source.words:
        return True
    return len(word) > 4 and any(
        other.startswith(word[: max(4, len(word) - 3)]) and abs(len(other) - len(word)) <= 3
        for other in source.words
    )  # America, American


def _spelled(words: Sequence[str], vague: bool) -> list[frozenset[Decimal]]:
    """Numbers written out: `two hundred and five`, `twenty one`."""
    found: list[frozenset[Decimal]] = []
    total = current = 0
    open_, parts = False, []
    for word in [*words, ""]:
        if word in VALUES:
            current += VALUES[word]
            open_ = True
            parts.append(word)
        elif open_ and word in SCALES:
            current = max(1, current) * SCALES[word]
            parts.append(word)
            if SCALES[word] > 100:
                total, current = total + current, 0
        elif open_ and not (word == "and" and total + current >= 100):
            if vague or len(parts) > 1 or parts[0] not in VAGUE:
                found.append(frozenset((Decimal(total + current).normalize(),)))
            total = current = 0
            open_, parts = False, []
    return found
