"""The door of `train`: Dataset in, Adapter out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json, strong_digest
from tutelage.core.memory import peak_bytes
from tutelage.core.recipe import Train
from tutelage.core.world import World
from tutelage.render.contract import Contract
from tutelage.render.lessons import Lessons
from tutelage.render.pack import tokens_saved
from tutelage.render.tokenizer import write_tokenizer
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder, find_base, write_new_tokens
from tutelage.store.lines import METRICS
from tutelage.store.release import ADAPTER, CONTRACT
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import LEDGER, write_ledger
from tutelage.train.start import start_digest
from tutelage.train.tokens import check_tokens, make_tokens

if TYPE_CHECKING:
    from tutelage.train.checkpoint import State
    from tutelage.train.group import Group
    from tutelage.train.loop import Loop
    from tutelage.train.packing import LessonPlan
    from tutelage.train.plan import Plan
    from tutelage.train.weights import Learner

VERSION = 4
SEEDS = (
    "train.pack",
    "train.order",
    "train.lora",
    "train.init",
    "train.step",
    "train.trial.tasks",
)
# They change when, not what (other threads may change the last bits of an fp32 sum, so the
# environment tells how many there were), or stop the run where it would be another.
UNRECORDED = {
    "checkpoint_every_seconds",
    "checkpoints_kept",
    "activation_offload",
    "gradient_checkpointing",
    "parallel",
    "quotas",
    "seeds",  # how many there are changes none of them
    "sinks",
    "start_from",  # by its digest
    "threads",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A training that is through, and where it stands."""

    loop: Loop
    state: State


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a training is made of."""

    base: BaseFolder
    dataset: Artifact
    contract: Contract
    tokens: Artifact


def run(section: Train, inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """Trains what the dataset teaches, as the run's one of `train.seeds` trainings.

    Raises: BaseModelError, ContractError, TrainingError.
    """
    material = gather(section, inputs["dataset"], run)
    provenance = provenance_of(section, material, run)

    def build(draft: Draft) -> None:
        _build(section, material, run, draft, provenance.key)

    artifact = run.make(run.named("train"), provenance, build)
    run.store.checkpoints(provenance.key).clear()
    return artifact


def gather(section: Train, dataset: Artifact, run: Run) -> Material:
    """The base, the contract and the dataset's tokens, which may be trained on.

    Raises: BaseModelError; ContractError; TrainingError where nothing is taught or more
        rows are lost than the quotas allow.
    """
    base, contract = base_and_contract(section, run)
    for warning in contract.warnings:
        run.progress.warn(warning)
    tokens = make_tokens(section, dataset, contract, base, run)
    check_tokens(tokens, contract, section)
    return Material(base=base, dataset=dataset, contract=contract, tokens=tokens)


def base_and_contract(section: Train, run: Run) -> tuple[BaseFolder, Contract]:
    """The base, with the tokens the recipe adds, and the contract over it.

    Raises: BaseModelError, ContractError.
    """
    base = find_base(section.base, run.recipe.base_dir, section.added_tokens)
    return base, Contract.open(run.recipe.contract, base, run.recipe)


def provenance_of(section: Train, material: Material, run: Run) -> Provenance:
    """What the adapter is made from; the contract belongs to it."""
    return Provenance(
        kind="adapter",
        inputs={
            "dataset": material.dataset.digest,
            "tokens": material.tokens.digest,
            "taught": strong_digest(material.contract.taught()),
            **material.base.digests(),
            **start_digest(section, material.base, run),
        },
        section={
            "train": section.model_dump(mode="json", exclude=UNRECORDED)
            | {"base": material.base.name},
            **_trial(section, run),
        },
        stage_version=VERSION,
        seeds=run.seeds(*SEEDS),
    )


def _trial(section: Train, run: Run) -> dict[str, Json]:
    """What decides a suite's metric while training, where one is gone by."""
    stopping = section.early_stopping
    if stopping is None or "." not in stopping.metric:
        return {}
    suite = run.recipe.suite(stopping.metric)
    decoding = run.recipe.contract.decoding.model_dump(mode="json")
    return {"trial": {"scorers": list(suite.scorers), "decoding": decoding}}


