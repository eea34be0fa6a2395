"""The dataset as token ids: rendered once, in parallel, kept on disk under the name of all that
decides them, and proven before anything is trained on them.
"""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tutelage.core.artifact import Provenance
from tutelage.core.digest import strong_digest
from tutelage.core.errors import BadRow, ContractError, TrainingError
from tutelage.core.ledger import Decision, LedgerEntry, tally
from tutelage.core.progress import Tick
from tutelage.core.recipe import Quotas, Train
from tutelage.core.row import Split
from tutelage.render.contract import Contract
from tutelage.render.fit import QUOTA_OF
from tutelage.render.lessons import Lessons, LessonsFile
from tutelage.render.worker import SIDES, Order, Part, parts
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.base import BaseFolder
from tutelage.store.release import CONTRACT
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import LEDGER, ROWS, ledger_writer, outline, read_losses
from tutelage.train.kept import NOTHING_KEPT, Kept, latest

VERSION = 2
STAGE = "tokens"
COUNT = re.compile(r"^\d+")
WORTH_A_PROCESS = 4096  # rows; starting one costs what rendering about so many does


def make_tokens(
    section: Train, dataset: Artifact, contract: Contract, base: BaseFolder, run: Run
) -> Artifact:
    """The lessons of a dataset, from the store where nothing that decides them has changed.

    Of a dataset that shares rows with an earlier one, only the others are rendered.

    Raises: ContractError naming every row that must not be lost but is.
    """
    provenance = Provenance(
        kind="tokens",
        inputs={"dataset": dataset.digest, "taught": strong_digest(contract.taught())},
        section={"teach": section.teach.model_dump(mode="json")},
        stage_version=VERSION,
    )
    order = Order(
        rows=dataset.file(ROWS), contract=contract.to_dict(), base=base, teach=section.teach
    )

    def build(draft: Draft) -> None:
        kept = NOTHING_KEPT if run.force else latest(run.store, provenance)
        _build(order, kept, section, run, draft)
        (draft.folder / CONTRACT).write_bytes(pretty(contract.taught()))

    return run.make(STAGE, provenance, build)


@dataclass(slots=True, kw_only=True)
class _Made:
    """What has been written so far."""

    writers: Mapping[Split, LessonsFile]
    rows: dict[Split, list[pa.Table]]
    tally: Counter[str]
    done: int = 0  # rows, kept ones among them
    rendered: int = 0  # tokens of rows that were not kept

    def tokens(self) -> int:
        return sum(writer.tokens for writer in self.writers.values())


def _build(order: Order, kept: Kept, section: Train, run: Run, draft: Draft) -> None:
    groups = outline(order.rows)
    wanted = [_wanted(group, kept) for group in groups]
    fresh, total = sum(map(sum, wanted)), sum(len(group) for group in groups)
    processes = _processes(section, fresh)
    began = time.perf_counter()
    errors: list[ContractError] = []
    with ExitStack() as files:
        made = _Made(
            writers={side: files.enter_context(LessonsFile(draft.folder, side)) for side in SIDES},
            rows={side: [] for side in SIDES},
            tally=Counter(),
        )
        append = files.enter_context(ledger_writer(draft.folder / LEDGER))
        for group, part in zip(groups, parts(order, wanted, processes), strict=True):
            if not isinstance(part, Part):
                errors += part
                continue
            entries = _write(group, part, kept, made)
            append(entries)
            made.tally.update(tally(entries))
            made.done += len(group)
            run.progress.tick(_tick(made, total, time.perf_counter() - began))
    if errors:
        raise _together(errors)
    for side in SIDES:
        made.writers[side].finish()
        _write_names(draft.folder / f"{side}.arrow", made.rows[side])
    _count(draft, made, fresh, total, processes, time.perf_counter() - began)


def _wanted(group: pa.Table, kept: Kept) -> list[bool]:
    """Which rows of a group must be rendered."""
    forms = group.to_pylist()
    return [form["split"] in SIDES and not kept.has(form["id"], form["weight"]) for form in forms]


