"""Checks of rows against each other and against the contract: what no row shows by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.core.digest import Json
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.shelf import Rows
from tutelage.curate.sides import pair_key
from tutelage.curate.sieve import Sieve, entry
from tutelage.curate.traits import firsts, known, named
from tutelage.score.schema import Schema
from tutelage.score.task import answer_text, tasks_of
from tutelage.screen.ngrams import Indices


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Rows of which prompts are answered, and how. Shapes: each `[M]`; no preference rows."""

    rows: Rows
    prompt: Indices  # index of the first row with the same prompt
    answer: Indices  # index of the first row with the same prompt and the same answer

    def unlike(self) -> Indices:
        """Indices of the rows that answer otherwise than the first row with their prompt does."""
        return np.flatnonzero(self.answer != self.prompt)

    def beside(self) -> Indices:
        """The first row that answers its prompt otherwise, for each row; -1 where none does."""
        otherwise = self.unlike()
        second = np.full(len(self.rows), -1, dtype=np.int64)  # of each prompt
        second[self.prompt[otherwise[::-1]]] = otherwise[::-1]
        return np.where(self.answer == self.prompt, second[self.prompt], self.prompt)


def answered(examples: Sequence[Example]) -> Answers:
    """The rows by their prompts and answers."""
    rows = Rows.of(examples)
    told = known(rows)
    plain = rows.take(~told.paired[rows.places])
    prompts, answers = told.prompts[plain.places], told.answers[plain.places]
    both = np.concatenate([prompts, answers], axis=1)
    return Answers(rows=plain, prompt=firsts(prompts), answer=firsts(both))


def conflicts(examples: Sequence[Example], answers: Answers | None = None) -> list[LedgerEntry]:
    """Rows that answer one prompt differently, for a person to look at; they are kept.

    Prompts and answers are compared without case and blanks. Of preference rows several
    pairs for one prompt are the point: only those that prefer the opposite are found. `answers`
    is what `answered` gives, if it is known.
    """
    rows = Rows.of(examples)
    told = answered(rows) if answers is None else answers
    beside = told.beside()
    found = []
    for index in np.flatnonzero(beside >= 0).tolist():
        own, other = named(told.rows, index), named(told.rows, int(beside[index]))
        detail = f"answers the prompt of {other.source} otherwise"
        found.append(entry(own, Decision.REVIEW, Reason.CONFLICTING_LABEL, detail, other))
    return found + _opposite(rows.take(known(rows).paired[rows.places]))


def _opposite(pairs: Rows) -> list[LedgerEntry]:
    """Preference rows of which another prefers what they reject."""
    forward: dict[str, int] = {}
    backward = []
    for index, example in enumerate(pairs):
        forward[pair_key(example)] = index
        backward.append(pair_key(example, swapped=True))
    found = []
    for index, key in enumerate(backward):
        if key in forward:
            own, other = named(pairs, index), named(pairs, forward[key])
            detail = f"prefers what {other.source} rejects"
            found.append(entry(own, Decision.REVIEW, Reason.CONFLICTING_LABEL, detail, other))
    return found


def drop_unsound(sieve: Sieve, section: Curate, schema: Json) -> None:
    """Takes out answers the schema forbids or others outvote, where the recipe says so."""
    if section.invalid_output == "drop" and schema is not None:
        sieve.drop(outside_schema(sieve.kept, schema, Decision.DROP))
    if section.conflicting == "drop":
        sieve.drop(outvoted(sieve.kept))


def outvoted(examples: Sequence[Example]) -> dict[int, LedgerEntry]:
    """Rows, by their index, that answer a prompt otherwise than most rows do that ask it; where
    no answer is given by more than half of them, all.

    Compared as in `conflicts`, every repeat a vote. No preference rows.
    """
    rows = Rows.of(examples)
    told = answered(rows)
    places = np.flatnonzero(~known(rows).paired[rows.places])
    alike = np.bincount(told.answer, minlength=len(places))[told.answer]
    most = 2 * alike > np.bincount(told.prompt, minlength=len(places))[told.prompt]
    winner = np.full(len(places), -1, dtype=np.int64)  # of each prompt, a row with its answer
    winner[told.prompt[most]] = told.answer[most]
    beside = told.beside()
    found = {}
    for index in np.flatnonzero(~most).tolist():
        won = int(winner[told.prompt[index]])
        own = named(told.rows, index)
        other = named(told.rows, won if won >= 0 else int(beside[index]))
        detail = f"answers the prompt of {other.source} otherwise"
        place = int(places[index])
        found[place] = entry(own, Decision.DROP, Reason.CONFLICTING_LABEL, detail, other)
    return found


def outside_schema(
    examples: Sequence[Example], schema: Json, decision: Decision = Decision.REVIEW
) -> dict[int, LedgerEntry]:
    """Rows, by their index, whose answer does not satisfy the contract's output schema.

    General examples may stand among those of the task, so that by default a person looks at them.

    Raises: RecipeError if it is no schema.
    """
    scorer = Schema(schema)
    valid: dict[str, bool] = {}
    found, begins = {}, 0
    for part in Rows.of(examples).parts():
        several = list(part.examples())
        places = [place for place, example in enumerate(several) if not example.chosen]
        asked = tasks_of("rows", [several[place] for place in places])
        for place, task in zip(places, asked, strict=True):
            answer = answer_text(task.example.messages[-1])
            if answer not in valid:
                valid[answer] = not scorer.problem(task)
            if not valid[answer]:
                detail = "answers what contract.output_schema does not allow"
                told = entry(task.example, decision, Reason.INVALID_OUTPUT, detail)
                found[begins + place] = told
        begins += len(several)
    return found
