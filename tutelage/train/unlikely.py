"""Rows whose answer the base finds very unlikely: mislabelled ones stand among them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tutelage.core.errors import TrainingError
from tutelage.core.progress import Tick
from tutelage.core.recipe import Train
from tutelage.engine.continuations import logprobs_of
from tutelage.engine.local import LocalEngine
from tutelage.render.contract import Contract
from tutelage.render.lesson import Lesson
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.store.tables import ROWS, outline, read_group
from tutelage.train.run import base_and_contract

ROW_TOKENS = 4096  # weighed together


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Unlikely:
    """A row and how little the base expects of it what it teaches."""

    loss: float  # mean, in nats a taught token
    row: str
    source: str
    tokens: int  # taught


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The least likely rows first, and the losses of all rows that were weighed."""

    rows: list[Unlikely]
    weighed: int
    skipped: int  # nothing is taught, or more tokens than the base reads
    median: float
    p99: float


def unlikely(section: Train, dataset: Artifact, run: Run, most: int) -> Weighed:
    """So many rows of the training split whose answers the base, untaught, expects least.

    The contract renders them as `train` would. Nothing of the dataset changes.

    Raises: BaseModelError, ContractError; TrainingError where no row can be weighed.
    """
    base, contract = base_and_contract(section, run)
    engine = LocalEngine.open(base, None, decode=contract.decode, precision=section.precision)
    try:
        limit = int(base.config.get("max_position_embeddings") or 1 << 30)
        found: list[Unlikely] = []
        skipped = 0
        for one in _losses(section, contract, dataset, engine, limit, run):
            if one is None:
                skipped += 1
            else:
                found.append(one)
    finally:
        engine.close()
    if not found:
        raise TrainingError("no row can be weighed by the base", where="train.base")
    losses = np.array([one.loss for one in found])
    return Weighed(
        rows=heapq.nlargest(most, found),
        weighed=len(found),
        skipped=skipped,
        median=float(np.median(losses)),
        p99=float(np.percentile(losses, 99)),
    )


def _losses(
    section: Train,
    contract: Contract,
    dataset: Artifact,
    engine: LocalEngine,
    limit: int,
    run: Run,
) -> Iterator[Unlikely | None]:
    groups = len(outline(dataset.file(ROWS)))
    for group in range(groups):
        examples = [one for one in read_group(dataset.file(ROWS), group) if one.split == "train"]
        rendered = contract.lessons_of(examples, section.teach)
        taught = [[lesson for lesson in one.lessons if len(lesson) <= limit] for one in rendered]
        lessons: list[Lesson] = [lesson for own in taught for lesson in own]
        parts = iter(logprobs_of(engine.score, lessons, row_tokens=min(ROW_TOKENS, limit)))
        for example, own in zip(examples, taught, strict=True):
            told = [next(parts).astype(np.float64) for _ in own]
            tokens = sum(map(len, told))
            loss = -sum(float(one.sum()) for one in told) / max(tokens, 1)
            source = str(example.source)
            yield (
                Unlikely(loss=loss, row=example.id, source=source, tokens=tokens)
                if tokens
                else None
            )
        run.progress.tick(
            Tick(stage="curate", done=group + 1, total=groups, unit="parts weighed by the base")
        )
