"""Layouts of a row and how each becomes a conversation with its tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Fields, Format
from tutelage.store.ingest.chat_log import chat_log
from tutelage.store.ingest.detect import told_apart
from tutelage.store.ingest.fault import (
    Fault,
    column,
    mapping,
    optional_text,
    refuse_unknown,
    text,
)
from tutelage.store.ingest.laid import INSTRUCTED, Laid, answer_of, instructed, prompt_of, tags
from tutelage.store.ingest.messages import messages, tools_of
from tutelage.store.ingest.preference import PAIR, pair_of, preference
from tutelage.store.ingest.provenance import OF_EVENT
from tutelage.store.ingest.sharegpt import sharegpt

ROW = (  # what our own rows may hold; `curate` gives a row its split
    *("id", "messages", "tools", "chosen", "rejected", "origin", "licence", "licence_basis"),
    *("source", "author", "consent_key", "generator", "editor", "parents", "reviews", "tags"),
    "weight",
)
ONE_ANSWER = ("sharegpt", "alpaca", "prompt_completion")  # layouts that know no preference


def lay(row: dict[str, Any], layout: Format, fields: Fields | None, kept: set[str]) -> Laid:
    """The conversation and tags of a row; `kept` are columns the caller has read.

    Raises: Fault for what is wrong with it.
    """
    if layout == "fields" and fields is not None:
        return _fields(row, fields, kept)
    layouts = {
        "row": _row,
        "messages": _messages,
        "sharegpt": sharegpt,
        "alpaca": _alpaca,
        "prompt_completion": _prompt_completion,
        "preference": preference,
        "chat_log": chat_log,
        "transcript": _messages,
        "policy": _messages,
    }
    if layout in ONE_ANSWER and all(row.get(name) is not None for name in PAIR):
        raise Fault(
            Reason.UNKNOWN_FIELD,
            "it has `chosen` and `rejected`; the row looks like `preference`, "
            f"the file is read as `{layout}`",
        )
    try:
        return layouts[layout](row, kept)
    except Fault as fault:
        raise told_apart(fault, row, layout) from None


def _messages(row: dict[str, Any], kept: set[str]) -> Laid:
    written = tags(row, ("messages", "tools", "functions", *PAIR, "tags", *kept))
    for name, value in tags(mapping(row.get("tags") or {}, "`tags`"), ()).items():
        if name in written:
            raise Fault(Reason.UNKNOWN_FIELD, f"column `{name}` is also one of its `tags`")
        written[name] = value
    return _laid(row, written)


def _row(row: dict[str, Any], kept: set[str]) -> Laid:
    """One of our own rows: `kept` holds its columns beside the conversation and tags."""
    refuse_unknown(row, ROW, "the row")
    for name in ("origin", "licence"):
        text(column(row, name), f"`{name}`")
    written = mapping(row.get("tags") or {}, "`tags`")
    named = {name: text(value, f"tag `{name}`") for name, value in written.items()}
    return _laid(row, {**_read_from(row.get("source")), **named})


def _read_from(source: object) -> dict[str, str]:
    """Where our own row was read before, as tags; an event stays its source."""
    if not isinstance(source, dict) or str(source.get("uri", "")).startswith(OF_EVENT):
        return {}
    return tags({"source": source}, ())


def _laid(row: dict[str, Any], written: Mapping[str, str]) -> Laid:
    chosen, rejected = pair_of(row)
    return Laid(
        messages=messages(column(row, "messages"), "`messages`"),
        tools=tools_of(row),
        chosen=chosen,
        rejected=rejected,
        tags=written,
    )


def _alpaca(row: dict[str, Any], kept: set[str]) -> Laid:
    return Laid(
        messages=(*instructed(row), answer_of(row, "output")),
        tags=tags(row, ("output", *INSTRUCTED, *kept)),
    )


def _prompt_completion(row: dict[str, Any], kept: set[str]) -> Laid:
    before, said = prompt_of(row), column(row, "completion")
    after = (
        messages(said, "`completion`")
        if isinstance(said, list)
        else (answer_of(row, "completion"),)
    )
    return Laid(
        messages=(*before, *after),
        tools=tools_of(row),
        tags=tags(row, ("prompt", "completion", "system", "tools", "functions", *kept)),
    )


def _fields(row: dict[str, Any], fields: Fields, kept: set[str]) -> Laid:
    turns = []
    if fields.system is not None:
        system = optional_text(column(row, fields.system), f"column `{fields.system}`")
        turns += [Message(role="system", content=system)] if system else []
    asked = text(column(row, fields.user), f"column `{fields.user}`")
    turns.append(Message(role="user", content=asked))
    if fields.assistant is not None:
        turns.append(answer_of(row, fields.assistant))
    used = (fields.user, fields.assistant or "", fields.system or "", *kept)
    # whoever names the columns knows the others: also lists are kept, as JSON text
    return Laid(messages=tuple(turns), tags=tags(row, used, whole=True))
