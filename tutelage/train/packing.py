"""Lessons as packed rows; which lesson stands where is kept on disk, so that the next start of the
same rows, a resumed one or another rank's, reads it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xxhash
from numpy.typing import NDArray

from tutelage.core.digest import strong_digest
from tutelage.core.recipe import Train
from tutelage.render.lessons import Lessons
from tutelage.render.pack import VERSION, PackedRows, one_a_row, pack, packed_apart
from tutelage.store.artifact import Artifact
from tutelage.store.disk import write_file
from tutelage.store.run import Run
from tutelage.train.batch import plan_steps
from tutelage.train.sources import BySource
from tutelage.train.tokens import Marks, lessons_in, marks_in

FOLDER, KEPT = "packings", 8  # of the store; as many of the newest stay
DRAW = "train.pack"
Sides: TypeAlias = tuple[PackedRows, NDArray[np.int32], PackedRows]


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonPlan:
    """What is taught: packed rows, and the steps that take them."""

    rows: PackedRows
    steps: Sequence[tuple[int, ...]]
    validation: PackedRows
    sources: BySource
    mixed: Mapping[str, int] = field(default_factory=dict)  # lessons by stage and source file


def pack_lessons(section: Train, tokens: Artifact, run: Run, *, alone: bool = False) -> LessonPlan:
    """Lessons as packed rows and planned steps.

    `alone` puts each lesson in a row of its own, for a base that would mix them.
    """
    rows, stage_of, held = packed(tokens, section.rows_tokens, run, alone=alone)
    stages = marks_in(tokens, "train", "stage")
    steps = plan_steps(
        rows.sizes.tolist(), section.step_tokens, section.epochs, run.generator, stage_of.tolist()
    )
    found = marks_in(tokens, "train", "source")
    return LessonPlan(
        rows=rows,
        steps=steps,
        validation=held,
        sources=BySource.of(found.names, found.of_lesson),
        mixed=_mixed(stages, found),
    )


def _mixed(stages: Marks, sources: Marks) -> dict[str, int]:
    """How many lessons of each source file each stage teaches; nothing without stages."""
    if not any(stages.names):
        return {}
    pairs = stages.of_lesson.astype(np.int64) * len(sources.names) + sources.of_lesson
    numbers, counts = np.unique(pairs, return_counts=True)
    names = [
        f"stage.{stages.names[one // len(sources.names)]}.{sources.names[one % len(sources.names)]}"
        for one in numbers.tolist()
    ]
    return dict(zip(names, counts.tolist(), strict=True))


def packed(tokens: Artifact, rows_tokens: int, run: Run, *, alone: bool) -> Sides:
    """Training rows, the stage of each `[rows]`, and held-out rows.

    A lesson longer than `rows_tokens` makes the rows longer: nothing is cut here. `alone` puts
    each in a row of its own.
    """
    train, held = lessons_in(tokens, "train"), lessons_in(tokens, "validation")
    longest = max(int(side.lengths.max()) for side in (train, held) if len(side))
    capacity = max(rows_tokens, longest)
    stages = marks_in(tokens, "train", "stage").of_lesson
    if alone:
        return one_a_row(train), stages, one_a_row(held)
    asked = [tokens.manifest.digest, capacity, run.seed(DRAW), VERSION]
    path = run.store.root / FOLDER / f"{strong_digest(asked)[:24]}.npz"
    if kept := _read(path, train, held):
        return kept
    rows, stage_of = packed_apart(train, stages, capacity, run.generator(DRAW))
    made = rows, stage_of, pack(held, capacity, run.generator(DRAW), share=True)
    _write(path, made)
    return made


def _arrays(sides: Sides) -> list[NDArray[Any]]:
    rows, stage_of, held = sides
    own: list[NDArray[Any]] = [rows.numbers, rows.trees, rows.rows, rows.sizes, stage_of]
    return [*own, held.numbers, held.trees, held.rows, held.sizes]


def _write(path: Path, sides: Sides) -> None:
    held = io.BytesIO()
    np.savez(held, *_arrays(sides))
    content = held.getvalue()
    write_file(path, xxhash.xxh3_128(content).digest() + content)
    for old in sorted(path.parent.glob("*.npz"), key=_written, reverse=True)[KEPT:]:
        old.unlink(missing_ok=True)


def _written(path: Path) -> float:
    """When a file was written; 0 where another process, which packs too, has just removed it."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _read(path: Path, train: Lessons, held: Lessons) -> Sides | None:
    """What `_write` wrote, None where it is not there or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if xxhash.xxh3_128(content[16:]).digest() != content[:16]:
        return None
    with np.load(io.BytesIO(content[16:]), allow_pickle=False) as found:
        arrays: Sequence[NDArray[np.int64]] = [found[name] for name in found.files]
    rows = _rows(train, arrays[:4])
    return rows, arrays[4].astype(np.int32), _rows(held, arrays[5:])


def _rows(lessons: Lessons, arrays: Sequence[NDArray[np.int64]]) -> PackedRows:
    numbers, trees, rows, sizes = arrays
    return PackedRows(
        lessons=lessons, numbers=numbers, trees=trees, rows=rows, sizes=sizes.astype(np.int32)
    )
