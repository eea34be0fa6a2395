"""The files a Dataset is made from, and the suites it must not hold a part of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tutelage.core.digest import Json
from tutelage.core.errors import RecipeError
from tutelage.core.ledger import Decision, LedgerEntry
from tutelage.core.recipe import Curate, Recipe, Suite
from tutelage.core.row import Example
from tutelage.curate.sieve import STAGE
from tutelage.store.ingest import Ingested, digests_of, file_of, read_examples, rows_error

FIX_SOURCE = "fix them, or set `curate.invalid: reject`"
FIX_SUITE = "fix them: a suite is never measured in part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A suite's tasks, read for comparison with the rows."""

    suite: Suite
    file: Ingested

    @property
    def tasks(self) -> list[Example]:
        """Its tasks as Examples; the last message is the expected answer."""
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
    if recipe.contract.output_schema is not None:
        files.append(("schema", recipe.contract.output_schema))
    return digests_of(files, recipe)


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


def read(section: Curate, recipe: Recipe) -> list[Ingested]:
    """Every source, read; with `invalid: fail` a bad row stops here.

    Raises: RowError with all bad rows of all sources.
    """
    files = [
        read_examples(
            source,
            recipe,
            origin=source.origin,
            licence=source.licence,
            author=source.author,
        )
        for source in section.sources
    ]
    if section.invalid == "fail" and any(file.refused for file in files):
        raise rows_error(files, "taught", FIX_SOURCE)
    return files


def read_suites(recipe: Recipe) -> list[Asked]:
    """Every suite's tasks.

    Raises: RowError with all bad rows of all suites.
    """
    asked = [Asked(suite=suite, file=read_examples(suite, recipe)) for suite in suites_of(recipe)]
    files = [one.file for one in asked]
    if any(file.refused for file in files):
        raise rows_error(files, "used as tasks", FIX_SUITE)
    return asked


def rejections(files: list[Ingested]) -> list[dict[str, Any]]:
    """The bad rows as they are kept on file, with their text."""
    return [
        {
            "schema": 1,
            "where": f"{file.uri}:{row.line}",
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
            row=f"{file.uri}:{row.line}",
            stage=STAGE,
            decision=Decision.DROP,
            reason=row.reason,
            detail=row.problem,
        )
        for file in files
        for row in file.refused
    ]
