"""The door of `curate`: sources in, a dataset out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from tutelage.core.artifact import Provenance
from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import Decision, LedgerEntry, Reason, tally
from tutelage.core.progress import Tick
from tutelage.core.recipe import Curate
from tutelage.core.row import Example
from tutelage.curate.card import Curated, card
from tutelage.curate.card import text as card_text
from tutelage.curate.checks import conflicts, outside_schema
from tutelage.curate.decontaminate import leaks
from tutelage.curate.dedup import exact, near
from tutelage.curate.mix import mix, source_of
from tutelage.curate.sieve import STAGE, Sieve, entry
from tutelage.curate.sources import (
    digests,
    output_schema,
    read,
    read_suites,
    refused_entries,
    rejections,
    suites_of,
)
from tutelage.curate.split import split
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.ingest import Ingested, uri_of
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import LEDGER, ROWS, write_ledger, write_rows

VERSION = 2  # raised when the same sources come to another dataset
CARD = "card.md"
CARD_JSON = "card.json"
DROPPED = "dropped.parquet"  # the rows left out, as whole as those kept
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
    for source in form["sources"]:
        source["path"] = uri_of(source["path"])
    form["suites"] = [
        {**suite.model_dump(mode="json", include={"format", "fields"}), "path": uri_of(suite.path)}
        for suite in suites_of(run.recipe)
    ]
    return form


def _build(section: Curate, run: Run, draft: Draft) -> None:
    _tick(run, 0)
    files = read(section, run.recipe)
    suites = read_suites(run.recipe)
    sieve = Sieve(
        kept=[example for file in files for example in file.examples],
        entries=refused_entries(files),
    )
    _tick(run, 1)
    sieve.drop(exact(sieve.kept))
    if section.duplicates.near:
        sieve.drop(near(sieve.kept, section.duplicates.jaccard))
    _tick(run, 2)
    found = leaks(sieve.kept, suites, section)
    sieve.flags += found.review.values()
    sieve.drop(found.drop)
    _tick(run, 3)
    sieve.drop(_over_limit(sieve.kept, section.rows, run))
    sieve.flags += conflicts(sieve.kept)
    schema = output_schema(run.recipe)
    if schema is not None:
        sieve.flags += outside_schema(sieve.kept, schema)
    _refuse_empty(sieve)
    placed = split(sieve.kept, section, run.seed("curate.split"))
    names = source_of(files, section)
    mixed = mix(
        placed.examples,
        [names[one.id, one.source] for one in placed.examples],
        section,
        run.seed("curate.stages"),
    )
    sieve.drop(mixed.left)
    _tick(run, 4)
    ledger = sieve.ledger()
    form = card(
        Curated(
            name=run.recipe.name,
            files=files,
            suites=suites,
            placed=replace(placed, examples=mixed.examples),
            ledger=ledger,
            stages=mixed.counts,
        )
    )
    _tick(run, 5)
    write_rows(draft.folder / ROWS, mixed.examples)
    write_rows(draft.folder / DROPPED, sieve.dropped)
    write_ledger(draft.folder / LEDGER, ledger)
    _write_rejected(draft, files)
    (draft.folder / CARD_JSON).write_bytes(pretty(form))
    (draft.folder / CARD).write_text(card_text(form), encoding="utf-8")
    draft.counts |= {**form["rows"], **form["splits"], "groups": form["groups"]["count"]}
    draft.counts |= tally(ledger)
    draft.counts |= {
        f"stage.{stage}.{source}": count
        for stage, counts in mixed.counts.items()
        for source, count in counts.items()
    }
    _warn(run, form)
    _tick(run, STEPS)


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


def _write_rejected(draft: Draft, files: list[Ingested]) -> None:
    lines = [msgspec.json.encode(form) + b"\n" for form in rejections(files)]
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


def _tick(run: Run, done: int) -> None:
    run.progress.tick(Tick(stage=STAGE, done=done, total=STEPS, unit="steps"))
