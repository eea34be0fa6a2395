"""The door of `evaluate`: Adapter in, Report out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing
from functools import partial

from tutelage.core.artifact import Provenance
from tutelage.core.errors import BadRow, BaseModelError, RecipeError
from tutelage.core.recipe import Evaluate
from tutelage.render.contract import Contract
from tutelage.render.difference import differences, refusal
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, pretty, read_json
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.ingest import digests_of, uri_of
from tutelage.store.ingest.read import read_examples
from tutelage.store.release import CONTRACT
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import ROWS, read_rows
from tutelage.store.uses import Asked, Uses, asked_by

VERSION = 7  # raised when the same answers come to another report
SEEDS = ("evaluate.few_shot", "evaluate.bootstrap", "evaluate.decoding")
DIGITS = 12  # of a digest
BASE = {"base:config": "config.json", "base:weights": "weights"}
HINT = "train again, or put the recipe's `contract` and base back as they were"


def run(section: Evaluate, inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """Measures the tuned model and its baselines on the suites.

    Raises: RecipeError, RowError, ContractError, BaseModelError.
    """
    train = run.recipe.train
    if train is None:
        raise RecipeError("evaluation needs the base model", where="train.base")
    check_recipe(run.recipe)
    base = find_base(train.base, run.recipe.base_dir, train.added_tokens)
    digests = base.digests()
    dataset, adapter = inputs["dataset"], inputs["adapter"]
    adapters = [one for name, one in inputs.items() if name.startswith("adapter")]
    for one in adapters:
        check_base(one, base.name, digests)
    contract = trained_contract(adapter, base, run)

    def build(draft: Draft) -> None:
        from tutelage.engine.device import best_device
        from tutelage.engine.grammar import check_schema
        from tutelage.evaluate import stage
        from tutelage.evaluate.bench import LocalBench

        if section.constrains:
            check_schema(contract.output_schema)  # before anything is asked
        (draft.folder / CONTRACT).write_bytes(pretty(contract.to_dict()))
        rows = read_rows(dataset.file(ROWS))
        Uses.of(run.store).note(
            _files(section, run),
            rows=_rows(section, run),
            adapter=adapter.digest,
            contract=contract.digest,
            recipe=run.recipe.name,
        )

        def opened(one: Artifact) -> AbstractContextManager[LocalBench]:
            return closing(
                LocalBench(contract, base, one, section=section, precision=train.precision)
            )

        with opened(adapter) as bench:
            others = [partial(opened, one) for one in adapters[1:]]
            stage.build(section, rows, bench, run, draft, others)
        draft.environment["device"] = best_device().type

    return run.make("evaluate", _provenance(section, inputs, contract, digests, run), build)


def trained_contract(adapter: Artifact, base: BaseFolder, run: Run) -> Contract:
    """The contract the adapter was trained with, where the recipe still asks for that one.

    Raises: ContractError with each part that differs.
    """
    asked = Contract.open(run.recipe.contract, base, run.recipe)
    if found := differences(read_json(adapter.file(CONTRACT)), asked.taught()):
        raise refusal(found, where=adapter.name, hint=HINT)
    return asked


def check_base(adapter: Artifact, name: str, found: Mapping[str, str]) -> None:
    """Whether configuration and weights are those the adapter was trained on.

    Raises: BaseModelError naming each that differs.
    """
    trained = adapter.manifest.inputs
    rows = [
        BadRow(where=part, problem=f"{found[key][:DIGITS]}, was {trained[key][:DIGITS]}")
        for key, part in BASE.items()
        if found[key] != trained[key]
    ]
    if rows:
        raise BaseModelError(
            f"`{name}` is another revision than the adapter was trained on",
            where=adapter.name,
            expected="the base as it was then",
            hint="put it back, or train again",
            rows=rows,
        )


def _files(section: Evaluate, run: Run) -> dict[str, str]:
    """The digest of each suite's file, or files."""
    return {
        suite.name: digest
        for suite in section.suites
        for digest in digests_of([("suite", suite.path)], run.recipe).values()
    }


def _rows(section: Evaluate, run: Run) -> dict[str, Asked]:
    """What the rows of each suite ask."""
    return {
        suite.name: asked_by(read_examples(suite, run.recipe).examples) for suite in section.suites
    }


def _provenance(
    section: Evaluate,
    inputs: Mapping[str, Artifact],
    contract: Contract,
    base: Mapping[str, str],
    run: Run,
) -> Provenance:
    files = [("suite", suite.path) for suite in section.suites]
    files += [("shots", suite.shots.path) for suite in section.suites if suite.shots is not None]
    files += [("labels", judge.labels.path) for judge in section.judges if judge.labels]
    files += [("labels", one.detector.labels) for one in section.suites if one.detector]
    if section.prompted is not None and section.prompted.path is not None:
        files.append(("prompt", section.prompted.path))
    suites = digests_of(files, run.recipe)
    artifacts = {name: one.digest for name, one in inputs.items()}
    train = run.recipe.train
    form = section.model_dump(mode="json")
    for suite in form["suites"]:
        suite["path"] = uri_of(suite["path"])  # no folder of this machine
        if suite["shots"] is not None:
            suite["shots"]["path"] = uri_of(suite["shots"]["path"])
        if suite["detector"] is not None:
            suite["detector"]["labels"] = uri_of(suite["detector"]["labels"])
    if form["prompted"] is not None and form["prompted"]["path"] is not None:
        form["prompted"]["path"] = uri_of(form["prompted"]["path"])
    del form["candidates"]  # they are another report
    for judge in form["judges"]:
        if judge["labels"]:
            judge["labels"]["path"] = uri_of(judge["labels"]["path"])
    return Provenance(
        kind="report",
        inputs={**artifacts, "contract": contract.digest, **base, **suites},
        section={**form, "precision": train.precision if train else None},
        stage_version=VERSION,
        seeds=run.seeds(*SEEDS),
    )
