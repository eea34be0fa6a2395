"""Stages of training and what each is mixed from: exact counts, every row in one stage at most."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tutelage.core.errors import BadRow, RecipeError, RowError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate, Stage
from tutelage.core.row import Example, Source, Split
from tutelage.curate.sieve import entry
from tutelage.curate.split import rank
from tutelage.store.ingest import Ingested

Counts = dict[str, int]  # rows by source


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Rows in the order of their stages, the rest, and counts by stage and source."""

    examples: list[Example]
    left: dict[int, LedgerEntry] = field(default_factory=dict)  # by index in what was given
    counts: Mapping[str, Counts] = field(default_factory=dict)  # of the rows that are taught


def mix(examples: Sequence[Example], names: Sequence[str], section: Curate, seed: int) -> Mixed:
    """Gives every row its stage by `curate.stages`; without stages all rows are taken.

    `names` says which source each row is from.

    Of each source the rows with the least seeded hash go first, so that the order of a file
    does not matter and a row that is added moves few others. Rows held out are mixed in the
    same shares, as many as there are for it.

    Raises: RowError where a stage asks for more rows than its sources have; RecipeError where
        the length of two is open.
    """
    if not section.stages:
        return Mixed(examples=list(examples))
    stage_of: dict[int, str] = {}
    taught: Mapping[str, Counts] = {}
    for side in ("train", "validation"):
        waiting = _ranked(examples, names, side, seed)
        has = Counter({name: len(rows) for name, rows in waiting.items()})
        held = side == "validation"
        wanted = _shrunk(section, has) if held else _planned(section.stages, has)
        for stage, counts in wanted.items():
            for source, count in counts.items():
                chosen, waiting[source] = waiting[source][:count], waiting[source][count:]
                stage_of |= dict.fromkeys(chosen, stage)
        taught = taught if held else wanted
    order = [stage.name for stage in section.stages]
    kept = sorted(stage_of, key=lambda index: (order.index(stage_of[index]), index))
    detail = "is in no stage's share of its source"
    return Mixed(
        examples=[replace(examples[index], stage=stage_of[index]) for index in kept],
        left={
            index: entry(example, Decision.DROP, Reason.NOT_MIXED, detail)
            for index, example in enumerate(examples)
            if index not in stage_of
        },
        counts=taught,
    )


def over_limit(
    kept: Sequence[Example], rows: int | None, generator: np.random.Generator
) -> dict[int, LedgerEntry]:
    """The rows beyond `curate.rows`, after a seeded shuffle."""
    if rows is None or rows >= len(kept):
        return {}
    shuffled = generator.permutation(len(kept))
    detail = f"is not among the {rows:,} rows of curate.rows"
    return {
        index: entry(kept[index], Decision.DROP, Reason.OVER_LIMIT, detail)
        for index in shuffled[rows:].tolist()
    }


def source_of(files: Sequence[Ingested], section: Curate) -> dict[tuple[str, Source], str]:
    """The name of the source each row was read from, by its id and its place."""
    names: dict[tuple[str, Source], str] = {}
    for file, source in zip(files, section.sources, strict=True):
        for example in file.examples:
            names.setdefault((example.id, example.source), source.called)
    return names


def share_out(mix: Mapping[str, float], rows: int) -> Counts:
    """So many rows by source, in whole numbers whose sum is `rows`: largest remainders first."""
    total = sum(mix.values())
    exact = {name: rows * share / total for name, share in mix.items()}
    counts = {name: math.floor(value + 1e-9) for name, value in exact.items()}
    rest = sorted(exact, key=lambda name: (counts[name] - exact[name], name))
    for name in rest[: rows - sum(counts.values())]:
        counts[name] += 1
    return counts


def _planned(stages: Sequence[Stage], has: Mapping[str, int]) -> dict[str, Counts]:
    """Rows of each stage by source: those that say how many, then those with a source of their own.

    A stage that does neither takes what the others leave.
    """
    users = Counter(name for stage in stages for name in stage.mix)
    left = Counter(has)
    found: dict[str, Counts] = {}
    open_ended = 0
    for stage in sorted(stages, key=lambda one: _turn(one, users)):
        own = [name for name in stage.mix if users[name] == 1]
        if stage.rows is not None:
            rows = stage.rows
        else:
            open_ended += not own
            if open_ended > 1:
                raise RecipeError(
                    f"how long is stage `{stage.name}`? It shares all its sources with others",
                    where="curate.stages",
                    hint="give it `rows:`",
                )
            rows = _longest(stage.mix, left, own or list(stage.mix))
        found[stage.name] = share_out(stage.mix, rows)
        _check(stage, found[stage.name], left)
        left.subtract(found[stage.name])
    return {stage.name: found[stage.name] for stage in stages}


def _turn(stage: Stage, users: Mapping[str, int]) -> int:
    if stage.rows is not None:
        return 0
    return 1 if any(users[name] == 1 for name in stage.mix) else 2


def _longest(mix: Mapping[str, float], has: Mapping[str, int], bound: Iterable[str]) -> int:
    """The most rows the sources in `bound` allow."""
    total = sum(mix.values())
    rows = min(math.floor(has[name] * total / mix[name] + 1e-9) for name in bound)
    while rows and any(share_out(mix, rows)[name] > has[name] for name in bound):
        rows -= 1
    return rows


def _check(stage: Stage, counts: Counts, has: Mapping[str, int]) -> None:
    short = {name: count for name, count in counts.items() if count > has[name]}
    if short:
        raise RowError(
            f"stage `{stage.name}` needs more rows than there are",
            where="curate.stages",
            expected=", ".join(f"{count:,} of {name}" for name, count in short.items()),
            hint="ask for fewer `rows`, give the source a smaller share, or add rows to it",
            rows=[
                BadRow(where=name, problem=f"{has[name]:,} rows are left for this stage")
                for name in short
            ],
        )
    if not sum(counts.values()):
        raise RowError(
            f"stage `{stage.name}` has no rows",
            where="curate.stages",
            hint="each source of its mix must have some that are taught",
        )


def _shrunk(section: Curate, has: Mapping[str, int]) -> dict[str, Counts]:
    """What is held out of each stage: its shares of the rows there are, the scarcest deciding."""
    users = Counter(name for stage in section.stages for name in stage.mix)
    found: dict[str, Counts] = {}
    for stage in section.stages:
        part = {name: has[name] // users[name] for name in stage.mix}
        found[stage.name] = share_out(stage.mix, _longest(stage.mix, part, stage.mix))
    return found


def _ranked(
    examples: Sequence[Example], names: Sequence[str], side: Split, seed: int
) -> dict[str, list[int]]:
    """Indices of the rows of each source on this side, in a seeded order."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        if example.split == side:
            found[names[index]].append(index)
    for rows in found.values():
        rows.sort(key=lambda index: rank(examples[index].id, seed))
    return found
