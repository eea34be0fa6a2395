"""What the detectors find in rows, and the rows with what is not to stay taken out."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.core.finding import Finding, placeholder, redacted
from tutelage.core.recipe.screen import Screen, ScreenAction
from tutelage.core.row import Example
from tutelage.screen import injection, pii, secrets
from tutelage.screen.endpoint import ask
from tutelage.screen.rewrite import read, rewrite

DETECTORS: Mapping[str, tuple[Callable[[str], list[Finding]], tuple[str, ...]]] = {
    "pii": (pii.find_pii, pii.KINDS),
    "secrets": (secrets.find_secrets, secrets.KINDS),
    "injection": (injection.find_injections, injection.KINDS),
}
ROWS_AT_ONCE = 512
LEAST_TEXT = 4  # characters; nothing shorter is looked at
CHANGES: tuple[ScreenAction, ...] = ("redact", "pseudonymise")
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

    def action(self, finding: Finding) -> ScreenAction:
        """What the recipe says of the kind, or of the detector, else a report."""
        actions = self._section.actions
        return actions.get(finding.kind) or actions.get(finding.detector) or "report"

    def screen(self, examples: Sequence[Example]) -> Iterator[Screened]:
        """Every row in order; those of which nothing is taken out are the same objects."""
        for begin in range(0, len(examples), ROWS_AT_ONCE):
            part = examples[begin : begin + ROWS_AT_ONCE]
            texts = [read(example) for example in part]
            found = self._findings(dict.fromkeys(one for own in texts for one in own))
            for example, own in zip(part, texts, strict=True):
                yield self._screened(example, [found[one] for one in own if found[one]], found)

    def clean(self, text: str) -> str:
        """A text with everything taken out that is not only to be reported or reviewed."""
        (found,) = self._findings({("", text): None}).values()
        going = [one for one in found if self.action(one) not in ("report", "review")]
        return redacted(text, going)

    def _findings(
        self, texts: Mapping[tuple[str, str], None]
    ) -> dict[tuple[str, str], list[Finding]]:
        """The findings of each text, which a name stands before if it has one."""
        found: dict[tuple[str, str], list[Finding]] = {}
        for name, text in texts:
            if len(text) < LEAST_TEXT:
                found[name, text] = []
                continue
            whole = f"{name}: {text}" if name else text
            own = [one for find, _ in DETECTORS.values() for one in find(whole)]
            found[name, text] = _within(own, len(whole) - len(text))
        asked = [key for key in texts if len(key[1]) >= LEAST_TEXT]
        for detector in self._section.detectors:
            answers = ask(detector, [text for _, text in asked])
            for key, answer in zip(asked, answers, strict=True):
                found[key] = [*found[key], *answer]
        return found

    def _screened(
        self,
        example: Example,
        own: Sequence[Sequence[Finding]],
        known: Mapping[tuple[str, str], Sequence[Finding]],
    ) -> Screened:
        if not own:
            return Screened(example=example)
        counts = Counter(
            Found(detector=one.detector, kind=one.kind, action=self.action(one))
            for each in own
            for one in each
        )
        dropped = any(found.action == "drop" for found in counts)
        if not dropped and not any(found.action in CHANGES for found in counts):
            return Screened(example=example, found=counts)

        def each(name: str, text: str) -> str:
            going = [one for one in known[name, text] if self.action(one) in (*CHANGES, "drop")]
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


def _within(findings: Sequence[Finding], before: int) -> list[Finding]:
    """The findings of the text itself, once a place that two detectors tell alike."""
    seen: dict[tuple[int, int, str], Finding] = {}
    for one in findings:
        start, end = max(one.start - before, 0), one.end - before
        if end > 0:
            moved = Finding(detector=one.detector, kind=one.kind, start=start, end=end)
            seen.setdefault((start, end, one.kind), moved)
    return list(seen.values())
