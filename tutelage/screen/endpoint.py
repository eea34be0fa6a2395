"""A detector behind an HTTP endpoint: texts go out, findings come back.

The request is `{"texts": [...]}`, the answer `{"findings": [[...], ...]}` with a list a text, in
order; a finding is `{"start", "end", "kind", "score"}`, in characters and half open. Any server
of that shape will do, a model that reads names and addresses or one that judges harm.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from http.client import HTTPException

import msgspec

from tutelage.core.errors import MissingCapability
from tutelage.core.finding import Finding
from tutelage.core.http import bearer, read_within
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
    found: list[list[Finding]] = []
    for begin in range(0, len(texts), detector.batch):
        part = texts[begin : begin + detector.batch]
        found += [
            _findings(detector, *pair) for pair in zip(part, _post(detector, part), strict=True)
        ]
    return found


def _post(detector: Detector, texts: Sequence[str]) -> list[list[Marked]]:
    headers = {"Content-Type": "application/json"}
    if detector.token_env is not None:
        try:
            headers["Authorization"] = bearer(detector.token_env)
        except LookupError as error:
            raise _refusal(detector, str(error)) from error
    body = msgspec.json.encode(
        {"texts": [text.encode(errors="replace").decode() for text in texts]}
    )
    try:
        request = urllib.request.Request(detector.url, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=detector.timeout_seconds) as answer:
            whole = read_within(answer, detector.timeout_seconds)
        reply = msgspec.json.decode(whole, type=Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _refusal(detector, f"its answer has another shape: {error}") from error
    except (OSError, HTTPException, ValueError) as error:
        raise _refusal(detector, f"it cannot be asked: {error}") from error
    if len(reply.findings) != len(texts):
        told = f"{len(texts)} texts were sent and {len(reply.findings)} lists came back"
        raise _refusal(detector, told)
    return reply.findings


def _findings(detector: Detector, text: str, marked: Sequence[Marked]) -> list[Finding]:
    for one in marked:
        if not 0 <= one.start < one.end <= len(text):
            told = f"a text of {len(text)} characters has a finding at {one.start} to {one.end}"
            raise _refusal(detector, told)
    return [
        Finding(detector=detector.name, kind=one.kind.lower(), start=one.start, end=one.end)
        for one in marked
        if one.score >= detector.least_score
    ]


def _refusal(detector: Detector, problem: str) -> MissingCapability:
    return MissingCapability(
        f"the detector `{detector.name}` did not answer for every text: {problem}",
        where=f"curate.screen.detectors: {detector.url}",
        hint="start it, or take it out of the recipe; docs/curation.md shows what it must answer",
    )