def _build(section: Train, material: Material, run: Run, draft: Draft, key: str) -> None:
    from tutelage.train.group import joined
    from tutelage.train.guard import check_weights, entries
    from tutelage.train.sinks import write_metrics

    announced = {"dataset": material.dataset.key, "tokens": material.tokens.key, "adapter": key}
    announced["training"] = str(run.training)
    with joined(World.here(), announced) as group:
        trained = train_on(section, material, run, key, group)
        loop, state = trained.loop, trained.state
        draft.environment.update(loop.learner.computed() | loop.judging.environment())
        learner = gathered(loop.learner)
    check_weights(learner.trainable(), loop.kept_step(state))
    learner.save(draft.folder / ADAPTER)
    if material.base.new_tokens:
        write_new_tokens(draft.folder / ADAPTER, material.base)
        write_tokenizer(draft.folder / ADAPTER, material.base)
        draft.counts["new_tokens"] = len(material.base.new_tokens)
    write_metrics(draft.folder / METRICS, state.rows)
    if wrong := entries(state.rows, loop.names):
        write_ledger(draft.folder / LEDGER, wrong)
    shutil.copyfile(material.tokens.file(CONTRACT), draft.folder / CONTRACT)
    draft.counts.update(_counts(loop.lessons, learner.parameters()))
    draft.counts.update(_marked(state.rows) | {"kept_step": loop.kept_step(state)})
    draft.counts["trained_parameters"] = sum(x.numel() for x in learner.trainable().values())
    peaks = {"peak_memory_mb": str(peak_bytes() >> 20), "peak_learning_rate": f"{loop.peak:g}"}
    draft.environment.update(loop.meters.environment() | peaks | {"device": loop.device.type})


def plan(section: Train, dataset: Artifact, run: Run) -> Plan:
    """What training on a dataset will take, the loading of the libraries among it.

    Raises: as `train.plan.measure`.
    """
    began = perf_counter()
    from tutelage.train.plan import measure

    return measure(section, dataset, run, loading=perf_counter() - began)


def gathered(learner: Learner) -> Learner:
    """The learner with whole weights on rank 0; every rank of its group does this."""
    if not learner.group.sharded:
        return learner

    from tutelage.train.shard import gathered as gather_parts

    return gather_parts(learner)


def train_on(section: Train, material: Material, run: Run, key: str, group: Group) -> Trained:
    """Trains towards a key; every rank of the group does this.

    Raises: TrainingError, PeerLost.
    """
    from tutelage.train.checkpoint import Saves
    from tutelage.train.device import prepared
    from tutelage.train.group import threads_of
    from tutelage.train.judging import judging_of
    from tutelage.train.loop import Loop
    from tutelage.train.packing import pack_lessons
    from tutelage.train.weights import open_learner

    saves = Saves(
        states=run.store.checkpoints(key, kept=section.checkpoints_kept),
        best=run.store.checkpoints(key, part="best", kept=None),
    )
    with prepared(threads_of(section.threads, group.world)):
        learner = open_learner(section, material.base, run)
        alone = learner.backbone.alone is not None
        lessons = pack_lessons(section, material.tokens, run, alone=alone)
        judging = judging_of(section, material, lessons, run)
        if group.size == 1 and section.parallel == "shard":
            run.progress.warn("`train.parallel: shard` changes nothing in one process")
        if group.size > 1:
            from tutelage.train.shard import among

            learner = among(section, learner, group)
        loop = Loop(section, learner, lessons, run, judging)
        return Trained(loop=loop, state=loop.train(saves))


def _counts(taught: LessonPlan, parameters: int) -> dict[str, int]:
    lessons: Lessons = taught.rows.lessons
    return {
        "lessons": len(lessons),
        "validation_lessons": len(taught.validation.lessons),
        "tokens": int(lessons.lengths.sum(dtype="int64")),
        "supervised_tokens": int(lessons.supervised.sum(dtype="int64")),
        "tokens_saved_by_folding": tokens_saved(taught.rows),
        "packed_rows": len(taught.rows),
        "steps": len(taught.steps),
        "base_parameters": parameters,
        **taught.mixed,
    }


def _marked(rows: Sequence[Mapping[str, float]]) -> dict[str, int]:
    """Steps that were taken, and those with something amiss."""
    found = {"steps_taken": len(rows)}
    for name, count in (("skipped", "steps_skipped"), ("spike", "steps_with_a_spike")):
        found[count] = sum(name in row for row in rows)
    return found | {"overfitting": sum("overfitting" in row for row in rows)}
