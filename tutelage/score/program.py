"""The program in an answer: what stands in its fenced blocks, or all of it."""

from __future__ import annotations

import re

from tutelage.sandbox.cases import defined

FENCE = re.compile(
    r"^[ \t]*(```+|~~~+)[ \t]*([\w+.-]*)[^\n]*\n(.*?)(?:^[ \t]*\1[ \t]*$|\Z)", re.M | re.S
)
PYTHON = ("python", "py", "python3")


def program_of(answer: str, asked: frozenset[str] = frozenset()) -> str:
    """The answer's program.

    Of fenced blocks those of Python count, or those of no language where there are none: the
    first that defines a name asked for, else the first. An answer without a block is a
    program as it stands; a block that is not closed ends with the answer.
    """
    blocks = [(found[2].lower(), found[3]) for found in FENCE.finditer(answer)]
    if not blocks:
        return answer
    texts = [text for language, text in blocks if language in PYTHON]
    texts = texts or [text for language, text in blocks if not language] or [blocks[0][1]]
    return next((text for text in texts if asked & defined(text)), texts[0])
