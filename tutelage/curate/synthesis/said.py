"""What a teacher's reply says: its words without thoughts, and whether it is whole."""

from __future__ import annotations

import re

from tutelage.score.endpoint import CUT
from tutelage.score.parse import parse, same_form
from tutelage.screen.near import comparable
from tutelage.store.ingest.shape import blank
from tutelage.store.replies import Reply

REFUSED = "refused: "  # begins the end of a reply that was none; what the endpoint said follows
THOUGHT, THOUGHTS = "<think>", re.compile(r"\A\s*<think>.*?</think>", re.S)


def answer_key(reply: Reply) -> str | None:
    """The key by which answers are one: the JSON value, or the words; None where it is no whole."""
    if no_words(reply):
        return None
    said = words_said(reply)
    parsed = parse(said)
    return f"json {same_form(parsed.value).decode()}" if parsed.ok else f"text {comparable(said)}"


def words_said(reply: Reply) -> str:
    """What a reply says, without the thoughts that some models write before it."""
    said = THOUGHTS.sub("", reply.text, count=1).strip()
    return "" if said.startswith(THOUGHT) else said


def no_words(reply: Reply) -> str:
    """Why a reply is no whole one, empty where it is."""
    if reply.finish.startswith(REFUSED):
        return reply.finish
    if blank(words_said(reply)):
        return "empty"
    return "cut off" if reply.finish in CUT else ""
