"""`instructions`: the answer has the form asked for, by the rules of IFEval."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.score.constraints import CONSTRAINTS, COUNT, RELATION, TEXT
from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task
from tutelage.score.text import listed_objects

FIELD = "instructions"  # key of a row: a JSON list of {"id": KIND, …}
PATTERNS = ("keywords", "forbidden_words", "keyword", "section_spliter")  # read as such
STRICT, LOOSE = ("followed_strict", "asked_strict"), ("followed_loose", "asked_loose")


class Instructions:
    """Which of the row's instructions an answer follows.

    Strict: as it stands. Loose: as it stands, or without its first line, its last,
    both, each with and without asterisks; it has fewer false alarms of a greeting
    before or a remark after, and more answers pass that should not.
    """

    name = "instructions"
    headline = "prompt_strict"
    measures = (
        Measure(metric="prompt_strict", says="every instruction is followed, strictly"),
        Measure(metric="prompt_loose", says="every instruction is followed, loosely"),
        Measure(
            metric="instruction_strict",
            says="share of all instructions that are followed, strictly",
            family="ratio",
            columns=STRICT,
            statistic="part",
        ),
        Measure(
            metric="instruction_loose",
            says="share of all instructions that are followed, loosely",
            family="ratio",
            columns=LOOSE,
            statistic="part",
        ),
    )

    def problem(self, task: Task) -> str:
        """Why the row's instructions cannot be checked."""
        asked = listed_objects(task.example.tags.get(FIELD, ""))
        if asked is None:
            return f'the row has no `{FIELD}`, a JSON list of {{"id": KIND, …}}'
        found = [problem for one in asked if (problem := _problem(one))]
        return found[0] if found else ""

    def score(self, task: Task, answer: str) -> Scores:
        """Whether all are followed, and how many of how many, both ways."""
        asked = listed_objects(task.example.tags.get(FIELD, "")) or []
        strict = followed(asked, [answer])
        loose = followed(asked, loosened(answer))
        return {
            "prompt_strict": float(all(strict)),
            "prompt_loose": float(all(loose)),
            STRICT[0]: float(sum(strict)),
            STRICT[1]: float(len(asked)),
            LOOSE[0]: float(sum(loose)),
            LOOSE[1]: float(len(asked)),
        }


def followed(asked: Sequence[Mapping[str, Any]], forms: Sequence[str]) -> list[bool]:
    """For each instruction, whether one of the answer's forms follows it; an empty one does not."""
    filled = [form for form in forms if form.strip()]
    return [any(CONSTRAINTS[one["id"]].follows(form, one) for form in filled) for one in asked]


def loosened(answer: str) -> list[str]:
    """The answer, and without first line, last line, both; each without asterisks, too."""
    lines = answer.split("\n")
    parts = [answer, *("\n".join(some).strip() for some in (lines[1:], lines[:-1], lines[1:-1]))]
    return list(dict.fromkeys([*parts, *(part.replace("*", "") for part in parts)]))


def _problem(asked: Mapping[str, Any]) -> str:
    kind = str(asked.get("id"))
    if kind not in CONSTRAINTS:
        near = difflib.get_close_matches(kind, list(CONSTRAINTS), n=1)
        return f"there is no instruction `{kind}`" + (
            f"; did you mean `{near[0]}`?" if near else ""
        )
    needs = CONSTRAINTS[kind].needs
    extra = [
        name for name in asked if name != "id" and name not in needs and asked[name] is not None
    ]
    if extra:
        return f"instruction `{kind}` takes no `{extra[0]}`"
    wrong = [name for name, expected in needs.items() if not _is(asked.get(name), expected)]
    if wrong:
        return f"instruction `{kind}` needs `{wrong[0]}`, {needs[wrong[0]]}"
    return next((fault for name in needs if (fault := _fault(kind, name, asked[name]))), "")


def _is(value: Any, expected: str) -> bool:
    if expected == COUNT:
        return (
            isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
        )
    if expected == TEXT:
        return isinstance(value, str) and bool(value.strip())
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and bool(value)


def _fault(kind: str, name: str, value: Any) -> str:
    if name.endswith("relation") and value not in RELATION:
        return f"`{name}` of `{kind}` is `{value}`; expected {' or '.join(RELATION)}"
    try:
        for pattern in (value if isinstance(value, list) else [value]) if name in PATTERNS else ():
            re.compile(pattern)
    except re.error as error:
        return f"`{name}` of `{kind}` is no pattern: {error}"
    return ""
