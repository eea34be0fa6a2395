"""Checks of rows against each other and against the contract: what no row shows by itself."""

from __future__ import annotations

from tutelage.core.digest import Json
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.row import Example
from tutelage.curate.sides import answer_key, pair_key, prompt_key
from tutelage.curate.sieve import entry
from tutelage.score.schema import Schema
from tutelage.score.task import answer_text, tasks_of

Answers = dict[str, dict[str, list[Example]]]  # rows by prompt, then by answer


def answered(examples: list[Example]) -> Answers:
    """The rows of each prompt by their answers; no preference rows."""
    answers: Answers = {}
    for example in examples:
        if not example.chosen:
            own = answers.setdefault(prompt_key(example), {})
            own.setdefault(answer_key(example), []).append(example)
    return answers


def conflicts(examples: list[Example], answers: Answers | None = None) -> list[LedgerEntry]:
    """Rows that answer one prompt differently, for a person to look at; they are kept.

    Prompts and answers are compared without case and blanks. Of preference rows several
    pairs for one prompt are the point: only those that prefer the opposite are found. `answers`
    is what `answered` gives, if it is known.
    """
    others: dict[int, Example] = {}
    for own in (answered(examples) if answers is None else answers).values():
        for key, rows in own.items() if len(own) > 1 else ():
            other = next(those[0] for one, those in own.items() if one != key)
            others |= {id(one): other for one in rows}
    found = []
    for example in examples if others else ():
        beside = others.get(id(example))
        if beside is not None:
            detail = f"answers the prompt of {beside.source} otherwise"
            found.append(entry(example, Decision.REVIEW, Reason.CONFLICTING_LABEL, detail, beside))
    return found + _opposite([example for example in examples if example.chosen])


def _opposite(pairs: list[Example]) -> list[LedgerEntry]:
    """Preference rows of which another prefers what they reject."""
    known = {pair_key(example): example for example in pairs}
    found = []
    for example in pairs:
        other = known.get(pair_key(example, swapped=True))
        if other is not None:
            detail = f"prefers what {other.source} rejects"
            found.append(entry(example, Decision.REVIEW, Reason.CONFLICTING_LABEL, detail, other))
    return found


def outside_schema(examples: list[Example], schema: Json) -> list[LedgerEntry]:
    """Rows whose answer does not satisfy the contract's output schema, for a person to look at.

    They are kept: general examples may stand among those of the task.

    Raises: RecipeError if it is no schema.
    """
    scorer = Schema(schema)
    valid: dict[str, bool] = {}
    found = []
    for task in tasks_of("rows", [example for example in examples if not example.chosen]):
        answer = answer_text(task.example.messages[-1])
        if answer not in valid:
            valid[answer] = not scorer.problem(task)
        if not valid[answer]:
            detail = "answers what contract.output_schema does not allow"
            found.append(entry(task.example, Decision.REVIEW, Reason.INVALID_OUTPUT, detail))
    return found
