"""The door of `train`: Dataset in, Adapter out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tutelage.core.artifact import Provenance
from tutelage.core.errors import BadRow, TrainingError
from tutelage.core.ledger import LedgerEntry, tally
from tutelage.core.memory import peak_bytes
from tutelage.core.recipe import Train
from tutelage.render.contract import Contract
from tutelage.render.fit import teach
from tutelage.render.lesson import Lesson
from tutelage.render.pack import pack, tokens_saved
from tutelage.store.artifact import Artifact
from tutelage.store.base import BaseFolder, find_base
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import LEDGER, METRICS, ROWS, read_rows, write_ledger

VERSION = 1
SEEDS = ("train.pack", "train.order", "train.lora", "train.init", "train.step")
# They change when, not what; but other threads may change the last bits of an fp32 sum, so
# the environment tells how many there were.
UNRECORDED = {"checkpoint_every_seconds", "threads"}


def run(section: Train, inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """Trains what the dataset teaches.

    Raises: BaseModelError, ContractError, TrainingError.
    """
    base = find_base(section.base, run.recipe.base_dir)
    provenance = provenance_of(section, inputs["dataset"], base, run)

    def build(draft: Draft) -> None:
        _build(section, inputs["dataset"], base, run, draft, provenance.key)

    artifact = run.make("train", provenance, build)
    run.store.checkpoints(provenance.key).clear()
    return artifact


def provenance_of(section: Train, dataset: Artifact, base: BaseFolder, run: Run) -> Provenance:
    """What the adapter is made from; the contract belongs to it."""
    contract = Contract.open(run.recipe.contract, base, run.recipe)
    return Provenance(
        kind="adapter",
        inputs={"dataset": dataset.digest, "contract": contract.digest, **base.digests()},
        section={
            "train": section.model_dump(mode="json", exclude=UNRECORDED) | {"base": base.name},
            "contract": run.recipe.contract.model_dump(mode="json"),
        },
        stage_version=VERSION,
        seeds=run.seeds(*SEEDS),
    )


def _build(
    section: Train, dataset: Artifact, base: BaseFolder, run: Run, draft: Draft, key: str
) -> None:
    from tutelage.train.loop import Loop, write_metrics
    from tutelage.train.weights import open_learner, using_threads

    contract = Contract.open(run.recipe.contract, base, run.recipe)
    lessons, entries = read_lessons(dataset, base, run)
    write_ledger(draft.folder / LEDGER, entries)
    taught = pack_lessons(section, lessons, run)
    learner = open_learner(section, base, run)
    with using_threads(section.threads):
        loop = Loop(section, learner, taught, run)
        state = loop.train(run.store.checkpoints(key))
        draft.environment.update(learner.computed())
    learner.save(draft.folder / "adapter")
    write_metrics(draft.folder / METRICS, state.rows)
    _write_json(draft, "contract.json", contract.to_dict())
    draft.counts.update(_counts(lessons, taught, entries, loop.learner.parameters()))
    draft.counts["trained_parameters"] = sum(x.numel() for x in learner.trainable().values())
    speed = {name: f"{value:.0f}" for name, value in loop.clock.figures().items()}
    peaks = {"peak_memory_mb": str(peak_bytes() >> 20), "peak_learning_rate": f"{loop.peak:g}"}
    draft.environment.update(speed | peaks)


def read_lessons(
    dataset: Artifact, base: BaseFolder, run: Run
) -> tuple[dict[str, list[Lesson]], list[LedgerEntry]]:
    """The dataset's lessons by split as the contract renders and fits them, and their ledger.

    Raises: ContractError as the contract's `fit` says; TrainingError where none is left.
    """
    contract = Contract.open(run.recipe.contract, base, run.recipe)
    examples = read_rows(dataset.file(ROWS))
    by_side: dict[str, list[Lesson]] = {}
    entries: list[LedgerEntry] = []
    for warning in contract.warnings:
        run.progress.warn(warning)
    for side in ("train", "validation"):
        fitted = teach(contract, [example for example in examples if example.split == side])
        by_side[side] = list(fitted.lessons)
        entries.extend(fitted.entries)
    if not by_side["train"]:
        raise TrainingError(
            "no lesson is left to train on",
            expected="at least one example of the train split with an assistant turn that fits",
            hint="`tutelage explain-row` says why a row was left out",
            rows=[BadRow(where=x.row, problem=f"{x.reason}: {x.detail}") for x in entries],
        )
    return by_side, entries


def pack_lessons(section: Train, lessons: Mapping[str, list[Lesson]], run: Run) -> Any:
    """Lessons as packed rows and planned steps.

    A lesson longer than `rows_tokens` makes the rows longer: nothing is cut here.
    """
    from tutelage.train.batch import plan_steps
    from tutelage.train.loop import Lessons

    longest = max(len(lesson) for side in lessons.values() for lesson in side)
    capacity = max(section.rows_tokens, longest)
    rows = pack(lessons["train"], capacity, run.generator("train.pack"), share=True)
    held = pack(lessons["validation"], capacity, run.generator("train.pack"), share=True)
    sizes = [len(row) for row in rows]
    steps = plan_steps(sizes, section.step_tokens, section.epochs, run.generator)
    names = [lesson.row for lesson in lessons["train"]]
    return Lessons(rows=rows, steps=steps, names=names, validation=held)


def _counts(
    lessons: Mapping[str, list[Lesson]], taught: Any, entries: list[LedgerEntry], parameters: int
) -> dict[str, int]:
    train = lessons["train"]
    return {
        "lessons": len(train),
        "validation_lessons": len(lessons["validation"]),
        "tokens": sum(len(lesson) for lesson in train),
        "supervised_tokens": sum(len(lesson.completion) for lesson in train),
        "tokens_saved_by_folding": tokens_saved(train, taught.rows),
        "packed_rows": len(taught.rows),
        "steps": len(taught.steps),
        "base_parameters": parameters,
        **{f"fit_{name}": count for name, count in tally(entries).items()},
    }


def _write_json(draft: Draft, name: str, form: object) -> None:
    text = json.dumps(form, indent=1, sort_keys=True, ensure_ascii=False)
    (draft.folder / name).write_text(text + "\n", encoding="utf-8")
