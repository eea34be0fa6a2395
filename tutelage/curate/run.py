"""The door of `curate`: sources in, a dataset out."""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from tutelage.core.artifact import Provenance
from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import LedgerEntry, tally
from tutelage.core.progress import Tick
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate import screening
from tutelage.curate.card import Curated, card
from tutelage.curate.card import text as card_text
from tutelage.curate.checks import answered, conflicts, drop_unsound, outside_schema
from tutelage.curate.consent import Withheld, under_pseudonyms, withheld
from tutelage.curate.decontaminate import Leaks, apart, held_out, leaks, tasks_of
from tutelage.curate.dedup import Repeats, exact, near
from tutelage.curate.mix import Mixed, mix, over_limit, source_of
from tutelage.curate.page import page
from tutelage.curate.pairs import Pair, side_by_side
from tutelage.curate.parts import Parts
from tutelage.curate.planted import planting_of
from tutelage.curate.quality import Looked, quality
from tutelage.curate.reviewed import inputs_of, section_of, synthetic_form
from tutelage.curate.sides import questions
from tutelage.curate.sieve import STAGE, Sieve
from tutelage.curate.sources import (
    digests,
    output_schema,
    read,
    read_benchmarks,
    read_expected,
    read_suites,
    refused_entries,
    rejections,
    suites_of,
)
from tutelage.curate.split import Placed, grouped, split
from tutelage.screen.screener import Screener
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.ingest import Ingested, uri_of
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import DROPPED, LEDGER, ROWS, write_ledger, write_rows

VERSION = 5  # raised when the same sources come to another dataset
CARD = "card.md"
CARD_JSON = "card.json"
CARD_HTML = "card.html"
REJECTED = "rejected.jsonl"  # lines that never became a row, there if any was
STEPS = 6


