"""Stages of training and what each is mixed from: exact counts, every row in one stage at most."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tutelage.core.errors import BadRow, RecipeError, RowError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Curate, Stage
from tutelage.core.row import Example
from tutelage.curate.shelf import Rows
from tutelage.curate.sieve import entry
from tutelage.curate.split import rank
from tutelage.curate.traits import named
from tutelage.screen.ngrams import Indices

Counts = dict[str, int]  # rows by source
GENERAL = (0.1, 0.3)  # shares of general rows that teams mix into a job's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Rows in the order of their stages, the rest, and counts by stage and source."""

    order: Indices  # of the rows that were given
    stages: Sequence[str] = ()  # of each row in that order, none where there are no stages
    left: dict[int, LedgerEntry] = field(default_factory=dict)  # by index in what was given
    counts: Mapping[str, Counts] = field(default_factory=dict)  # of the rows that are taught


def mix(
    rows: Rows, held: NDArray[np.bool_], names: Sequence[str], section: Curate, seed: int
) -> Mixed:
    """Gives every row its stage by `curate.stages`; without stages all rows are taken.

    `names` says which source each row is from, `held` which are held out.

    Of each source the rows with the least seeded hash go first, so that the order of a file
    does not matter and a row that is added moves few others. Rows held out are mixed in the
    same shares, as many as there are for it.

    Raises: RowError where a stage asks for more rows than its sources have; RecipeError where
        the length of two is open.
    """
    if not section.stages:
        return Mixed(order=np.arange(len(rows)))
    stage_of: dict[int, str] = {}
    taught: Mapping[str, Counts] = {}
    for apart in (False, True):
        waiting = _ranked(rows, np.flatnonzero(held == apart), names, seed)
        has = Counter({name: len(own) for name, own in waiting.items()})
        wanted = _held(section, taught, has) if apart else _planned(section.stages, has)
        for stage, counts in wanted.items():
            for source, count in counts.items():
                chosen, waiting[source] = waiting[source][:count], waiting[source][count:]
                stage_of |= dict.fromkeys(chosen, stage)
        taught = taught if apart else wanted
    order = {stage.name: number for number, stage in enumerate(section.stages)}
    kept = sorted(stage_of, key=lambda index: (order[stage_of[index]], index))
    detail = "is in no stage's share of its source"
    return Mixed(
        order=np.array(kept, dtype=np.int64),
        stages=[stage_of[index] for index in kept],
        left={
            index: entry(named(rows, index), Decision.DROP, Reason.NOT_MIXED, detail)
            for index in range(len(rows))
            if index not in stage_of
        },
        counts=taught,
    )


def told_of(section: Curate) -> tuple[str, bool]:
    """What the rows are mixed from, in words, and whether to think of general rows.

    Training on one job's rows alone takes other abilities away, full training most; a tenth to
    three tenths of general rows keep more of them. Which they are only the recipe's author knows.
    """
    staged = {name for stage in section.stages for name in stage.mix}
    if len(staged or section.sources) == 1:
        low, high = (f"{100 * share:.0f}" for share in GENERAL)
        told = f"all rows are of one source; {low} to {high} % of general rows (`curate.stages`) "
        return told + "keep more of what the base can do besides, which suites measure", True
    if not staged:
        rows = "as many rows as each has" if section.rows is None else f"{section.rows:,} rows"
        return f"{len(section.sources)} sources, {rows}", False
    return "; ".join(f"{one.name}: {_shares(one)}" for one in section.stages), False


def _shares(stage: Stage) -> str:
    total = sum(stage.mix.values())
    return ", ".join(f"{name} {100 * share / total:.3g} %" for name, share in stage.mix.items())


def over_limit(examples: Sequence[Example], rows: int | None, seed: int) -> dict[int, LedgerEntry]:
    """The rows beyond `curate.rows`: those with the least seeded hash stay, in any order."""
    kept = Rows.of(examples)
    if rows is None or rows >= len(kept):
        return {}
    ranked = sorted(range(len(kept)), key=lambda index: rank(named(kept, index).id, seed))
    detail = f"is not among the {rows:,} rows of curate.rows"
    return {
        index: entry(named(kept, index), Decision.DROP, Reason.OVER_LIMIT, detail)
        for index in ranked[rows:]
    }


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


def _held(
    section: Curate, taught: Mapping[str, Counts], has: Mapping[str, int]
) -> dict[str, Counts]:
    """What is held out of each stage: its shares of the rows there are, the scarcest deciding.

    It decides down to the stage's share of `curate.validation` alone, or a few rows fewer of a
    small source would leave nothing held out; a source that has less gives what it has.
    """
    users = Counter(name for stage in section.stages for name in stage.mix)
    turns: Counter[str] = Counter()
    found: dict[str, Counts] = {}
    for stage in section.stages:
        part = {
            name: has[name] // users[name] + (turns[name] < has[name] % users[name])
            for name in stage.mix
        }
        turns.update(stage.mix.keys())
        rows = sum(taught[stage.name].values())
        least = round(rows * section.validation / (1 - section.validation))
        shares = share_out(stage.mix, max(least, _longest(stage.mix, part, stage.mix)))
        found[stage.name] = {name: min(count, part[name]) for name, count in shares.items()}
    return found


def _ranked(rows: Rows, indices: Indices, names: Sequence[str], seed: int) -> dict[str, list[int]]:
    """The rows of each source on one side, in a seeded order."""
    found: defaultdict[str, list[tuple[tuple[int, str], int]]] = defaultdict(list)
    for index in indices.tolist():
        found[names[index]].append((rank(named(rows, index).id, seed), index))
    ranked: defaultdict[str, list[int]] = defaultdict(list)
    for name, own in found.items():
        ranked[name] = [index for _, index in sorted(own)]
    return ranked
