"""The road of one curation: rows onto a shelf, what is decided of them, the dataset's files."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain

import numpy as np

from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate import screening
from tutelage.curate.apart import placed_apart, unmet
from tutelage.curate.card import Curated, card
from tutelage.curate.checks import answered, conflicts, drop_unsound, outside_schema
from tutelage.curate.consent import Withheld, under_pseudonyms, withhold
from tutelage.curate.decontaminate import Leaks, leaks, tasks_of
from tutelage.curate.dedup import Repeats, exact, near
from tutelage.curate.descent import Descent
from tutelage.curate.intake import Intake, ends_of
from tutelage.curate.mix import Mixed, mix, over_limit
from tutelage.curate.pairs import Pair, side_by_side
from tutelage.curate.parts import Parts
from tutelage.curate.passes import Passes
from tutelage.curate.planted import planting_of
from tutelage.curate.quality import Looked, quality
from tutelage.curate.rejected import Rejecting
from tutelage.curate.reviewed import synthetic_form
from tutelage.curate.runner import enough, opened
from tutelage.curate.screening import Annotating, Outcome, Tally
from tutelage.curate.shelf import Rows, Shelf, stretches
from tutelage.curate.sieve import Sieve, refuse_empty
from tutelage.curate.sources import (
    Asked,
    Taken,
    output_schema,
    read_benchmarks,
    read_expected,
    read_suites,
    refuse_changed,
    refused_entries,
)
from tutelage.curate.split import Placed, Placing
from tutelage.curate.spread import encoder_of
from tutelage.curate.ticker import STEPS, Ticker
from tutelage.curate.tokens import Count, base_of, counter
from tutelage.curate.written import (
    Sides,
    count,
    warn,
    write_card,
    write_dropped,
    write_kept,
    write_ledger_of,
    write_rejected,
)
from tutelage.screen.ngrams import Indices
from tutelage.screen.screener import Screener
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import DROPPED, LEDGER, ROWS

Inputs = Mapping[str, str]  # digests by name


@dataclass(slots=True, kw_only=True)
class Road:
    """What the steps of one curation share."""

    section: Curate
    run: Run
    parts: Parts
    passes: Passes
    ticker: Ticker
    sieve: Sieve
    taken: list[Taken]
    before: Inputs  # the files' digests as curation began
    tokens: Count | None
    suites: list[Asked] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    spanless: int = 0  # evaluation items without a span of their own
    opt_outs: Mapping[str, int] = field(default_factory=dict)  # entries listed, and of no row

    @property
    def ends(self) -> list[int]:
        """The places at which the rows of each file end."""
        return ends_of(self.taken)

    def file_of(self, rows: Rows) -> Indices:
        """The number of the file each row was read from."""
        return np.searchsorted(self.ends, rows.places, side="right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of the rows, and what is told of it."""

    kept: Rows  # in the order of their stages
    placed: Placed
    mixed: Mixed
    repeats: dict[str, int]
    tally: Tally
    looked: Looked


def build(section: Curate, run: Run, draft: Draft, parts: Parts, before: Inputs) -> None:
    """Fills the draft with a dataset of files that had the digests `before`.

    Raises: RowError for files that are missing, for bad rows where `invalid` is `fail`,
        and where no row is left.
    """
    ticker = Ticker(run=run)
    ticker.begin(0)
    key = screening.ready(section.screen, run.recipe)
    base = base_of(section, run.recipe)
    with ExitStack() as ends:
        shelf = Shelf(run.store.temp)
        ends.callback(shelf.close)
        kept_back = Withheld.by(section, run.recipe, key)

        def each(example: Example, place: int) -> Example:
            kept_back.look(example, place)
            if section.people != "pseudonymise":
                return example
            hidden = under_pseudonyms(example, key)
            kept_back.look_again(hidden, place)
            return hidden

        intake = Intake(
            section=section, recipe=run.recipe, shelf=shelf, each=each, told=ticker.read
        )
        waiting = intake.parts(section.scale.part_rows)
        if section.screen.detectors:  # which are asked once it is known that all can be read
            deque(waiting, maxlen=0)
            waiting = stretches(shelf, ends_of(intake.taken), section.scale.part_rows)
        head = list(enough(waiting))
        passes = Passes(
            runner=ends.enter_context(opened(section.scale, sum(one.count for one in head))),
            parts=parts,
            part_rows=section.scale.part_rows,
            folder=run.store.temp,
            told=ticker.went,
        )
        placing = Placing(section=section, seed=run.seed("curate.split"))
        work = Annotating(section=section.screen, key=key, placing=placing)
        rows = ticker.over(chain(head, waiting), shelf)
        looked = screening.screen_parts(shelf, rows, work, passes)
        road = Road(
            section=section,
            run=run,
            parts=parts,
            passes=passes,
            ticker=ticker,
            sieve=Sieve(kept=Rows(shelf, np.arange(len(shelf)))),
            taken=intake.taken,
            before=before,
            tokens=None if base is None else counter(base),
        )
        _write(road, _decide(road, looked, kept_back, key), draft)


