"""The door of `curate`: sources in, a dataset out."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from tutelage.core.artifact import Provenance
from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import Decision, LedgerEntry, Reason, tally
from tutelage.core.progress import Tick
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate import screening
from tutelage.curate.card import Curated, card
from tutelage.curate.card import text as card_text
from tutelage.curate.checks import conflicts, outside_schema
from tutelage.curate.consent import Withheld, under_pseudonyms, withheld
from tutelage.curate.decontaminate import Leaks, held_out, leaks
from tutelage.curate.dedup import exact, near
from tutelage.curate.mix import Mixed, mix, source_of
from tutelage.curate.pairs import side_by_side
from tutelage.curate.sieve import STAGE, Sieve, entry
from tutelage.curate.sources import (
    Asked,
    digests,
    output_schema,
    read,
    read_benchmarks,
    read_suites,
    refused_entries,
    rejections,
    suites_of,
)
from tutelage.curate.split import Placed, split
from tutelage.score.canaries import planted
from tutelage.screen.screener import Screener
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.ingest import Ingested, uri_of
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import DROPPED, LEDGER, ROWS, write_ledger, write_rows

VERSION = 4  # raised when the same sources come to another dataset
CARD = "card.md"
CARD_JSON = "card.json"
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
        | digests(section, run.recipe),
        section=_section(section, run),
        stage_version=VERSION,
        seeds=run.seeds("curate.rows", "curate.split", "curate.stages"),
    )
    return run.make(STAGE, provenance, lambda draft: _build(section, run, draft))


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
    if section.opt_out is not None:
        form["opt_out"] = uri_of(section.opt_out)
    form["suites"] = [
        {**suite.model_dump(mode="json", include={"format", "fields"}), "path": uri_of(suite.path)}
        for suite in suites_of(run.recipe)
    ]
    return form


def _build(section: Curate, run: Run, draft: Draft) -> None:
    _tick(run, 0)
    key = screening.ready(section.screen, run.recipe)
    files = read(section, run.recipe, lambda rows: _tick(run, 0, rows))
    kept_back = withheld(files, section, run.recipe)
    files = under_pseudonyms(files, key) if section.people == "pseudonymise" else files
    screener = Screener(section.screen, key)
    looked = screening.screen(files, screener)
    suites = screening.screened(_asked(section, run), screener)
    _tick(run, 1)
    sieve = Sieve(
        kept=[example for file in looked.files for example in file.examples],
        entries=refused_entries(files),
        flags=looked.flags,
    )
    _withhold(sieve, kept_back, looked.drop)
    repeats = _repeats(sieve, section)
    _tick(run, 2)
    found = leaks(sieve.kept, suites, section)
    pairs = side_by_side(sieve.kept, found)
    sieve.flags += found.review.values()
    sieve.drop(found.drop)
    _tick(run, 3)
    sieve.drop(_over_limit(sieve.kept, section.rows, run))
    _refuse_empty(sieve)
    placed = split(sieve.kept, section, run.seed("curate.split"))
    across = held_out(placed.examples, section)
    pairs += side_by_side(placed.examples, across)
    placed = _clear(sieve, placed, across)
    sieve.flags += conflicts(sieve.kept)
    sieve.flags += _outside_schema(sieve, run)
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
            canaries=section.canaries,
        )
    )
    _tick(run, 5)
    planting = _planted(section, run)
    ledger += [entry(row, Decision.KEEP, Reason.CANARY) for row in planting]
    _write(draft, [*mixed.examples, *planting], sieve, ledger, form)
    _write_rejected(draft, files, screener)
    _count(draft, form, ledger, mixed.counts)
    _warn(run, form)
    _tick(run, STEPS)


def _asked(section: Curate, run: Run) -> list[Asked]:
    return [*read_suites(run.recipe), *read_benchmarks(section, run.recipe)]


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


def _repeats(sieve: Sieve, section: Curate) -> dict[str, int]:
    """Takes out rows that repeat others; how many do in one side alone."""
    sieve.drop(exact(sieve.kept))
    if not section.duplicates.near:
        return {}
    found = near(sieve.kept, section.duplicates)
    sieve.flags += found.flags
    sieve.drop(found.rows | found.alone)
    return found.counts


def _outside_schema(sieve: Sieve, run: Run) -> list[LedgerEntry]:
    schema = output_schema(run.recipe)
    return [] if schema is None else outside_schema(sieve.kept, schema)


def _clear(sieve: Sieve, placed: Placed, across: Leaks) -> Placed:
    """The split without rows to train on that hold a row held out."""
    sieve.drop(across.drop)
    stays = [one for index, one in enumerate(placed.examples) if index not in across.drop]
    return replace(placed, examples=stays)


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


def _mixed(rows: Sequence[Example], files: Sequence[Ingested], section: Curate, run: Run) -> Mixed:
    names = source_of(files, section)
    called = [names[one.id, one.source] for one in rows]
    return mix(rows, called, section, run.seed("curate.stages"))


def _planted(section: Curate, run: Run) -> list[Example]:
    """Canaries for the training split, in the last stage where there are several."""
    if section.canaries is None:
        return []
    last = section.stages[-1].name if section.stages else None
    found = planted(section.canaries, run.recipe.seed, last)
    run.progress.warn(f"{len(found)} rows are canaries: leave `curate.canaries` out of what ships")
    return found


def _over_limit(kept: list[Example], rows: int | None, run: Run) -> dict[int, LedgerEntry]:
    """The rows beyond `curate.rows`, after a seeded shuffle."""
    if rows is None or rows >= len(kept):
        return {}
    shuffled = run.generator("curate.rows").permutation(len(kept))
    detail = f"is not among the {rows:,} rows of curate.rows"
    return {
        index: entry(kept[index], Decision.DROP, Reason.OVER_LIMIT, detail)
        for index in shuffled[rows:].tolist()
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
