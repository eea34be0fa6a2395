"""The door of `evaluate`: Adapter in, Report out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

from tutelage.core.artifact import Provenance
from tutelage.core.digest import strong_digest
from tutelage.core.errors import ContractError, RecipeError
from tutelage.core.recipe import Evaluate
from tutelage.render.contract import Contract
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.ingest import digests_of, uri_of
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import ROWS, read_rows

VERSION = 1
SEEDS = ("evaluate.few_shot", "evaluate.bootstrap")
CONTRACT = "contract.json"  # of an adapter artifact


def run(section: Evaluate, inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """Measures the tuned model and its baselines on the suites.

    Raises: RecipeError, RowError, ContractError, BaseModelError.
    """
    train = run.recipe.train
    if train is None:
        raise RecipeError("evaluation needs the base model", where="train.base")
    check_recipe(run.recipe)
    base = find_base(train.base, run.recipe.base_dir)
    contract = Contract.open(run.recipe.contract, base, run.recipe)
    check_contract(inputs["adapter"], strong_digest(contract.taught()))
    dataset, adapter = inputs["dataset"], inputs["adapter"]

    def build(draft: Draft) -> None:
        from tutelage.evaluate import stage
        from tutelage.evaluate.bench import LocalBench

        rows = read_rows(dataset.file(ROWS))
        bench = LocalBench(contract, base, adapter, section=section, precision=train.precision)
        with closing(bench):
            stage.build(section, rows, bench, run, draft)

    return run.make("evaluate", _provenance(section, inputs, contract, base, run), build)


def check_contract(adapter: Artifact, digest: str) -> None:
    """Whether the adapter was trained with the contract the evaluation would use.

    Raises: ContractError where it was not.
    """
    trained = strong_digest(read_json(adapter.file(CONTRACT)))
    if trained != digest:
        raise ContractError(
            "the adapter was trained with another prompt contract",
            where=adapter.name,
            expected=f"contract {trained[:12]}, found {digest[:12]}",
            hint="train again, or put the recipe's `contract` and base back as they were",
        )


def _provenance(
    section: Evaluate,
    inputs: Mapping[str, Artifact],
    contract: Contract,
    base: BaseFolder,
    run: Run,
) -> Provenance:
    suites = digests_of([("suite", suite.path) for suite in section.suites], run.recipe)
    artifacts = {name: inputs[name].digest for name in ("dataset", "adapter")}
    train = run.recipe.train
    form = section.model_dump(mode="json")
    for suite in form["suites"]:
        suite["path"] = uri_of(suite["path"])  # no folder of this machine
    return Provenance(
        kind="report",
        inputs={**artifacts, "contract": contract.digest, **base.digests(), **suites},
        section={**form, "precision": train.precision if train else None},
        stage_version=VERSION,
        seeds=run.seeds(*SEEDS),
    )
