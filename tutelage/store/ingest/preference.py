"""Preference rows: a prompt, the continuation that is preferred and one that is not."""

from __future__ import annotations

from typing import Any

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault, column, kind, mapping, refuse_unknown
from tutelage.store.ingest.laid import (
    INSTRUCTED,
    Laid,
    answer_of,
    instructed,
    prompt_of,
    system_of,
    tags,
)
from tutelage.store.ingest.messages import message, messages, tools_of
from tutelage.store.ingest.sharegpt import turn, turns

Messages = tuple[Message, ...]
PAIR = ("chosen", "rejected")


def preference(row: dict[str, Any], kept: set[str]) -> Laid:
    """The prompt and both continuations, in any of the ways they are written.

    These are `prompt` or Alpaca's `instruction` with `chosen` and `rejected`; these two
    as whole conversations; ShareGPT's `conversations` with them; `input`,
    `preferred_output` and `non_preferred_output`.

    Raises: Fault for what is wrong with it.
    """
    if "preferred_output" in row or "non_preferred_output" in row:
        return _outputs(row, kept)
    if row.get("conversations") is not None:
        return _conversations(row, kept)
    if row.get("prompt") is not None:
        return _prompted(row, kept)
    if row.get("instruction") is not None:
        return _instructed(row, kept)
    return _whole(row, kept)


def pair_of(row: dict[str, Any]) -> tuple[Messages, Messages]:
    """What stands in `chosen` and `rejected`, nothing where neither is there.

    Raises: Fault if only one of them is there.
    """
    missing = [name for name in PAIR if row.get(name) in (None, [])]
    if len(missing) == 1:
        raise Fault(Reason.MISSING_FIELD, f"no column `{missing[0]}`; a preference needs both")
    return ((), ()) if missing else _both(row)


def _continuation(row: dict[str, Any], name: str) -> Messages:
    """A text, one message or a list of messages; messages have a role or a speaker."""
    value = column(row, name)
    if isinstance(value, dict):
        return (turn(value, f"`{name}`"),)
    if isinstance(value, list):
        return turns(value, f"`{name}`")
    return (answer_of(row, name),)


def _prompted(row: dict[str, Any], kept: set[str]) -> Laid:
    """A prompt, as text or messages; the continuations may repeat it."""
    before = prompt_of(row)
    chosen, rejected = _both(row)
    if _opens(chosen) or _opens(rejected):
        repeated = before
        if isinstance(row["prompt"], str):  # a request alone, which may stand among others
            before, *_ = _parted(chosen, rejected)
            told = repeated[:-1] in ((), before[:1]) and repeated[-1] in before
        else:
            told = chosen[: len(before)] == before == rejected[: len(before)]
        if not told:
            raise Fault(
                Reason.WRONG_TYPE,
                "`chosen` and `rejected` begin with another conversation than `prompt`; expected "
                "them to repeat it, or to begin with the answer",
            )
        chosen, rejected = chosen[len(before) :], rejected[len(before) :]
    return _laid(row, before, (chosen, rejected), kept, ("prompt", "system"))


def _opens(continuation: Messages) -> bool:
    """Whether it is a whole conversation."""
    return bool(continuation) and continuation[0].role in ("system", "user")


def _instructed(row: dict[str, Any], kept: set[str]) -> Laid:
    return _laid(row, instructed(row), _both(row), kept, INSTRUCTED)


def _conversations(row: dict[str, Any], kept: set[str]) -> Laid:
    before = (*system_of(row), *turns(row["conversations"], "`conversations`"))
    return _laid(row, before, _both(row), kept, ("conversations", "system"))


def _whole(row: dict[str, Any], kept: set[str]) -> Laid:
    """Two whole conversations: what they share at their beginning is the prompt."""
    for name in PAIR:
        if not isinstance(column(row, name), list):
            raise Fault(
                Reason.WRONG_TYPE,
                f"`{name}` is {kind(row[name])} and there is no `prompt`; expected a `prompt` "
                "or messages that begin with it",
            )
    shared, chosen, rejected = _parted(*_both(row))
    return _laid(row, (*system_of(row), *shared), (chosen, rejected), kept, ("system",))


def _both(row: dict[str, Any]) -> tuple[Messages, Messages]:
    for name in PAIR:
        column(row, name)
    return _continuation(row, PAIR[0]), _continuation(row, PAIR[1])


def _parted(chosen: Messages, rejected: Messages) -> tuple[Messages, Messages, Messages]:
    """The longest common beginning, and what follows it in each.

    Raises: Fault where they share nothing or one of them ends there.
    """
    length = 0
    for one, other in zip(chosen, rejected, strict=False):
        if one != other:
            break
        length += 1
    if not length:
        raise Fault(
            Reason.EMPTY_PROMPT,
            "`chosen` and `rejected` share no message; expected both to begin with the prompt",
        )
    if length == min(len(chosen), len(rejected)):
        name, fuller = PAIR if len(chosen) == length else PAIR[::-1]
        raise Fault(
            Reason.EMPTY_RESPONSE,
            f"`{name}` says nothing that `{fuller}` does not; expected two that differ",
        )
    return chosen[:length], chosen[length:], rejected[length:]


def _laid(
    row: dict[str, Any],
    before: Messages,
    pair: tuple[Messages, Messages],
    kept: set[str],
    used: tuple[str, ...],
) -> Laid:
    chosen, rejected = pair
    if isinstance(row.get("messages"), list):  # tables for both kinds of training repeat `chosen`
        if messages(row["messages"], "`messages`") != (*before, *chosen):
            raise Fault(
                Reason.UNKNOWN_FIELD,
                "`messages` is not the prompt with `chosen`; expected the same or no `messages`",
            )
        used = (*used, "messages")
    return Laid(
        messages=before,
        chosen=chosen,
        rejected=rejected,
        tools=tools_of(row),
        tags=tags(row, (*PAIR, *used, "tools", "functions", *kept)),
    )


def _outputs(row: dict[str, Any], kept: set[str]) -> Laid:
    """The rows of an API: the request as it is sent, and two lists of messages."""
    form = mapping(column(row, "input"), "`input`")
    refuse_unknown(form, ("messages", "tools", "functions", "parallel_tool_calls"), "`input`")
    written = tags(row, ("input", "preferred_output", "non_preferred_output", *kept))
    sent = {name: form[name] for name in ("parallel_tool_calls",) if form.get(name) is not None}
    for name, value in tags(sent, ()).items():
        if name in written:
            raise Fault(Reason.UNKNOWN_FIELD, f"column `{name}` is also in `input`")
        written[name] = value
    return Laid(
        messages=messages(column(form, "messages"), "`messages` of `input`"),
        chosen=_output(row, "preferred_output"),
        rejected=_output(row, "non_preferred_output"),
        tools=tools_of(form),
        tags=written,
    )


def _output(row: dict[str, Any], name: str) -> Messages:
    value = column(row, name)
    return (
        (message(value, f"`{name}`"),) if isinstance(value, dict) else messages(value, f"`{name}`")
    )
