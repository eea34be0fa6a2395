"""A second door of `evaluate`: candidate bases in, compared on the same items, before training.

The items are the held-out rows of the dataset, judged by the suites' scorers. The suites' own
tasks are never asked: what a base is chosen by is not what the model is judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, BaseModelError, RecipeError, TutelageError
from tutelage.core.recipe import Evaluate, Train
from tutelage.core.systems import UNTUNED, SystemName
from tutelage.render.contract import Contract
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.ingest import digests_of, uri_of
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import ROWS, read_rows

VERSION = 2
STAGE = "candidates"
SEEDS = ("evaluate.few_shot", "evaluate.bootstrap", "evaluate.decoding", "evaluate.candidates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A base that might be tuned, and the prompts it would be given."""

    base: BaseFolder
    contract: Contract


def run(section: Evaluate, dataset: Artifact, run: Run) -> Artifact:
    """Asks `train.base` and every candidate the held-out rows, untuned, and compares them.

    Raises: RecipeError without candidates or held-out rows; BaseModelError with every candidate
        that cannot be opened.
    """
    train = run.recipe.train
    if train is None:
        raise RecipeError("candidates are compared with the recipe's base", where="train.base")
    if not section.candidates:
        raise RecipeError(
            "there is nothing to compare",
            where="evaluate.candidates",
            expected="bases: folders, or ids of Hugging Face's hub",
            hint="--set 'evaluate.candidates=[BASE, ...]' names them for once",
        )
    check_recipe(run.recipe)
    found = opened([train.base, *section.candidates], train, run)

    def build(draft: Draft) -> None:
        from tutelage.engine.device import best_device
        from tutelage.engine.grammar import check_schema
        from tutelage.evaluate import choosing

        if "constrained" in asked(section):
            check_schema(found[0].contract.output_schema)
        choosing.build(found, section, read_rows(dataset.file(ROWS)), run, draft)
        draft.environment["device"] = best_device().type

    return run.make(STAGE, _provenance(section, train, dataset, found, run), build)


def asked(section: Evaluate) -> list[SystemName]:
    """The systems each base is asked as: alone, with examples, and as the recipe asks the base."""
    return [name for name in UNTUNED if name in ("zero_shot", "few_shot", *section.baselines)]


def opened(names: Sequence[str], train: Train, run: Run) -> list[Candidate]:
    """Each base with the recipe's contract on it; one that is named in two ways is there once.

    Raises: BaseModelError with all that cannot be opened.
    """
    found: list[Candidate] = []
    bad: list[BadRow] = []
    for name in dict.fromkeys(names):
        try:
            base = find_base(name, run.recipe.base_dir, train.added_tokens)
            contract = Contract.open(run.recipe.contract, base, run.recipe)
        except TutelageError as error:
            says = f"{error.message}; {error.hint}" if error.hint else error.message
            bad.append(BadRow(where=uri_of(name), problem=says))
            continue
        alike = [one.base.name for one in found if one.base.digests() == base.digests()]
        if alike:
            run.progress.warn(f"`{uri_of(name)}` is `{alike[0]}`, and is compared once")
            continue
        for warning in contract.warnings:
            run.progress.warn(f"{base.name}: {warning}")
        found.append(Candidate(base=base, contract=contract))
    if bad:
        raise BaseModelError(
            f"{len(bad)} of {len(names)} bases cannot be opened",
            where="evaluate.candidates",
            rows=bad,
            hint="mend them, or leave them out",
        )
    return found


def _provenance(
    section: Evaluate, train: Train, dataset: Artifact, found: Sequence[Candidate], run: Run
) -> Provenance:
    inputs = {"dataset": dataset.digest}
    for number, one in enumerate(found):
        inputs[f"candidate{number}:contract"] = one.contract.digest
        inputs |= {f"candidate{number}:{key}": value for key, value in one.base.digests().items()}
    form: dict[str, Json] = {
        "candidates": [one.base.name for one in found],
        "systems": list(asked(section)),
        "suites": [[suite.name, list(suite.scorers)] for suite in section.suites],
        "few_shot_examples": section.few_shot_examples,
        "constrained_on": section.constrained_prompt,
        "limit": section.limit,
        "batch_tokens": section.batch_tokens,
        "precision": train.precision,
        "teach": train.teach.model_dump(mode="json"),
    }
    if section.prompted is not None:
        written = section.prompted
        form["prompted"] = written.model_dump(mode="json", exclude={"path"})
        if written.path is not None:
            inputs |= digests_of([("prompt", written.path)], run.recipe)
    return Provenance(
        kind="report",
        inputs=inputs,
        section=form,
        stage_version=VERSION,
        seeds=run.seeds(*SEEDS),
    )