def run(section: Curate, inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """The dataset: rows with their split, the ledger of every row read, and the card.

    Raises: RowError for files that are missing, for bad rows where `invalid` is `fail`,
        and where no row is left.
    """
    provenance = Provenance(
        kind="dataset",
        inputs={name: artifact.digest for name, artifact in inputs.items()}
        | digests(section, run.recipe)
        | inputs_of(run),
        section=_section(section, run),
        stage_version=VERSION,
        seeds=run.seeds("curate.rows", "curate.split", "curate.stages"),
    )
    parts = Parts(run=run, key=provenance.key)
    if run.force:
        parts.clear()
    with uncollected():
        made = run.make(STAGE, provenance, lambda draft: _build(section, run, draft, parts))
    parts.clear()
    return made


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for cycles: rows have none, and it goes through all of them every time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _section(section: Curate, run: Run) -> dict[str, Any]:
    """What decides the dataset besides the files, without folders of this machine."""
    form = section.model_dump(mode="json")
    form["screen"]["key"] = screening.mark(screening.ready(section.screen, run.recipe))
    if section.screen.key_file is not None:
        form["screen"]["key_file"] = uri_of(section.screen.key_file)
    for benchmark in form["leakage"]["benchmarks"]:
        benchmark["path"] = uri_of(benchmark["path"])
    for source in form["sources"]:
        source["path"] = uri_of(source["path"])
    if section.expected is not None:
        form["expected"]["path"] = uri_of(section.expected.path)
    if section.opt_out is not None:
        form["opt_out"] = uri_of(section.opt_out)
    form["suites"] = [
        {**suite.model_dump(mode="json", include={"format", "fields"}), "path": uri_of(suite.path)}
        for suite in suites_of(run.recipe)
    ]
    return section_of(form, section)


def _build(section: Curate, run: Run, draft: Draft, parts: Parts) -> None:
    _tick(run, 0)
    key = screening.ready(section.screen, run.recipe)
    files = read(section, run.recipe, lambda rows: _tick(run, 0, rows))
    kept_back = withheld(files, section, run.recipe)
    files = under_pseudonyms(files, key) if section.people == "pseudonymise" else files
    screener = Screener(section.screen, key)
    looked = screening.screen(files, screener, parts)
    asked = [*read_suites(run.recipe), *read_benchmarks(section, run.recipe)]
    suites = screening.screened(asked, screener)
    expected = read_expected(section, run.recipe)
    _tick(run, 1)
    sieve = Sieve(
        kept=[example for file in looked.files for example in file.examples],
        entries=refused_entries(files),
        flags=looked.flags,
    )
    _withhold(sieve, kept_back, looked.drop)
    drop_unsound(sieve, section, output_schema(run.recipe))
    repeats = _repeats(sieve, section, parts)
    _tick(run, 2)
    found = parts.kept("leaks", 0, Leaks, partial(leaks, sieve.kept, suites, section, sieve.asked))
    pairs = side_by_side(sieve.kept, tasks_of(suites), found)
    sieve.flags += found.review.values()
    sieve.drop(found.drop)
    _tick(run, 3)
    sieve.drop(over_limit(sieve.kept, section.rows, run.generator("curate.rows")))
    _refuse_empty(sieve)
    placed = _placed(sieve, section, run, parts, pairs)
    answers = answered(sieve.kept)
    unsound = _outside_schema(sieve, run)
    sieve.flags += [*conflicts(sieve.kept, answers), *(unsound or [])]
    seen = Looked(answers=answers, expected=expected, outside_schema=unsound)
    mixed = _mixed(placed.examples, looked.files, section, run)
    sieve.drop(mixed.left)
    _tick(run, 4)
    ledger = sieve.ledger()
    form = card(
        Curated(
            name=run.recipe.name,
            files=looked.files,
            suites=suites,
            placed=replace(placed, examples=mixed.examples),
            ledger=ledger,
            stages=mixed.counts,
            findings=screening.counts(looked.tally),
            repeats=repeats,
            pairs=pairs,
            quality=quality(mixed.examples, seen),
            canaries=section.canaries,
        )
    ) | synthetic_form(run, mixed.examples)
    _tick(run, 5)
    canaries, told = planting_of(section, run)
    ledger += told
    _write(draft, [*mixed.examples, *canaries], sieve, ledger, form)
    _write_rejected(draft, files, screener)
    _count(draft, form, ledger, mixed.counts)
    _warn(run, form)
    _tick(run, STEPS)


def _withhold(sieve: Sieve, kept_back: Withheld, found: Mapping[int, LedgerEntry]) -> None:
    """Takes out what was taken back, then what licence or findings forbid."""
    gone = sorted(kept_back.opted_out)
    others = {**found, **kept_back.licences}
    others = {
        place - bisect_left(gone, place): told
        for place, told in others.items()
        if place not in kept_back.opted_out
    }
    sieve.withdraw(kept_back.opted_out)
    sieve.drop(others)


def _repeats(sieve: Sieve, section: Curate, parts: Parts) -> dict[str, int]:
    """Takes out rows that repeat others; how many do in one side alone."""
    sieve.drop(exact(sieve.kept))
    sieve.asked = questions(sieve.kept)
    if not section.duplicates.near:
        return {}
    found = parts.kept(
        "near", 0, Repeats, partial(near, sieve.kept, section.duplicates, sieve.asked)
    )
    sieve.flags += found.flags
    sieve.drop(found.rows | found.alone)
    return found.counts


def _outside_schema(sieve: Sieve, run: Run) -> list[LedgerEntry] | None:
    schema = output_schema(run.recipe)
    return None if schema is None else list(outside_schema(sieve.kept, schema).values())


def _placed(sieve: Sieve, section: Curate, run: Run, parts: Parts, pairs: list[Pair]) -> Placed:
    """The split without rows to train on that hold a row held out, which `pairs` gets."""
    groups = parts.kept("groups", 0, list[int], partial(grouped, sieve.kept, section, sieve.asked))
    placed = split(sieve.kept, section, run.seed("curate.split"), sieve.asked, groups)
    across = parts.kept("held_out", 0, Leaks, partial(held_out, placed.examples, section))
    pairs += side_by_side(placed.examples, apart(placed.examples), across)
    sieve.drop(across.drop)
    stays = [one for index, one in enumerate(placed.examples) if index not in across.drop]
    return replace(placed, examples=stays)


def _mixed(examples: list[Example], files: list[Ingested], section: Curate, run: Run) -> Mixed:
    names = source_of(files, section)
    called = [names[one.id, one.source] for one in examples]
    return mix(examples, called, section, run.seed("curate.stages"))


def _write(
    draft: Draft,
    rows: list[Example],
    sieve: Sieve,
    ledger: list[LedgerEntry],
    form: Mapping[str, Any],
) -> None:
    write_rows(draft.folder / ROWS, rows)
    write_rows(draft.folder / DROPPED, sieve.dropped)
    write_ledger(draft.folder / LEDGER, ledger)
    (draft.folder / CARD_JSON).write_bytes(pretty(form))
    (draft.folder / CARD).write_text(card_text(form), encoding="utf-8")
    (draft.folder / CARD_HTML).write_text(page(card_text(form), form["name"]), encoding="utf-8")


def _count(
    draft: Draft,
    form: Mapping[str, Any],
    ledger: list[LedgerEntry],
    stages: Mapping[str, Mapping[str, int]],
) -> None:
    draft.counts |= {**form["rows"], **form["splits"], "groups": form["groups"]["count"]}
    draft.counts |= tally(ledger)
    draft.counts |= {
        f"found.{one['detector']}.{one['kind']}.{one['action']}": one["rows"]
        for one in form["findings"]
    }
    draft.counts |= {
        f"stage.{stage}.{source}": count
        for stage, counts in stages.items()
        for source, count in counts.items()
    }


def _refuse_empty(sieve: Sieve) -> None:
    if not sieve.kept:
        counts = ", ".join(f"{name} {count:,}" for name, count in tally(sieve.entries).items())
        rows = [BadRow(where=one.row, problem=one.detail) for one in sieve.entries]
        raise RowError(
            f"no row is left to teach: {counts}",
            where="curate",
            rows=rows,
            hint="the rows of `curate.sources` must differ from the suites', and some must be good",
        )


def _write_rejected(draft: Draft, files: list[Ingested], screener: Screener) -> None:
    lines = [msgspec.json.encode(form) + b"\n" for form in rejections(files, screener.clean)]
    if lines:
        (draft.folder / REJECTED).write_bytes(b"".join(lines))


def _warn(run: Run, form: Mapping[str, Any]) -> None:
    rejected = sum(source["rejected"] for source in form["sources"])
    if rejected:
        run.progress.warn(f"{rejected:,} bad rows were left out; {REJECTED} has each with its line")
    if form["groups"]["largest"] > 0.5 * form["rows"]["kept"]:
        run.progress.warn(
            f"one group has {form['groups']['largest']:,} of {form['rows']['kept']:,} rows: "
            "the split cannot be even"
        )


def _tick(run: Run, done: int, rows: int = 0) -> None:
    figures = {"rows_read": float(rows)} if rows else {}
    tick = Tick(stage=STAGE, done=done, total=STEPS, unit="steps", figures=figures)
    run.progress.tick(tick)
