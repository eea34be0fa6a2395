"""A Finding: something noticed in a text, with a reason code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What kind of thing stands where; never the words themselves."""

    detector: str  # pii, secrets, injection, toxicity
    kind: str  # email, card, api_key ...
    start: int  # characters, half open
    end: int


def placeholder(finding: Finding) -> str:
    """What stands for a finding once it is redacted, such as `[EMAIL]`."""
    return f"[{finding.kind.upper()}]"


def redacted(
    text: str, findings: Sequence[Finding], name: Callable[[Finding], str] = placeholder
) -> str:
    """The text with what `name` gives in place of each finding.

    Findings that overlap are replaced together, named after the longest.
    """
    out, at = [], 0
    for one in _merged(findings):
        out += [text[at : one.start], name(one)]
        at = one.end
    return "".join([*out, text[at:]])


def _merged(findings: Sequence[Finding]) -> list[Finding]:
    spans: list[tuple[Finding, int]] = []
    for one in sorted(findings, key=lambda one: (one.start, -one.end)):
        size = one.end - one.start
        if spans and one.start < spans[-1][0].end:
            last, longest = spans[-1]
            named = one if size > longest else last
            whole = replace(named, start=last.start, end=max(last.end, one.end))
            spans[-1] = (whole, max(size, longest))
        else:
            spans.append((one, size))
    return [one for one, _ in spans]
