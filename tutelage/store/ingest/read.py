"""Files of rows to Examples: `curate`, `evaluate` and `check` read them by the same door."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from tutelage.core.digest import file_digest
from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Format, Reading, Recipe
from tutelage.core.row import ORIGINS, Example, Origin, Source
from tutelage.store.ingest.fault import Fault, column, listed, optional_text, text, weight
from tutelage.store.ingest.layouts import Laid, detect, lay
from tutelage.store.ingest.records import Record, Refused, records
from tutelage.store.ingest.shape import check, check_answer

LOOKED_AT = 100  # rows, to know the layout of a file
PLACES = ("consent_key", "generator", "editor")  # of the canonical row, each one text
CANONICAL = ("origin", "licence", "license", "parents", "weight", "author", *PLACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """A file of rows, read: the Examples, and the rows that cannot be used."""

    uri: str  # as the recipe writes it
    file_digest: str  # SHA-256
    examples: list[Example]
    refused: list[Refused] = field(default_factory=list)

    @property
    def bad(self) -> list[BadRow]:
        """The rows that cannot be used, as errors name them."""
        return [BadRow(where=f"line {row.line}", problem=row.problem) for row in self.refused]


def read_examples(
    reading: Reading,
    recipe: Recipe,
    *,
    origin: Origin = "human",
    licence: str = "",
    author: str | None = None,
) -> Ingested:
    """Every row of a file as an Example, or as refused with the reason.

    `author` is the column that names each row's author. Rows in the `messages` layout
    may name an origin, a licence and so on of their own.

    Raises: RowError if the file is missing or cannot be read as a whole.
    """
    path = file_of(reading.path, recipe)
    uri = uri_of(reading.path)
    try:
        digest = file_digest(path)
        found = list(records(path, uri))
    except OSError as error:
        raise RowError(f"cannot be read: {error.strerror}", where=uri) from error
    if not found:
        raise RowError("the file has no rows", where=uri)
    layout = reading.format
    if layout == "auto":
        rows = [one.value for one in islice(found, LOOKED_AT) if isinstance(one, Record)]
        layout = "fields" if reading.fields else detect(rows, uri) if rows else "messages"
    reader = _Reader(
        reading=reading,
        layout=layout,
        origin=origin,
        licence=licence,
        author=author,
        uri=uri,
        digest=digest,
    )
    examples: list[Example] = []
    refused: list[Refused] = []
    for one in found:
        row = reader.example(one) if isinstance(one, Record) else one
        if isinstance(row, Example):
            examples.append(row)
        else:
            refused.append(row)
    return Ingested(uri=uri, file_digest=digest, examples=examples, refused=refused)


def file_of(written: str, recipe: Recipe) -> Path:
    """The file a path in the recipe leads to.

    Raises: RowError with the nearest names if there is none.
    """
    path = recipe.path(written)
    if path.is_file():
        return path
    if path.is_dir():
        raise RowError("this is a folder; expected a file of rows", where=written)
    if path.exists() or path.is_symlink():
        raise RowError(
            "this is no regular file, or a link that leads nowhere",
            where=written,
            expected="a file of rows",
        )
    folder = path.parent
    if not folder.is_dir():
        raise RowError(
            f"there is no folder `{Path(written).parent}`",
            where=written,
            hint="paths are relative to the recipe's folder",
        )
    names = sorted(other.name for other in folder.iterdir() if other.is_file())
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f"did you mean `{close[0]}`?" if close else ""
    raise RowError(
        "there is no such file",
        where=written,
        expected=f"one of {', '.join(names[:10])}" if names and not close else "",
        hint=hint or "paths are relative to the recipe's folder",
    )


def uri_of(written: str) -> str:
    """How artifacts name a file: as the recipe does, without folders of this machine."""
    path = Path(written)
    return path.name if path.is_absolute() or written.startswith("~") else path.as_posix()


def digests_of(files: Iterable[tuple[str, str]], recipe: Recipe) -> dict[str, str]:
    """SHA-256 of every file, by the names provenance uses: `role:uri`.

    `files` are a role (`source`, `suite`, `schema`) and a path as the recipe writes it.

    Raises: RowError with every file that is missing.
    """
    found: dict[str, str] = {}
    missing: list[RowError] = []
    for role, written in files:
        try:
            digest = file_digest(file_of(written, recipe))
        except RowError as error:
            missing.append(error)
            continue
        name = f"{role}:{uri_of(written)}"
        while found.get(name, digest) != digest:  # two files of one name, in two folders
            name += "'"
        found[name] = digest
    if len(missing) == 1:
        raise missing[0]
    if missing:
        rows = [
            BadRow(where=error.where, problem=f"{error.message}; {error.hint}") for error in missing
        ]
        raise RowError(f"{len(missing)} files are missing", rows=rows)
    return found


def rows_error(files: Sequence[Ingested], verb: str, hint: str) -> RowError:
    """The error of all bad rows of all files together; `verb` is such as `taught`."""
    bad = [file for file in files if file.refused]
    count = sum(len(file.refused) for file in bad)
    rows = "1 row" if count == 1 else f"{count:,} rows"
    if len(bad) == 1:
        return RowError(f"{rows} of {bad[0].uri} cannot be {verb}", rows=bad[0].bad, hint=hint)
    named = [
        BadRow(where=f"{file.uri}:{row.line}", problem=row.problem)
        for file in bad
        for row in file.refused
    ]
    return RowError(f"{rows} of {len(bad)} files cannot be {verb}", rows=named, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Rows of one file to Examples."""

    reading: Reading
    layout: Format
    origin: Origin
    licence: str
    author: str | None
    uri: str
    digest: str

    def example(self, record: Record) -> Example | Refused:
        """The row's Example, or what is wrong with it."""
        try:
            return self._example(record)
        except Fault as fault:
            return Refused(
                line=record.line, reason=fault.reason, problem=fault.message, text=record.text
            )

    def _example(self, record: Record) -> Example:
        row = record.value
        own = CANONICAL if self.layout == "messages" else ()
        kept = {*own, *((self.author,) if self.author else ())}
        laid = lay(row, self.layout, self.reading.fields, kept)
        _check(laid)
        canonical = {name: row[name] for name in own if row.get(name) is not None}
        parents = listed(canonical.get("parents", []), "`parents`")
        places = {name: optional_text(canonical.get(name), f"`{name}`") for name in PLACES}
        return Example(
            messages=laid.messages,
            tools=laid.tools,
            chosen=laid.chosen,
            rejected=laid.rejected,
            origin=_origin(canonical.get("origin", self.origin)),
            licence=_licence(canonical, self.licence),
            source=Source(uri=self.uri, line=record.line, digest=self.digest),
            author=self._author(row, canonical),
            consent_key=places["consent_key"],
            generator=places["generator"],
            editor=places["editor"],
            parents=tuple(text(parent, "one of `parents`") for parent in parents),
            tags=laid.tags,
            weight=weight(canonical.get("weight"), "`weight`"),
        )

    def _author(self, row: dict[str, Any], canonical: dict[str, Any]) -> str | None:
        if self.author is None:
            return optional_text(canonical.get("author"), "`author`")
        return optional_text(column(row, self.author), f"column `{self.author}`")


def _check(laid: Laid) -> None:
    preference = bool(laid.chosen or laid.rejected)
    check(laid.messages, preference=preference)
    if preference:
        check_answer(laid.chosen, " of `chosen`")
        check_answer(laid.rejected, " of `rejected`")


def _origin(value: object) -> Origin:
    if value not in ORIGINS:
        raise Fault(
            Reason.MISSING_ORIGIN, f"origin `{value}`; expected one of {', '.join(ORIGINS)}"
        )
    return value


def _licence(canonical: dict[str, Any], default: str) -> str:
    named = [canonical[name] for name in ("licence", "license") if name in canonical]
    if len(named) > 1:
        raise Fault(Reason.MISSING_LICENCE, "it has `licence` and `license`; expected one")
    return text(named[0], "`licence`") if named else default