def _decide(road: Road, looked: Outcome, kept_back: Withheld, key: bytes) -> Decided:
    """What becomes of every row."""
    section, run, sieve, ticker = road.section, road.run, road.sieve, road.ticker
    screener = Screener(section.screen, key)
    sieve.flags += looked.flags
    asked = [*read_suites(run.recipe), *read_benchmarks(section, run.recipe)]
    road.suites = screening.screened(asked, screener, road.parts)
    expected = read_expected(section, run.recipe)
    refuse_changed(section, run.recipe, road.before)
    _reject(road, Rejecting(section, screener, kept_back.outs, key))
    ticker.begin(1, len(sieve.kept))
    withhold(sieve, kept_back, looked)
    road.opt_outs = kept_back.counts(run.progress)
    schema = output_schema(run.recipe)
    drop_unsound(sieve, section, schema)
    repeats = _repeats(road)
    ticker.begin(2, len(sieve.kept))
    _leaks(road)
    ticker.begin(3, len(sieve.kept), passes=3)
    sieve.drop(over_limit(sieve.kept, section.rows, run.seed("curate.rows")))
    refuse_empty(sieve)
    descent = Descent.of(sieve.kept, kept_back.parents, looked.was, sieve.entries)
    placed = _placed(road, descent)
    answers = answered(sieve.kept)
    sieve.flags += conflicts(sieve.kept, answers)
    unsound = None if schema is None else list(outside_schema(sieve.kept, schema).values())
    sieve.flags += unsound or []
    mixed = _mixed(road, placed)
    kept = sieve.kept.take(mixed.order)
    sieve.drop(mixed.left)
    return Decided(
        kept=kept,
        placed=placed.of(mixed.order),
        mixed=mixed,
        repeats=repeats,
        tally=looked.tally,
        looked=Looked(
            answers=answers,
            expected=expected,
            outside_schema=unsound,
            tokens=road.tokens,
            encoder=encoder_of(section, run.recipe),
        ),
    )


def _write(road: Road, decided: Decided, draft: Draft) -> None:
    """The files of the dataset, and what is counted of it."""
    run, mixed, kept = road.run, decided.mixed, decided.kept
    road.ticker.begin(4, len(kept))
    canaries, told = planting_of(road.section, run)
    sides = Sides(held=decided.placed.held, stages=mixed.stages)
    words = bool(decided.looked.expected)
    sizes = write_kept(draft.folder / ROWS, kept, sides, canaries, road.passes, words)
    road.ticker.begin(5)
    ledger = road.sieve.decided()
    form = card(
        Curated(
            name=run.recipe.name,
            sources=road.taken,
            kept_of=np.bincount(road.file_of(kept), minlength=len(road.ends)).tolist(),
            suites=road.suites,
            rows=sizes,
            placed=decided.placed,
            ledger=ledger,
            stages=mixed.counts,
            findings=screening.counts(decided.tally),
            repeats=decided.repeats,
            pairs=road.pairs,
            spanless=road.spanless,
            opt_outs=road.opt_outs,
            quality=quality(kept, sizes, decided.looked),
            canaries=road.section.canaries,
        )
    )
    made = any({"synthetic", "human_edited"} & one.origins for one in road.taken)
    form |= synthetic_form(run, kept if made else ())
    write_dropped(draft.folder / DROPPED, road.sieve.left_out(), road.passes)
    write_ledger_of(draft.folder / LEDGER, ledger, road.sieve, told)
    write_card(draft.folder, form)
    write_rejected(draft.folder, [one.file for one in road.taken])
    count(draft, form, [*ledger, *told], mixed.counts)
    missed = screening.without_effect(road.section.screen, decided.tally)
    warn(run, form, missed + unmet(road.section, form))
    road.ticker.begin(STEPS)


def _reject(road: Road, rejecting: Rejecting) -> None:
    """Leaves of the bad rows what may be kept, and tells why they were refused."""
    files = rejecting.files([one.file for one in road.taken], road.parts)
    road.taken = [replace(one, file=file) for one, file in zip(road.taken, files, strict=True)]
    road.sieve.entries = refused_entries(files)


def _repeats(road: Road) -> dict[str, int]:
    """Takes out rows that repeat others; how many do in one side alone."""
    sieve, duplicates = road.sieve, road.section.duplicates
    sieve.drop(exact(sieve.kept))
    if not duplicates.near:
        return {}
    make = partial(near, sieve.kept, duplicates, road.passes)
    found = road.parts.kept("near", 0, Repeats, make)
    sieve.flags += found.flags
    sieve.drop(found.rows | found.alone)
    return found.counts


def _leaks(road: Road) -> None:
    """Takes out rows that hold evaluation items."""
    sieve = road.sieve
    make = partial(leaks, sieve.kept, road.suites, road.section, road.passes)
    found = road.parts.kept("leaks", 0, Leaks, make)
    road.pairs += side_by_side(sieve.kept, tasks_of(road.suites), found)
    road.spanless = found.spanless
    sieve.flags += found.review.values()
    sieve.drop(found.drop)


def _placed(road: Road, descent: Descent) -> Placed:
    """The split without rows that stand, in other words, on the other side as well."""
    seed, parts = road.run.seed("curate.split"), road.parts
    placed, pairs = placed_apart(road.sieve, road.section, seed, road.passes, parts, descent)
    road.pairs += pairs
    return placed


def _mixed(road: Road, placed: Placed) -> Mixed:
    called = [source.called for source in road.section.sources]
    files = road.file_of(road.sieve.kept).tolist() if road.section.stages else []
    names = [called[number] for number in files]
    seed = road.run.seed("curate.stages")
    return mix(road.sieve.kept, placed.held, names, road.section, seed)
