"""Where an answer begins, for templates that rewrite what stands before it."""

from __future__ import annotations

import re

from tutelage.core.errors import ContractError

PROBE = "\u2042probe\u2042"  # stands for an answer; no template trims or changes it
SPACES = re.compile(r"\s+")
SHOWN = 40  # characters quoted in an error


def answer_after(prompt: str, whole: str) -> str | None:
    """What follows the prompt, where the answered conversation begins with it."""
    return whole[len(prompt) :] if whole.startswith(prompt) and whole != prompt else None


def answer_by_probe(prompt: str, whole: str, probed: str, last: str) -> str:
    """The answer, where the template writes what is before it otherwise once it is there.

    `probed` is the conversation with a probe for its answer, so it shows where the
    answer begins. Between the `last` message and the answer the prompt must say the
    same, spaces aside, or add an opening of its own (`<think></think>`, say) after
    which the answer stands when it is served.
    Raises: ContractError where it does not.
    """
    head = probed.partition(PROBE)[0]
    before, asked = _after(head, last), _after(prompt, last)
    opening = asked.removeprefix(before)
    if PROBE in probed and whole.startswith(head) and asked.startswith(before):
        if opening.count("<think>") <= opening.count("</think>"):
            return whole[len(head) :]
        raise ContractError(
            f"the prompt opens reasoning ({prompt[-SHOWN:]!r}) which the template does not close "
            f"before the answer {whole[len(head) :][:SHOWN]!r}",
            hint="give a template whose prompt and answer agree as `contract.template`",
        )
    raise ContractError(
        "the answer does not follow the prompt the server would send: "
        f"the prompt ends in {prompt[-SHOWN:]!r}, "
        f"before the answer stands {head[-SHOWN:]!r}",
        hint="give a template whose prompt and answer agree as `contract.template`",
    )


def _after(text: str, last: str) -> str:
    """What stands after the last message, without spaces; all of it where it is not found."""
    found = last.strip()
    at = text.rfind(found) if found else -1
    return SPACES.sub("", text[at + len(found) :] if at >= 0 else text)
