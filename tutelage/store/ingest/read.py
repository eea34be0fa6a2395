"""Files of rows to Examples: `curate`, `evaluate` and `check` read them by the same door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from tutelage.core.digest import file_digest
from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Format, Reading, Recipe, Suite
from tutelage.core.row import ORIGINS, Example, Origin, Source
from tutelage.store.ingest.detect import detect
from tutelage.store.ingest.fault import (
    Fault,
    column,
    listed,
    mapping,
    optional_text,
    refuse_unknown,
    text,
    weight,
)
from tutelage.store.ingest.files import file_of, uri_of
from tutelage.store.ingest.laid import Laid
from tutelage.store.ingest.layouts import lay
from tutelage.store.ingest.options import choice, held_out
from tutelage.store.ingest.records import Record, Refused, records
from tutelage.store.ingest.shape import check, check_answer

LOOKED_AT = 100  # rows, to know the layout of a file
PLACES = ("consent_key", "generator", "editor")  # of the canonical row, each one text
CANONICAL = ("origin", "licence", "license", "parents", "weight", "author", *PLACES)
OWN = ("messages", "row")  # layouts whose rows may say these themselves
OF_EVENT = "event:"  # begins the uri of a row made from an event


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """A file of rows, read: the Examples, and the rows that cannot be used."""

    uri: str  # as the recipe writes it
    file_digest: str  # SHA-256
    layout: Format  # in which its rows were read
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
    may name an origin, a licence and so on of their own; those in the `row` layout do,
    and one made from an event keeps that event as its source.

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
        plain = (
            "fields" if reading.fields or (isinstance(reading, Suite) and reading.weighed) else ""
        )
        layout = plain or (detect(rows, uri) if rows else "messages")
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
    return Ingested(uri=uri, file_digest=digest, layout=layout, examples=examples, refused=refused)


def example_of(form: dict[str, Any], uri: str, line: int) -> Example:
    """One row of our own layout as an Example; `uri` and `line` say where it stands.

    Raises: Fault for what is wrong with it.
    """
    reader = _Reader(
        reading=Reading(path=uri, format="row"),
        layout="row",
        origin="human",
        licence="",
        author=None,
        uri=uri,
        digest="",
    )
    return reader.checked(Record(line=line, value=form, text=""))


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
            return self.checked(record)
        except Fault as fault:
            return Refused(
                line=record.line, reason=fault.reason, problem=fault.message, text=record.text
            )

    def checked(self, record: Record) -> Example:
        """The row's Example.

        Raises: Fault.
        """
        row = record.value
        own = CANONICAL if self.layout in OWN else ()
        kept = {*own, *((self.author,) if self.author else ())}
        laid = self._laid(row, kept)
        _check(laid, tasks=isinstance(self.reading, Suite))
        canonical = {name: row[name] for name in own if row.get(name) is not None}
        parents = listed(canonical.get("parents", []), "`parents`")
        places = {name: optional_text(canonical.get(name), f"`{name}`") for name in PLACES}
        example = Example(
            messages=laid.messages,
            tools=laid.tools,
            chosen=laid.chosen,
            rejected=laid.rejected,
            origin=_origin(canonical.get("origin", self.origin)),
            licence=_licence(canonical, self.licence),
            source=self._source(row, record.line),
            author=self._author(row, canonical),
            consent_key=places["consent_key"],
            generator=places["generator"],
            editor=places["editor"],
            parents=tuple(text(parent, "one of `parents`") for parent in parents),
            tags=laid.tags,
            weight=weight(canonical.get("weight"), "`weight`"),
        )
        _check_id(row.get("id") if self.layout == "row" else None, example)
        return example

    def _laid(self, row: dict[str, Any], kept: set[str]) -> Laid:
        suite = self.reading if isinstance(self.reading, Suite) else None
        if suite is not None and suite.choices is not None:
            return choice(row, suite.choices)
        if suite is not None and suite.text is not None:
            return held_out(row, suite.text)
        return lay(row, self.layout, self.reading.fields, kept)

    def _source(self, row: dict[str, Any], line: int) -> Source:
        """The event the row was made from, else the place in this file."""
        here = Source(uri=self.uri, line=line, digest=self.digest)
        if self.layout != "row" or row.get("source") is None:
            return here
        form = mapping(row["source"], "`source`")
        refuse_unknown(form, ("uri", "line", "digest"), "`source`")
        uri = text(form.get("uri"), "`uri` of `source`")
        if not uri.startswith(OF_EVENT):
            return here
        digest = optional_text(form.get("digest"), "`digest` of `source`")
        return Source(uri=uri, line=0, digest=digest or "")

    def _author(self, row: dict[str, Any], canonical: dict[str, Any]) -> str | None:
        if self.author is None:
            return optional_text(canonical.get("author"), "`author`")
        return optional_text(column(row, self.author), f"column `{self.author}`")


def _check_id(written: object, example: Example) -> None:
    """Refuses a row whose content was changed after it was named."""
    if written is not None and written != example.id:
        raise Fault(
            Reason.WRONG_TYPE,
            f"`id` is {written}, its content's is {example.id}; expected them equal, or no `id`",
        )


def _check(laid: Laid, *, tasks: bool) -> None:
    preference = bool(laid.chosen or laid.rejected)
    check(laid.messages, preference=preference, asked=tasks)
    if preference:
        check_answer(laid.chosen, " of `chosen`")
        check_answer(laid.rejected, " of `rejected`")
        if laid.chosen == laid.rejected:
            raise Fault(
                Reason.CONFLICTING_LABEL, "`chosen` and `rejected` are the same; expected two"
            )


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
