"""Where an answer begins: after the prompt that is served, or where the template shows it."""

from __future__ import annotations

import re

from tutelage.core.errors import ContractError
from tutelage.render.encode import SEAM

PROBE = "\u2042probe\u2042"  # stands for an answer; no template trims or changes it
SPACES = re.compile(r"\s+")
SHOWN = 40  # characters quoted in an error
# Reasoning that a prompt opens and closes at once, where none is wanted.
EMPTY_REASONING = re.compile(
    r"(<think></think>|<\|START_THINKING\|><\|END_THINKING\|>|<\|channel>thought<channel\|>)$"
)
HINT = (
    "give `contract.arguments` that switch reasoning off (`enable_thinking: false`, say), or "
    "as `contract.template` one whose prompt and answer agree"
)


def answer_after(prompt: str, whole: str) -> str | None:
    """What follows the prompt, where the answered conversation begins with it."""
    return whole[len(prompt) :] if whole.startswith(prompt) and whole != prompt else None


def answer_behind(prompt: str, whole: str, head: str, last: str) -> str:
    """The answer, where the template writes what is before it otherwise once it is there.

    `head` is what stands before the answer's own words. Between the `last` message and
    them it must say the same as the prompt, spaces aside. The prompt may close
    reasoning at once (`<think></think>`), after which the answer stands when it is served;
    what `head` says beyond the prompt, the model must emit.
    Raises: ContractError where prompt and head differ otherwise.
    """
    before, asked = _after(head, last), _after(prompt, last)
    closed = EMPTY_REASONING.sub("", asked)
    if whole.startswith(head) and before.startswith(closed):
        return whole[_back(head, len(before) - len(closed)) :]
    opening = asked.removeprefix(before)
    if opening != asked and opening.count("<think>") > opening.count("</think>"):
        raise ContractError(
            f"the prompt opens reasoning ({_end(prompt)!r}) which the template does not close "
            f"before the answer {whole[len(head) :].replace(SEAM, '')[:SHOWN]!r}",
            hint=HINT,
        )
    raise ContractError(
        "the answer does not follow the prompt the server would send: "
        f"the prompt ends in {_end(prompt)!r}, "
        f"before the answer stands {_end(head)!r}",
        hint=HINT,
    )


def _end(text: str) -> str:
    """The end of a text, to be quoted."""
    return text.replace(SEAM, "")[-SHOWN:]


def _back(text: str, letters: int) -> int:
    """Where the last so many characters of the text begin, spaces not counted."""
    at = len(text)
    while letters:
        at -= 1
        letters -= not text[at].isspace()
    return at


def _after(text: str, last: str) -> str:
    """What stands after the last message, without spaces; all of it where it is not found."""
    found = last.strip()
    at = text.rfind(found) if found else -1
    return SPACES.sub("", text[at + len(found) :] if at >= 0 else text)
