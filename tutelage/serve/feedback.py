"""Feedback: what somebody says of a served answer, acknowledged only once it is on the disk."""

from __future__ import annotations

from typing import Any

from tutelage.core.digest import Json, short_digest
from tutelage.core.errors import StoreError
from tutelage.serve.exchange import Keeper
from tutelage.serve.refusal import Refusal, invalid
from tutelage.serve.wire import read_json
from tutelage.store.journal import Journal

KEYS = ("rating", "correction", "comment", "author")
RATINGS = ("up", "down")


def give_feedback(
    body: bytes, idempotency_key: str | None, journal: Journal, keeper: Keeper
) -> dict[str, Any]:
    """Writes the feedback of a body; the response, when it is committed.

    The same `Idempotency-Key` and content again give the event there is.
    Raises: Refusal.
    """
    form = read_json(body)
    payload = _payload(form, keeper)
    subject = form.get("id")
    if not isinstance(subject, str) or not subject:
        raise invalid("id", "the id of an answer")
    try:
        about = journal.event(subject)
        if about is None or about.kind != "completion":
            raise Refusal(
                f"there is no answer `{subject}`", code="not_found", status=404, param="id"
            )
        id = _id(idempotency_key) if idempotency_key else None  # an empty one is none
        event = journal.append(
            "feedback", release=about.release, subject=subject, payload=payload, id=id
        )
    except StoreError as error:
        raise _refusal(error, idempotency_key, journal) from error
    return {"id": event.id, "object": "feedback", "subject": subject, "created": event.ts}


def _payload(form: dict[str, Any], keeper: Keeper) -> dict[str, Json]:
    strange = sorted(form.keys() - {"id", *KEYS})
    if strange:
        raise Refusal(
            f"`{strange[0]}` is not supported; feedback has id, {', '.join(KEYS)}",
            code="unsupported_parameter",
            param=strange[0],
        )
    for key in KEYS:
        if key in form and not isinstance(form[key], str):
            raise invalid(key, "a text")
    if form.get("rating", "up") not in RATINGS:
        raise invalid("rating", "up or down")
    if not any(key in form for key in ("rating", "correction", "comment")):
        raise invalid("rating", "given, or a correction, or a comment")
    words = [key for key in ("correction", "comment") if key in form]
    if words and keeper.keep == "nothing":
        raise Refusal(
            "this server keeps no words; send a rating alone", code="not_kept", param=words[0]
        )
    payload: dict[str, Json] = {key: form.get(key) for key in KEYS}
    return payload | _kept(form, keeper)


def _kept(form: dict[str, Any], keeper: Keeper) -> dict[str, Json]:
    """The words as they may be kept."""
    try:
        return {key: keeper.words(form[key]) for key in KEYS if key != "rating" and key in form}
    except Exception:  # noqa: BLE001  a detector broke: the words are not written unlooked at
        raise Refusal(
            "the words cannot be checked before they are kept; send a rating alone",
            code="not_checked",
            status=503,
        ) from None


def _id(key: str) -> str:
    return f"feedback-{short_digest(key.encode())}"


def _refusal(error: StoreError, key: str | None, journal: Journal) -> Refusal:
    taken = key and journal.event(_id(key)) is not None
    if taken:
        return Refusal(
            "this Idempotency-Key was used for other feedback",
            code="idempotency_conflict",
            status=409,
        )
    return Refusal("the feedback could not be kept; send it again", code="not_kept", status=503)
