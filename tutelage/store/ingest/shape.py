"""What a conversation must be so that it can teach or be asked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from tutelage.core.conversation import Message
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault

UNSEEN = ("Cc", "Cf", "Zs", "Zl", "Zp")


def check(messages: Sequence[Message], *, preference: bool = False, asked: bool = False) -> None:
    """Refuses a conversation that teaches nothing or that no template can render.

    A preference row ends where its chosen and rejected continuations begin, and one that is
    only asked may end before the answer.

    Raises: Fault for the first thing that is wrong.
    """
    if not messages:
        raise Fault(Reason.NO_MESSAGES, "there are no messages")
    _check_order(messages)
    if not any(message.role == "user" for message in messages):
        raise Fault(Reason.EMPTY_PROMPT, "no message is from `user`")
    for index, message in enumerate(messages, start=1):
        if message.role == "user" and blank(message.content):
            raise Fault(Reason.EMPTY_PROMPT, f"message {index}, from `user`, is empty")
    if preference:
        if messages[-1].role == "assistant":
            raise Fault(
                Reason.WRONG_LAST_ROLE,
                "last message is from `assistant`; expected `user` before `chosen` and `rejected`",
            )
        return
    if not asked or messages[-1].role != "user":
        check_answer(messages, "")


def check_answer(messages: Sequence[Message], of: str) -> None:
    """Refuses messages whose last is no answer, or of which an answer is empty.

    Raises: Fault for the first thing that is wrong.
    """
    if not messages:
        raise Fault(Reason.NO_MESSAGES, f"there are no messages{of}")
    last = messages[-1].role
    if last != "assistant":
        raise Fault(
            Reason.WRONG_LAST_ROLE, f"last message{of} is from `{last}`; expected `assistant`"
        )
    for index, message in enumerate(messages, start=1):
        answers = message.role == "assistant"
        if answers and blank(message.content) and not message.tool_calls:
            which = f"message {index}{of}, from `assistant`,"
            raise Fault(Reason.EMPTY_RESPONSE, f"{which} is empty; expected the answer to teach")


def blank(content: str) -> bool:
    """Whether nothing of it is seen: spaces, controls, marks without a width."""
    return all(unicodedata.category(letter) in UNSEEN for letter in content)


def _check_order(messages: Sequence[Message]) -> None:
    for index, message in enumerate(messages):
        before = messages[index - 1].role if index else None
        if message.role == "system" and index:
            raise Fault(
                Reason.WRONG_ROLE_ORDER, f"message {index + 1} is from `system`; expected it first"
            )
        if message.role == "tool" and before not in ("assistant", "tool"):
            raise Fault(
                Reason.WRONG_ROLE_ORDER,
                f"message {index + 1} is from `tool`; expected it after a call by `assistant`",
            )
        if message.role != "assistant" and message.tool_calls:
            raise Fault(
                Reason.INVALID_TOOL_CALL,
                f"message {index + 1}, from `{message.role}`, calls a tool; expected `assistant`",
            )
