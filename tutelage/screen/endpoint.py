"""A detector behind an HTTP endpoint: texts go out, findings come back.

The request is `{"texts": [...]}`, the answer `{"findings": [[...], ...]}` with a list a text, in
order; a finding is `{"start", "end", "kind", "score"}`, in characters and half open. Any server
of that shape will do, a model that reads names and addresses or one that judges harm.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tutelage.core.errors import MissingCapability
from tutelage.core.finding import Finding
from tutelage.core.http import Key, Refused, post
from tutelage.core.recipe.screen import Detector


class Marked(msgspec.Struct):
    """A finding as the endpoint writes it."""

    start: int
    end: int
    kind: str
    score: float = 1.0


class Reply(msgspec.Struct):
    """What the endpoint answers."""

    findings: list[list[Marked]]


def ask(detector: Detector, texts: Sequence[str]) -> list[list[Finding]]:
    """The findings of every text.

    Raises: MissingCapability if the endpoint cannot be reached or answers in another shape: texts
        it did not read are never taken for clean ones.
    """
    try:
        key = Key.of(detector.token_env)
    except LookupError as error:
        raise _refusal(detector, str(error)) from error
    found: list[list[Finding]] = []
    for begin in range(0, len(texts), detector.batch):
        part = texts[begin : begin + detector.batch]
        for text, marked in zip(part, _marked(detector, part, key), strict=True):
            found.append(_findings(detector, text, marked, key))
    return found


def _marked(detector: Detector, texts: Sequence[str], key: Key) -> list[list[Marked]]:
    body = msgspec.json.encode(
        {"texts": [text.encode(errors="replace").decode() for text in texts]}
    )
    try:
        whole = post(detector.url, body, key, detector.timeout_seconds)
        reply = msgspec.json.decode(whole, type=Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        told = f"its answer has another shape: {key.unsaid(str(error))}"
        raise _refusal(detector, told) from None
    except Refused as error:  # its words may be those of a text
        raise _refusal(detector, f"it answered {error.status}") from None
    except (OSError, ValueError) as error:
        raise _refusal(detector, f"it cannot be asked: {error}") from error
    if len(reply.findings) != len(texts):
        told = f"{len(texts)} texts were sent and {len(reply.findings)} lists came back"
        raise _refusal(detector, told)
    return reply.findings


def _findings(detector: Detector, text: str, marked: Sequence[Marked], key: Key) -> list[Finding]:
    for one in marked:
        if not 0 <= one.start < one.end <= len(text):
            told = f"a text of {len(text)} characters has a finding at {one.start} to {one.end}"
            raise _refusal(detector, told)
    return [
        Finding(
            detector=detector.name,
            kind=key.unsaid(one.kind).lower(),
            start=one.start,
            end=one.end,
        )
        for one in marked
        if one.score >= detector.least_score
    ]


def _refusal(detector: Detector, problem: str) -> MissingCapability:
    return MissingCapability(
        f"the detector `{detector.name}` did not answer for every text: {problem}",
        where=f"curate.screen.detectors: {detector.url}",
        hint="start it, or take it out of the recipe; docs/curation.md shows what it must answer",
    )
