"""The door of `train`: Dataset in, Adapter out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.core.artifact import Provenance
from tutelage.core.digest import strong_digest
from tutelage.core.memory import peak_bytes
from tutelage.core.recipe import Train
from tutelage.core.row import Split
from tutelage.render.contract import Contract
from tutelage.render.lessons import Lessons
from tutelage.render.pack import pack, tokens_saved
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.release import CONTRACT
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import METRICS
from tutelage.train.start import start_digest
from tutelage.train.tokens import check_tokens, lessons_in, make_tokens

VERSION = 2
SEEDS = ("train.pack", "train.order", "train.lora", "train.init", "train.step")
# They change when, not what (other threads may change the last bits of an fp32 sum, so the
# environment tells how many there were), or stop the run where it would be another.
UNRECORDED = {"checkpoint_every_seconds", "threads", "quotas", "start_from"}  # by its digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a training is made of."""

    base: BaseFolder
    dataset: Artifact
    contract: Contract
    tokens: Artifact


def run(section: Train, inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """Trains what the dataset teaches.

    Raises: BaseModelError, ContractError, TrainingError.
    """
    material = gather(section, inputs["dataset"], run)
    provenance = provenance_of(section, material, run)

    def build(draft: Draft) -> None:
        _build(section, material, run, draft, provenance.key)

    artifact = run.make("train", provenance, build)
    run.store.checkpoints(provenance.key).clear()
    return artifact


def gather(section: Train, dataset: Artifact, run: Run) -> Material:
    """The base, the contract and the dataset's tokens, which may be trained on.

    Raises: BaseModelError; ContractError; TrainingError where nothing is taught or more
        rows are lost than the quotas allow.
    """
    base = find_base(section.base, run.recipe.base_dir)
    contract = Contract.open(run.recipe.contract, base, run.recipe)
    for warning in contract.warnings:
        run.progress.warn(warning)
    tokens = make_tokens(section, dataset, contract, base, run)
    check_tokens(tokens, contract, section)
    return Material(base=base, dataset=dataset, contract=contract, tokens=tokens)


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
        },
        stage_version=VERSION,
        seeds=run.seeds(*SEEDS),
    )


def _build(section: Train, material: Material, run: Run, draft: Draft, key: str) -> None:
    from tutelage.train.loop import Loop, write_metrics
    from tutelage.train.weights import open_learner, using_threads

    taught = pack_lessons(section, material.tokens, run)
    learner = open_learner(section, material.base, run)
    with using_threads(section.threads):
        loop = Loop(section, learner, taught, run)
        state = loop.train(run.store.checkpoints(key))
        draft.environment.update(learner.computed())
    learner.save(draft.folder / "adapter")
    write_metrics(draft.folder / METRICS, state.rows)
    shutil.copyfile(material.tokens.file(CONTRACT), draft.folder / CONTRACT)
    draft.counts.update(_counts(taught, loop.learner.parameters()))
    draft.counts["trained_parameters"] = sum(x.numel() for x in learner.trainable().values())
    speed = {name: f"{value:.0f}" for name, value in loop.clock.figures().items()}
    peaks = {"peak_memory_mb": str(peak_bytes() >> 20), "peak_learning_rate": f"{loop.peak:g}"}
    draft.environment.update(speed | peaks)


def pack_lessons(section: Train, tokens: Artifact, run: Run) -> Any:
    """Lessons as packed rows and planned steps.

    A lesson longer than `rows_tokens` makes the rows longer: nothing is cut here.
    """
    from tutelage.train.batch import plan_steps
    from tutelage.train.loop import LessonPlan

    lessons: dict[Split, Lessons] = {
        side: lessons_in(tokens, side) for side in ("train", "validation")
    }
    longest = max(int(side.lengths.max()) for side in lessons.values() if len(side))
    capacity = max(section.rows_tokens, longest)
    rows = pack(lessons["train"], capacity, run.generator("train.pack"), share=True)
    held = pack(lessons["validation"], capacity, run.generator("train.pack"), share=True)
    steps = plan_steps(rows.sizes.tolist(), section.step_tokens, section.epochs, run.generator)
    return LessonPlan(rows=rows, steps=steps, validation=held)


def _counts(taught: Any, parameters: int) -> dict[str, int]:
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
    }
