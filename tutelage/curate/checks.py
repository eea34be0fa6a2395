"""Checks of rows against each other and against the contract: what no row shows by itself."""

from __future__ import annotations

from tutelage.core.digest import Json
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.sides import answer_key, pair_key, prompt_key
from tutelage.curate.sieve import Sieve, entry
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


def drop_unsound(sieve: Sieve, section: Curate, schema: Json) -> None:
    """Takes out answers the schema forbids or others outvote, where the recipe says so."""
    if section.invalid_output == "drop" and schema is not None:
        sieve.drop(outside_schema(sieve.kept, schema, Decision.DROP))
    if section.conflicting == "drop":
        sieve.drop(outvoted(sieve.kept))


def outvoted(examples: list[Example]) -> dict[int, LedgerEntry]:
    """Rows, by their index, that answer a prompt otherwise than most rows do that ask it; where
    no answer is given by more than half of them, all.

    Compared as in `conflicts`, every repeat a vote. No preference rows.
    """
    found: dict[int, LedgerEntry] = {}
    losing: dict[int, Example] = {}
    for own in answered(examples).values():
        if len(own) < 2:
            continue
        votes = sum(map(len, own.values()))
        most = max(own, key=lambda key: len(own[key]))
        lost = [key for key in own if key != most or 2 * len(own[most]) <= votes]
        for key in lost:
            other = next(rows[0] for one, rows in own.items() if one != key)
            losing |= {id(row): own[most][0] if key != most else other for row in own[key]}
    for place, example in enumerate(examples if losing else ()):
        beside = losing.get(id(example))
        if beside is not None:
            detail = f"answers the prompt of {beside.source} otherwise"
            found[place] = entry(example, Decision.DROP, Reason.CONFLICTING_LABEL, detail, beside)
    return found


def outside_schema(
    examples: list[Example], schema: Json, decision: Decision = Decision.REVIEW
) -> dict[int, LedgerEntry]:
    """Rows, by their index, whose answer does not satisfy the contract's output schema.

    General examples may stand among those of the task, so that by default a person looks at them.

    Raises: RecipeError if it is no schema.
    """
    scorer = Schema(schema)
    valid: dict[str, bool] = {}
    found = {}
    places = [place for place, example in enumerate(examples) if not example.chosen]
    asked = tasks_of("rows", [examples[place] for place in places])
    for place, task in zip(places, asked, strict=True):
        answer = answer_text(task.example.messages[-1])
        if answer not in valid:
            valid[answer] = not scorer.problem(task)
        if not valid[answer]:
            detail = "answers what contract.output_schema does not allow"
            found[place] = entry(task.example, decision, Reason.INVALID_OUTPUT, detail)
    return found
