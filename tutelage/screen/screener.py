"""What the detectors find in rows, and the rows with what is not to stay taken out."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from tutelage.core.finding import Finding, placeholder, redacted
from tutelage.core.recipe.screen import Screen, ScreenAction
from tutelage.core.row import Example
from tutelage.screen import injection, pii, secrets, toxicity
from tutelage.screen.endpoint import ask
from tutelage.screen.rewrite import read, rewrite
from tutelage.screen.scan import Detectors, Scanner

DETECTORS: Mapping[str, tuple[Callable[[], Scanner], tuple[str, ...]]] = {
    "pii": (pii.scanner, pii.KINDS),
    "secrets": (secrets.scanner, secrets.KINDS),
    "injection": (injection.scanner, injection.KINDS),
    "toxicity": (toxicity.scanner, toxicity.KINDS),
}
UNASKED = ("toxicity",)  # look only where an action asks for them
Marks = dict[int, dict[int, list[Finding]]]  # by row, then by place among the texts of `read`
Text = tuple[str, str]  # the name that stands before it, empty if none does, and its words
ROWS_AT_ONCE = 512
LEAST_TEXT = 4  # characters; nothing shorter is looked at
CHANGES: tuple[ScreenAction, ...] = ("redact", "pseudonymise")
STRICT: tuple[ScreenAction, ...] = ("report", "review", "pseudonymise", "redact", "drop")
NUMBERS = ("card", "iban", "national_id", "phone", "ssn", "mac")  # written in several ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One kind of finding in a row, and what becomes of it."""

    detector: str
    kind: str
    action: ScreenAction


@dataclass(frozen=True, slots=True, kw_only=True)
class Screened:
    """A row after the detectors, and how often each kind stands in it."""

    example: Example
    found: Mapping[Found, int] = field(default_factory=dict)

    def has(self, action: ScreenAction) -> bool:
        """Whether a finding asks for this."""
        return any(one.action == action for one in self.found)


