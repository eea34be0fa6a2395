"""The door of `release`: Verdict in, Release out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json, strong_digest
from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Precision, Recipe, Release, resolved
from tutelage.release.admit import Waived, admit
from tutelage.release.card import card
from tutelage.release.opt_outs import refuse_opt_outs
from tutelage.render.contract import Contract
from tutelage.render.difference import differences, refusal
from tutelage.store.artifact import Artifact, pretty, read_json
from tutelage.store.base import TEMPLATE_FILES, TOKENIZER_FILES, BaseFolder, find_base
from tutelage.store.ingest import digests_of, uri_of
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.release import (
    ADAPTER,
    CARD,
    CONTRACT,
    DATASET_CARD,
    LINEAGE,
    RELEASE,
    SCHEMA,
    TOKENIZER,
    VERDICT,
)
from tutelage.store.run import Run
from tutelage.store.store import Draft

if TYPE_CHECKING:
    from tutelage.engine.liveness import Fingerprint

VERSION = 1
INPUTS = ("dataset", "adapter", "report", "verdict")
RECIPE = "recipe.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """All that a release is put together from."""

    precision: Precision  # in which it was measured
    inputs: Mapping[str, Artifact]
    base: BaseFolder
    contract: Contract
    waived: tuple[Waived, ...]
    run: Run


def run(
    section: Release, inputs: Mapping[str, Artifact], run: Run, today: date | None = None
) -> Artifact:
    """Puts together what may be served: weights, contract, cards, verdict and lineage.

    The base is named by its digests and never copied. `today` decides which waivers
    still hold; the current day (UTC) if left out.

    Raises: GateShut where a rule is shut and not waived, or a row was taken back;
        BaseModelError where the adapter changes nothing.
    """
    train = run.recipe.train
    if train is None:
        raise RecipeError("a release needs the base model", where="train.base")
    verdict = read_json(inputs["verdict"].file(VERDICT))
    refuse_opt_outs(section, inputs["dataset"], run.recipe)
    waived = admit(verdict, section.waivers, today or datetime.now(UTC).date())
    base = find_base(train.base, run.recipe.base_dir, train.added_tokens)
    contract = measured_contract(inputs["report"], base, run)
    made = Made(
        precision=train.precision,
        inputs=inputs,
        base=base,
        contract=contract,
        waived=waived,
        run=run,
    )
    return run.make(
        "release", _provenance(section, made), lambda draft: _build(section, made, draft)
    )


def measured_contract(report: Artifact, base: BaseFolder, run: Run) -> Contract:
    """The contract the model was measured under, where the recipe still asks for that one.

    Raises: ContractError with each part that differs.
    """
    measured = read_json(report.file(CONTRACT))
    asked = Contract.open(run.recipe.contract, base, run.recipe)
    if found := differences(measured, asked.to_dict()):
        raise refusal(found, where=report.name, hint="evaluate again: what is served is measured")
    return asked


def _build(section: Release, made: Made, draft: Draft) -> None:
    inputs, folder = made.inputs, draft.folder
    adapter, report = inputs["adapter"], inputs["report"]
    shutil.copytree(adapter.folder / ADAPTER, folder / ADAPTER)
    for source, target in (
        (report.file(METRICS), METRICS),
        (inputs["verdict"].file(VERDICT), VERDICT),
        (inputs["dataset"].file("card.md"), DATASET_CARD),
    ):
        shutil.copyfile(source, folder / target)
    _copy_tokenizer(made.base, folder / TOKENIZER)
    form = _form(section, made, _fingerprint(made))
    (folder / RELEASE).write_bytes(pretty(form))
    (folder / CONTRACT).write_bytes(pretty(made.contract.to_dict()))
    (folder / LINEAGE).write_bytes(pretty({"schema": SCHEMA, "artifacts": _lineage(inputs)}))
    (folder / RECIPE).write_text(resolved(made.run.recipe), encoding="utf-8")
    text = card(form, inputs, read_metrics(report.file(METRICS)), read_json(folder / VERDICT))
    (folder / CARD).write_text(text, encoding="utf-8")
    draft.counts["waivers"] = len(made.waived)
    draft.counts["bytes"] = sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def _copy_tokenizer(base: BaseFolder, target: Any) -> None:
    target.mkdir()
    for name in (*TOKENIZER_FILES, *TEMPLATE_FILES):
        if (base.folder / name).exists():
            shutil.copyfile(base.folder / name, target / name)


def _fingerprint(made: Made) -> Fingerprint:
    """What base and tuned model score; refuses an adapter that changes nothing."""
    from tutelage.engine.liveness import Fingerprint, check_change, scores
    from tutelage.engine.local import LocalEngine

    scored: dict[str, tuple[float, ...] | None] = {"base": None}
    for name, folder in (("base", None), ("tuned", made.inputs["adapter"].folder / ADAPTER)):
        if folder is None and not made.base.weight_files():
            continue  # trained from random weights: there is no base to compare with
        engine = LocalEngine.open(
            made.base, folder, decode=made.contract.decode, precision=made.precision
        )
        scored[name] = scores(engine, made.contract)
        engine.close()
    fingerprint = Fingerprint(base=scored["base"], tuned=scored["tuned"] or ())
    check_change(fingerprint)
    return fingerprint


def _form(section: Release, made: Made, fingerprint: Fingerprint) -> dict[str, Any]:
    recipe, inputs = made.run.recipe, made.inputs
    tuned = inputs["adapter"].has(f"{ADAPTER}/model.safetensors")
    return {
        "schema": SCHEMA,
        "name": recipe.name,
        "recipe": recipe.digest(),
        "notes": section.notes,
        "base": {"name": made.base.name, "digests": made.base.digests()},
        "adapter": {"digest": inputs["adapter"].digest, "layout": "tuned" if tuned else "lora"},
        "contract": made.contract.digest,
        "prompts": _prompts(made.contract.to_dict()),
        "precision": made.precision,
        **{name: inputs[name].digest for name in ("dataset", "report", "verdict")},
        "outcome": read_json(inputs["verdict"].file(VERDICT))["outcome"],
        "waivers": [
            {"rule": one.rule, "outcome": one.outcome, **one.waiver.model_dump(mode="json")}
            for one in made.waived
        ],
        "serve": recipe.serve.model_dump(mode="json"),
        "monitor": recipe.monitor.model_dump(mode="json"),
        "improve": None if recipe.improve is None else recipe.improve.model_dump(mode="json"),
        "fingerprint": fingerprint.to_dict(),
    }


def _prompts(contract: Mapping[str, Any]) -> dict[str, Any]:
    """Which versions of template and system prompt it has, and how it answers."""
    prompts = [one for one in (contract["system"], *contract["variants"]) if one is not None]
    return {
        "template": _version(contract["template"]),
        "system": _version(prompts[0]) if prompts else None,
        "variants": [_version(one) | {"share": one["share"]} for one in prompts[1:]],
        **{
            key: contract[key]
            for key in ("without_system", "arguments", "date", "decoding", "forgeable")
        },
    }


def _version(named: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": named["name"], "digest": named["digest"]}


def _lineage(inputs: Mapping[str, Artifact]) -> list[dict[str, Any]]:
    return [
        {
            "kind": inputs[name].kind,
            "name": inputs[name].name,
            "digest": inputs[name].digest,
            "inputs": dict(inputs[name].manifest.inputs),
            "counts": dict(inputs[name].counts),
            "started": inputs[name].manifest.started,
        }
        for name in INPUTS
    ]


def _list_digest(section: Release, recipe: Recipe) -> dict[str, str]:
    return digests_of([("opt_out", section.opt_out)] if section.opt_out else [], recipe)


def _provenance(section: Release, made: Made) -> Provenance:
    recipe = made.run.recipe
    asked = section.model_dump(mode="json")
    asked["opt_out"] = uri_of(section.opt_out) if section.opt_out else None
    served: dict[str, Json] = {
        "release": asked,
        "waived": [one.rule for one in made.waived],
        "serve": recipe.serve.model_dump(mode="json"),
        "monitor": recipe.monitor.model_dump(mode="json"),
        "improve": None if recipe.improve is None else recipe.improve.model_dump(mode="json"),
        "recipe": recipe.digest(),
        "precision": made.precision,
    }
    return Provenance(
        kind="release",
        inputs={
            **{name: made.inputs[name].digest for name in INPUTS},
            "contract": strong_digest(made.contract.to_dict()),
            **made.base.digests(),
            **_list_digest(section, recipe),
        },
        section=served,
        stage_version=VERSION,
    )
