"""Rules over texts: which of them may match is told in one pass, then those alone look closer.

RE2 takes time linear in the text whatever the text is. It knows no lookaround, so what must
stand around a match is checked in code.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import re2

from tutelage.core.finding import Finding

MEMORY_BYTES = 64 << 20  # that an automaton may take; it is built as texts need it
BETWEEN = b"\n\n"  # texts that are looked at together; what ends a word

Span = tuple[int, int]  # characters, half open


class Match(Protocol):
    """What RE2 found, offsets in characters."""

    def group(self, group: int = 0) -> str | None:
        """The words of a group; None where it took no part."""

    def start(self, group: int = 0) -> int:
        """Where it begins."""

    def end(self, group: int = 0) -> int:
        """Where it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A kind of finding: how a candidate looks, and what makes it a finding.

    `span` is given the text and the match and returns what to report, None for a
    candidate that is none. `sign` is what every match holds, a looser and smaller pattern: counted
    repeats of many rules at once make an automaton of more states than memory has room for.
    `inside` looks again at a candidate that is none as a whole, for what stands in it.
    """

    kind: str
    pattern: str
    span: Callable[[str, Match], Span | None]
    sign: str = ""  # the pattern itself if it is left empty
    inside: Callable[[str, Match], Iterable[Span]] | None = None


class Scanner:
    """The rules of one detector, compiled."""

    def __init__(self, detector: str, rules: Sequence[Rule]) -> None:
        options = _options()
        self.detector = detector
        self.rules = tuple(rules)
        self._each = [re2.compile(rule.pattern, options) for rule in rules]
        self._any = re2.Set.SearchSet(options)
        for rule in rules:
            self._any.Add(rule.sign or rule.pattern)
        self._any.Compile()

    def find(self, text: str) -> list[Finding]:
        """The findings in the order of the text, none within another.

        Where two overlap, the rule that is listed first has it.
        """
        clean = encodable(text)
        return self.found(clean, sorted(self._any.Match(clean) or ()))

    def found(self, clean: str, rules: Iterable[int]) -> list[Finding]:
        """The findings of some of the rules, in their order, in a text that can be encoded."""
        taken: list[tuple[Span, str]] = []  # ordered
        for index in rules:
            rule = self.rules[index]
            for match in self._each[index].finditer(clean):
                span = rule.span(clean, match)
                spans = [span] if span or rule.inside is None else rule.inside(clean, match)
                for one in spans:
                    _take(taken, one, rule.kind)
        return [
            Finding(detector=self.detector, kind=kind, start=start, end=end)
            for (start, end), kind in taken
        ]


class Detectors:
    """Several detectors as one: which of many texts hold something is told in one pass over all.

    Of texts in which nothing stands this is all that is done. A text left out has no finding: a
    rule that matches in it matches at the same place of all texts joined, where either this match
    is seen or one that begins before it and covers its beginning.
    """

    def __init__(self, scanners: Iterable[Scanner]) -> None:
        self._scanners = tuple(scanners)
        rules = [rule for scanner in self._scanners for rule in scanner.rules]
        options = _options()
        options.never_capture = True
        signs = "|".join(f"(?:{rule.sign or rule.pattern})" for rule in rules)
        self._sign = re2.compile(signs, options)
        self._each = re2.Set.SearchSet(_options())
        for rule in rules:
            self._each.Add(rule.sign or rule.pattern)
        self._each.Compile()
        self._ends = list(accumulate(len(scanner.rules) for scanner in self._scanners))

    def find(self, texts: Sequence[str]) -> dict[int, list[Finding]]:
        """The findings by index of the texts that have any, detector by detector."""
        looked = {
            index: self._found(texts[index])
            for index in self._suspects([_octets(text) for text in texts])
        }
        return {index: own for index, own in looked.items() if own}

    def _found(self, text: str) -> list[Finding]:
        """What each scanner finds in a text."""
        clean = encodable(text)
        rules = sorted(self._each.Match(clean) or ())
        found: list[Finding] = []
        begin = 0
        for scanner, end in zip(self._scanners, self._ends, strict=True):
            own = [index - begin for index in rules if begin <= index < end]
            found += scanner.found(clean, own) if own else ()
            begin = end
        return found

    def _suspects(self, octets: Sequence[bytes]) -> list[int]:
        """Indices of the texts that a match of a rule's sign touches, ascending."""
        starts = list(accumulate((len(one) + len(BETWEEN) for one in octets), initial=0))
        joined = BETWEEN.join(octets)
        found: list[int] = []
        at = 0
        while at < len(joined) and (match := self._sign.search(joined, at)) is not None:
            first = bisect(starts, match.start()) - 1
            beyond = bisect(starts, max(match.start(), match.end() - 1))
            found += range(first, beyond)
            at = starts[beyond]
        return found


def encodable(text: str) -> str:
    """The text with lone surrogates, which no encoding holds, as `?`: the same length."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _options() -> Any:
    options = re2.Options()
    options.max_mem = MEMORY_BYTES
    options.log_errors = False
    return options


def apart(text: str, start: int, end: int, glue: str = "") -> bool:
    """Whether no letter, digit, `_` or character of `glue` touches the stretch."""
    return not any(
        side.isalnum() or side == "_" or side in glue
        for side in (text[start - 1 : start], text[end : end + 1])
        if side
    )


# a name and a password inside a URL: personal data and a secret, so both detectors know it
URL_CREDENTIALS = Rule(
    kind="url_credentials",
    pattern=r"[A-Za-z][A-Za-z0-9+.\-]{1,20}://([^\s/:@\"'<>{}$]*:[^\s/@\"'<>{}$]+)@[^\s@]",
    span=lambda text, match: (match.start(1), match.end(1)),
    sign=r"://[^\s/@\"'<>{}$]+@",
)


def _take(taken: list[tuple[Span, str]], span: Span | None, kind: str) -> None:
    """Adds a finding at its place, unless one that is there overlaps it."""
    if span is None:
        return
    place = bisect(taken, (span, ""))
    beside = taken[max(0, place - 1) : place + 1]
    if not any(span[0] < end and start < span[1] for (start, end), _ in beside):
        taken.insert(place, (span, kind))
