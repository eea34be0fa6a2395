"""A Finding: something noticed in a text, with a reason code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What kind of thing stands where; never the words themselves."""

    detector: str  # pii, secrets
    kind: str  # email, card, api_key ...
    start: int  # characters, half open
    end: int


def redacted(text: str, findings: Sequence[Finding]) -> str:
    """The text with each finding replaced by its kind, such as `[EMAIL]`.

    Findings that overlap are replaced together, named after the longest.
    """
    out, at = [], 0
    for start, end, kind in _merged(findings):
        out += [text[at:start], f"[{kind.upper()}]"]
        at = end
    return "".join([*out, text[at:]])


def _merged(findings: Sequence[Finding]) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str, int]] = []
    for one in sorted(findings, key=lambda one: (one.start, -one.end)):
        size = one.end - one.start
        if spans and one.start < spans[-1][1]:
            start, end, kind, longest = spans[-1]
            named = (one.kind, size) if size > longest else (kind, longest)
            spans[-1] = (start, max(end, one.end), *named)
        else:
            spans.append((one.start, one.end, one.kind, size))
    return [(start, end, kind) for start, end, kind, _ in spans]