class Screener:
    """The detectors of a recipe, and what becomes of what they find."""

    def __init__(self, section: Screen, key: bytes = b"") -> None:
        self._section = section
        self._key = key
        self._looking = looking(section)

    @property
    def asks(self) -> bool:
        """Whether detectors elsewhere are asked."""
        return bool(self._section.detectors)

    def action(self, finding: Finding) -> ScreenAction:
        """What the recipe says of the kind, or of the detector, else a report."""
        actions = self._section.actions
        return actions.get(finding.kind) or actions.get(finding.detector) or "report"

    def look(self, examples: Sequence[Example]) -> Marks:
        """What is found in the rows, and where; never the words."""
        marks: Marks = {}
        for begin in range(0, len(examples), ROWS_AT_ONCE):
            texts = [read(example) for example in examples[begin : begin + ROWS_AT_ONCE]]
            found = self._findings([one for own in texts for one in own])
            for row, own in enumerate(texts, begin) if found else ():
                held = {place: found[one] for place, one in enumerate(own) if one in found}
                if held:
                    marks[row] = held
        return marks

    def screen(self, examples: Sequence[Example], marks: Marks | None = None) -> Iterator[Screened]:
        """Every row in order; those of which nothing is taken out are the same objects.

        `marks` is what `look` has found in them, if it has looked already.
        """
        marks = self.look(examples) if marks is None else marks
        for row, example in enumerate(examples):
            own = marks.get(row)
            yield Screened(example=example) if own is None else self._screened(example, own)

    def places(self, marks: Mapping[int, Sequence[Finding]]) -> Iterator[tuple[int, Found]]:
        """Each finding of a row, with the place of its text among those of `read`."""
        for place, found in marks.items():
            for one in self._strictest(found):
                yield place, Found(detector=one.detector, kind=one.kind, action=self.action(one))

    def marks_of(self, texts: Sequence[str]) -> list[list[Finding]]:
        """What is found in each text, all of them looked at together."""
        found = self._findings([("", text) for text in texts])
        return [found.get(("", text), []) for text in texts]

    def clean(self, text: str, marks: Sequence[Finding]) -> str:
        """A text without what was found in it and is not only to be reported or reviewed."""
        going = [one for one in marks if self.action(one) not in ("report", "review")]
        return redacted(text, going)

    def _strictest(self, findings: Sequence[Finding]) -> list[Finding]:
        """Of a place that two detectors tell alike the finding of which more is asked."""
        kept: dict[tuple[int, int, str], Finding] = {}
        for one in findings:
            place = (one.start, one.end, one.kind)
            other = kept.get(place)
            if other is None or self._rank(one) > self._rank(other):
                kept[place] = one
        return list(kept.values())

    def _rank(self, finding: Finding) -> int:
        return STRICT.index(self.action(finding))

    def _findings(self, texts: Sequence[Text]) -> dict[Text, list[Finding]]:
        """The findings of each text that has any."""
        looked = list(dict.fromkeys(one for one in texts if len(one[1]) >= LEAST_TEXT))
        whole = [f"{name}: {text}" if name else text for name, text in looked]
        found: dict[Text, list[Finding]] = {}
        for index, own in _detectors(self._looking).find(whole).items():
            key = looked[index]
            found[key] = _within(own, len(whole[index]) - len(key[1]))
        for detector in self._section.detectors:
            answers = ask(detector, [text for _, text in looked])
            for key, answer in zip(looked, answers, strict=True):
                found[key] = [*found.get(key, ()), *answer]
        return {key: own for key, own in found.items() if own}

    def _screened(self, example: Example, marks: Mapping[int, Sequence[Finding]]) -> Screened:
        own = {place: self._strictest(found) for place, found in marks.items()}
        counts = Counter(found for _, found in self.places(marks))
        dropped = any(found.action == "drop" for found in counts)
        if not dropped and not any(found.action in CHANGES for found in counts):
            return Screened(example=example, found=counts)
        texts = read(example)
        known = {texts[place]: found for place, found in own.items()}

        def each(name: str, text: str) -> str:
            held = known.get((name, text), ())
            going = [one for one in held if self.action(one) in (*CHANGES, "drop")]
            return redacted(text, going, lambda one: self._named(one, text)) if going else text

        return Screened(example=rewrite(example, each), found=counts)

    def _named(self, finding: Finding, text: str) -> str:
        if self.action(finding) != "pseudonymise":
            return placeholder(finding)
        return pseudonym(finding.kind, text[finding.start : finding.end], self._key)


def pseudonym(kind: str, words: str, key: bytes) -> str:
    """A name for somebody's words that is the same wherever they stand, such as `[EMAIL_1f…]`.

    Without the key nobody can tell whose it is, nor try out whom it fits.

    Source: RFC 2104 (HMAC) over SHA-256, the first 48 bits.
    """
    same = "".join(filter(str.isalnum, words)) if kind in NUMBERS else " ".join(words.split())
    told = hmac.new(key, f"{kind}\0{same.casefold()}".encode(errors="replace"), hashlib.sha256)
    return f"[{kind.upper()}_{told.hexdigest()[:12]}]"


def looking(section: Screen) -> tuple[str, ...]:
    """The detectors of rules that look at the rows, by name.

    Where endpoints are asked, a kind such as `threat` may be theirs and asks for no other.
    """
    asked = set(section.actions)
    return tuple(
        name
        for name, (_, kinds) in DETECTORS.items()
        if name not in UNASKED
        or not asked.isdisjoint((name, *(() if section.detectors else kinds)))
    )


@cache
def _detectors(names: tuple[str, ...]) -> Detectors:
    return Detectors([DETECTORS[name][0]() for name in names])


def _within(findings: Sequence[Finding], before: int) -> list[Finding]:
    """The findings of the text itself, without those of the name before it."""
    return [
        Finding(
            detector=one.detector,
            kind=one.kind,
            start=max(one.start - before, 0),
            end=one.end - before,
        )
        for one in findings
        if one.end > before
    ]
