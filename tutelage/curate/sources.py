"""The files a Dataset is made from, and the suites it must not hold a part of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tutelage.core.conversation import Message
from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, RecipeError, RowError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Benchmark, Curate, Recipe, Suite
from tutelage.core.row import Example, Source
from tutelage.curate.sieve import STAGE
from tutelage.store.ingest import (
    Ingested,
    Refused,
    digest_of,
    digests_of,
    file_of,
    parts_of,
    read_examples,
    rows_error,
    uri_of,
)
from tutelage.store.ingest.records import Record, records

TAGS = ("intent", "domain", "difficulty")  # by which prompts are counted, where they have them
FIX_SOURCE = "fix them, or set `curate.invalid: reject`"
FIX_SUITE = "fix them: a suite is never measured in part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A file of evaluation items, read for comparison with the rows."""

    name: str  # of the suite or benchmark
    file: Ingested

    @property
    def tasks(self) -> list[Example]:
        """Its items as Examples; in a suite the last message is the expected answer."""
        return self.file.examples


def suites_of(recipe: Recipe) -> tuple[Suite, ...]:
    """The suites of the recipe, none where it has no `evaluate`."""
    return recipe.evaluate.suites if recipe.evaluate else ()


def digests(section: Curate, recipe: Recipe) -> dict[str, str]:
    """SHA-256 of every file curation reads, by the names provenance uses.

    Raises: RowError with every file that is missing.
    """
    files = [("source", one.path) for one in section.sources]
    files += [("suite", one.path) for one in suites_of(recipe)]
    files += [("benchmark", one.path) for one in section.leakage.benchmarks]
    files += [("expected", section.expected.path)] if section.expected else []
    if recipe.contract.output_schema is not None:
        files.append(("schema", recipe.contract.output_schema))
    if section.opt_out is not None:
        files.append(("opt_out", section.opt_out))
    return digests_of(files, recipe)


def refuse_changed(section: Curate, recipe: Recipe, before: Mapping[str, str]) -> None:
    """Stops a curation whose files are no longer those of its key.

    Raises: RowError naming each file that was written to while it was read.
    """
    now = digests(section, recipe)
    rows = [
        BadRow(where=name.partition(":")[2], problem="has other bytes than when curation began")
        for name, digest in now.items()
        if before.get(name) != digest
    ]
    if rows:
        hint = "run again once nothing writes to them"
        raise RowError("files were changed while they were read", rows=rows, hint=hint)


def output_schema(recipe: Recipe) -> Json:
    """The contract's output schema, None where it names none.

    Raises: RecipeError if the file is not JSON.
    """
    written = recipe.contract.output_schema
    if written is None:
        return None
    try:
        schema: Json = msgspec.json.decode(file_of(written, recipe).read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{written} is not JSON: {error}", where="contract.output_schema"
        ) from error
    return schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A source whose rows lie on a shelf, and what they say of themselves."""

    file: Ingested  # without its rows
    rows: int
    licences: frozenset[str]
    origins: frozenset[str]
    bases: frozenset[str]  # what the licences rest on


def read_suites(recipe: Recipe) -> list[Asked]:
    """Every suite's tasks.

    Raises: RowError with all bad rows of all suites.
    """
    return _whole(
        [Asked(name=one.name, file=read_examples(one, recipe)) for one in suites_of(recipe)]
    )


def read_benchmarks(section: Curate, recipe: Recipe) -> list[Asked]:
    """Every benchmark's items.

    Raises: RowError with all bad rows of all benchmarks.
    """
    return _whole(
        [
            Asked(name=uri_of(one.path), file=_items(one, recipe))
            for one in section.leakage.benchmarks
        ]
    )


def read_expected(section: Curate, recipe: Recipe) -> list[Example]:
    """The prompts expected in production, none where the recipe names no file.

    Raises: RowError with all bad rows.
    """
    return [] if section.expected is None else read_prompts(section.expected, recipe)


def read_prompts(prompts: Benchmark, recipe: Recipe) -> list[Example]:
    """The prompts of a file as Examples, which may have no answers.

    Raises: RowError with all bad rows.
    """
    file = _items(prompts, recipe)
    (asked,) = _whole([Asked(name=file.uri, file=file)])
    return asked.tasks


def _whole(asked: list[Asked]) -> list[Asked]:
    files = [one.file for one in asked]
    if any(file.refused for file in files):
        raise rows_error(files, "used as tasks", FIX_SUITE)
    return asked


def _items(benchmark: Benchmark, recipe: Recipe) -> Ingested:
    """The items of a benchmark, which may have no answers: one column's text, or its texts."""
    if benchmark.prompt is None:
        return read_examples(benchmark, recipe)
    parts = parts_of(benchmark.path, recipe)
    examples: list[Example] = []
    refused: list[Refused] = []
    read = ((file, one) for file in parts for one in records(file.path, file.uri))
    for part, one in read:
        words = one.value.get(benchmark.prompt) if isinstance(one, Record) else None
        said = [words] if isinstance(words, str) else words
        if isinstance(one, Refused):
            refused.append(one)
        elif isinstance(said, list) and said and all(isinstance(turn, str) for turn in said):
            examples.append(_item(said, one.value, Source(uri=part.uri, line=one.line)))
        else:
            problem = f"column `{benchmark.prompt}` holds no text; it has {', '.join(one.value)}"
            fault = Refused(
                line=one.line, reason=Reason.MISSING_FIELD, problem=problem, text=one.text
            )
            refused.append(fault)
    return Ingested(
        uri=uri_of(benchmark.path),
        file_digest=digest_of(parts),
        layout="fields",
        examples=examples,
        refused=refused,
        files=len(parts),
    )


def _item(said: list[str], columns: Mapping[str, Any], source: Source) -> Example:
    turns = tuple(Message(role="user", content=turn) for turn in said)
    tags = {name: str(columns[name]) for name in TAGS if columns.get(name) is not None}
    return Example(messages=turns, origin="human", licence="", source=source, tags=tags)


def rejections(files: Sequence[Ingested]) -> list[dict[str, Any]]:
    """The bad rows as they are kept on file."""
    return [
        {
            "schema": 1,
            "where": file.uri_of(row),
            "reason": str(row.reason),
            "problem": row.problem,
            "text": row.text,
        }
        for file in files
        for row in file.refused
    ]


def refused_entries(files: list[Ingested]) -> list[LedgerEntry]:
    """The ledger's entries of bad rows, named by file and line."""
    return [
        LedgerEntry(
            row=file.uri_of(row),
            stage=STAGE,
            decision=Decision.DROP,
            reason=row.reason,
            detail=row.problem,
        )
        for file in files
        for row in file.refused
    ]