def _processes(section: Train, rows: int) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(section.threads or cores or 1, rows // WORTH_A_PROCESS))


def _write(group: pa.Table, part: Part, kept: Kept, made: _Made) -> list[LedgerEntry]:
    """Writes a group's lessons in the order of its rows; the entries for all of them."""
    entries = list(part.entries)
    places = {row: place for place, row in enumerate(group["id"].to_pylist())}
    for side in SIDES:
        own = group.filter(pc.equal(group["split"], side))
        rows = dict(zip(own["id"].to_pylist(), own["weight"].to_pylist(), strict=True))
        first_row = sum(len(table) for table in made.rows[side])
        lessons, old = kept.merged(part.sides[side], rows)
        made.rendered += len(part.sides[side].ids)
        entries += old
        made.writers[side].append(lessons, first_row)
        made.rows[side].append(own.select(["id", "weight", "source", "stage"]))
    return sorted(entries, key=lambda entry: places[entry.row])  # whoever rendered them


def _write_names(path: Path, tables: Sequence[pa.Table]) -> None:
    texts = dict.fromkeys(("id", "source", "stage"), pa.string())
    schema = pa.schema((texts | {"weight": pa.float64()}).items())
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as file:
        for table in tables:
            file.write_table(table.select(schema.names))


def _tick(made: _Made, total: int, seconds: float) -> Tick:
    pace = 1 / max(seconds, 1e-9)
    figures = {"rows_per_second": made.done * pace, "tokens_per_second": made.tokens() * pace}
    return Tick(stage=STAGE, done=made.done, total=total, unit="rows", figures=figures)


def _count(
    draft: Draft, made: _Made, fresh: int, total: int, processes: int, seconds: float
) -> None:
    pace = 1 / max(seconds, 1e-9)
    draft.counts.update({"rows": total, "rows_rendered": fresh, "tokens": made.tokens()})
    draft.counts.update(sorted(made.tally.items()))
    speed = {"rows": fresh * pace, "tokens": made.rendered * pace}
    draft.note = ", ".join(f"{value:,.0f} {what}/s" for what, value in speed.items())
    draft.environment.update(
        processes=str(processes),
        **{f"{what}_per_second": f"{value:.0f}" for what, value in speed.items()},
    )


def _together(errors: Sequence[ContractError]) -> ContractError:
    """The errors of all groups as one that says every kind there is and names all their rows."""
    kinds: dict[str, list[ContractError]] = {}
    for error in errors:
        kinds.setdefault(COUNT.sub("", error.message), []).append(error)
    alike = list(kinds.values())
    return ContractError(
        " and ".join(map(_counted, alike)),
        where=_joined(" and ", [one[0].where for one in alike]),
        expected=_joined("; ", [one[0].expected for one in alike]),
        hint=_joined("; ", [one[0].hint for one in alike]),
        rows=[row for one in alike for error in one for row in error.rows],
    )


def _counted(alike: Sequence[ContractError]) -> str:
    """What errors that differ in their count alone say together."""
    count = sum(len(error.rows) for error in alike)
    return COUNT.sub(str(count), alike[0].message)  # each counts those of its own group


def _joined(between: str, texts: Sequence[str]) -> str:
    return between.join(dict.fromkeys(filter(None, texts)))


def lessons_in(tokens: Artifact, side: Split) -> Lessons:
    """The lessons of a split, mapped into memory."""

    @cache  # read once, when something must be said of a row
    def names() -> list[str]:
        with pa.memory_map(str(tokens.folder / f"{side}.arrow")) as source:
            found: list[str] = pa.ipc.open_file(source).read_all()["id"].to_pylist()
        return found

    return Lessons.open(tokens.folder, side, names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is said of the rows of a split: the file each was read from, or its stage.

    Shapes: names `[F]` in the order they are met, of_lesson `[L]` index into them.
    """

    names: tuple[str, ...]
    of_lesson: NDArray[np.int32]


def marks_in(tokens: Artifact, side: Split, column: Literal["source", "stage"]) -> Marks:
    """Which file or stage each lesson of a split is of; no name where rows have none."""
    with pa.memory_map(str(tokens.folder / f"{side}.arrow")) as source:
        found = pc.fill_null(pa.ipc.open_file(source).read_all()[column].combine_chunks(), "")
        coded = found.dictionary_encode()
        names = tuple(coded.dictionary.to_pylist())
        of_row = coded.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    return Marks(names=names, of_lesson=of_row[lessons_in(tokens, side).records["row"]])


def check_tokens(tokens: Artifact, contract: Contract, section: Train) -> None:
    """Whether every lesson ends in a stop token, something is taught, and few rows were lost.

    Raises: ContractError for a lesson without its stop token; TrainingError where nothing is
        taught or more is lost than the quotas allow; each names the rows.
    """
    train = lessons_in(tokens, "train")
    for lessons in (train, lessons_in(tokens, "validation")):
        _check_ends(lessons, contract, contract.ending_ids(section.teach.roles))
    lost = read_losses(tokens.file(LEDGER))
    if not len(train):
        raise TrainingError(
            "no lesson is left to train on",
            expected="at least one example of the train split with an assistant turn that fits",
            hint="`tutelage explain-row` says why a row was left out",
            rows=_told(lost),
        )
    _check_quotas(lost, tokens, section.quotas)


def _check_ends(lessons: Lessons, contract: Contract, ends: frozenset[int]) -> None:
    def token(one: int) -> str:
        return f"`{contract.renderer.encoder.tokenizer.id_to_token(one)}`"

    ended = np.isin(lessons.last_ids, list(ends)) & (lessons.supervised > 0)
    if bad := np.flatnonzero(~ended).tolist():
        raise ContractError(
            f"{len(bad)} lessons do not end in a stop token",
            expected="completions that end in one of " + ", ".join(map(token, contract.stop_ids)),
            hint="a model trained on them would not stop; remove the tokens artifact and run again",
            rows=[
                BadRow(
                    where=f"{lessons.name(one)} message {lessons.records[one]['turn']}",
                    problem=f"ends in {token(int(lessons.last_ids[one]))}",
                )
                for one in bad
            ],
        )


def _check_quotas(lost: Sequence[LedgerEntry], tokens: Artifact, quotas: Quotas) -> None:
    rows = tokens.counts["rows"]
    over: dict[str, str] = {}
    bad: list[LedgerEntry] = []
    for reason, name in QUOTA_OF.items():
        found = [one for one in lost if one.reason == reason and one.decision != Decision.REVIEW]
        share = len({one.row for one in found}) / max(1, rows)
        if share > getattr(quotas, name):
            over[name] = f"{share:.2%} of {rows:,} rows are {name.replace('_', ' ')}"
            bad += found
    if over:
        keys = " and ".join(f"`train.quotas.{name}`" for name in over)
        raise TrainingError(
            f"{'; '.join(over.values())}: more than the recipe allows",
            where=tokens.name,
            expected=", ".join(f"at most {getattr(quotas, name):.2%} {name}" for name in over),
            hint=f"mend the rows, or raise {keys}; the ledger of {tokens.name} lists them all",
            rows=_told(bad),
        )


def _told(entries: Iterable[LedgerEntry]) -> list[BadRow]:
    return [BadRow(where=one.row, problem=f"{one.reason}: {one.detail}") for one in entries]
