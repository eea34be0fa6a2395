"""Checks of rows against each other and against the contract: what no row shows by itself."""

from __future__ import annotations

from tutelage.core.digest import Json
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.row import Example
from tutelage.curate.sides import answer_key, pair_key, prompt_key
from tutelage.curate.sieve import entry
from tutelage.score.schema import Schema
from tutelage.score.task import answer_text, tasks_of


def conflicts(examples: list[Example]) -> list[LedgerEntry]:
    """Rows that answer one prompt differently, for a person to look at; they are kept.

    Prompts and answers are compared without case and blanks. Of preference rows several
    pairs for one prompt are the point: only those that prefer the opposite are found.
    """
    answers: dict[str, dict[str, Example]] = {}
    for example in examples:
        if not example.chosen:
            answers.setdefault(prompt_key(example), {}).setdefault(answer_key(example), example)
    found = []
    for example in examples:
        if example.chosen:
            continue
        others = answers[prompt_key(example)]
        if len(others) > 1:
            own = answer_key(example)
            other = next(one for key, one in others.items() if key != own)
            detail = f"answers the prompt of {other.source} otherwise"
            found.append(entry(example, Decision.REVIEW, Reason.CONFLICTING_LABEL, detail, other))
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
