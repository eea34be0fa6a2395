"""Files of rows to Examples: `curate`, `evaluate` and `check` read them by the same door."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec

from tutelage.core.errors import BadRow, RowError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import Format, Reading, Recipe, Suite
from tutelage.core.row import Example, Source
from tutelage.store.ingest.detect import detect
from tutelage.store.ingest.fault import Fault, mapping, optional_text, refuse_unknown, text, weight
from tutelage.store.ingest.files import Part, digest_of, parts_of, uri_of
from tutelage.store.ingest.laid import Laid
from tutelage.store.ingest.layouts import lay
from tutelage.store.ingest.opened import plain_suffix
from tutelage.store.ingest.options import choice, held_out
from tutelage.store.ingest.policy import exemplars
from tutelage.store.ingest.provenance import OF_EVENT, Given, must_say, reviews_of, whence
from tutelage.store.ingest.records import COLUMNAR, Record, Refused, records
from tutelage.store.ingest.roles import with_roles
from tutelage.store.ingest.shape import check, check_answer
from tutelage.store.ingest.transcript import talks

LOOKED_AT = 100  # rows, to know the layout of a file
OWN = ("messages", "row", "transcript", "policy")  # layouts whose rows may say where they come from
TOLD_EVERY = 10_000  # rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """The rows of a source, read: the Examples, and the rows that cannot be used."""

    uri: str  # as the recipe writes it
    file_digest: str  # SHA-256
    layout: Format  # in which its rows were read
    examples: list[Example]
    refused: list[Refused] = field(default_factory=list)
    files: int = 1
    counted_in: str = "line"  # or `row`, where a file has no lines
    unused: Mapping[str, int] = field(default_factory=dict)  # lines of a transcript in no row

    @property
    def bad(self) -> list[BadRow]:
        """The rows that cannot be used, as errors name them."""
        named = self.uri_of if self.files > 1 else lambda row: f"{self.counted_in} {row.line}"
        return [BadRow(where=named(row), problem=row.problem) for row in self.refused]

    def uri_of(self, row: Refused) -> str:
        """A bad row's file and line."""
        return f"{row.uri or self.uri}:{row.line}"


def read_examples(
    reading: Reading,
    recipe: Recipe,
    told: Callable[[int], None] | None = None,
    through: Callable[[Rows], Iterable[Example | Refused]] = iter,
) -> Ingested:
    """Every row of a source as an Example, or as refused with the reason.

    A `SourceFile` says where its rows come from; rows in the `messages` layout may name an
    origin, a licence and so on of their own, those in the `row` layout do, and one made from
    an event keeps that event as its source. `told` hears how many rows were read so far, `through`
    may refuse more of them.

    Raises: RowError if the file is missing or cannot be read as a whole.
    """
    stream = Rows.open(reading, recipe)
    examples: list[Example] = []
    refused: list[Refused] = []
    for number, row in enumerate(through(stream), start=1):
        if isinstance(row, Example):
            examples.append(row)
        else:
            refused.append(row)
        if told is not None and number % TOLD_EVERY == 0:
            told(number)
    return Ingested(
        uri=stream.uri,
        file_digest=stream.digest,
        layout=stream.layout,
        examples=examples,
        refused=refused,
        files=len(stream.parts),
        counted_in=stream.counted_in,
        unused=dict(stream.unused),
    )


@dataclass(slots=True, kw_only=True)
class Rows:
    """The rows of a source, one by one: what is in memory does not grow with its files."""

    reading: Reading
    parts: list[Part]
    uri: str
    digest: str
    layout: Format
    unused: Counter[str] = field(default_factory=Counter)
    at: int = 0  # the row that came last: which of the files it stands in
    line: int = 0  # and its place there

    @classmethod
    def open(cls, reading: Reading, recipe: Recipe) -> Rows:
        """The rows of a file, of those of a pattern, or of a folder's.

        Raises: RowError if there is none.
        """
        try:
            parts = parts_of(reading.path, recipe)
        except OSError as error:
            where = uri_of(reading.path)
            raise RowError(f"cannot be read: {error.strerror}", where=where) from error
        return cls(
            reading=reading,
            parts=parts,
            uri=uri_of(reading.path),
            digest=digest_of(parts),
            layout=reading.format,
        )

    @property
    def part(self) -> Part:
        """The file of the row that came last."""
        return self.parts[self.at]

    @property
    def counted_in(self) -> str:
        """What the places in its files are."""
        return "row" if plain_suffix(self.parts[0].path) in COLUMNAR else "line"

    def __iter__(self) -> Iterator[Example | Refused]:
        """Raises: RowError if a file cannot be read as a whole, or there is no row."""
        given, empty = Given.by(self.reading), True
        for at, part in enumerate(self.parts):
            self.at, found = at, self._records(part)
            head = list(islice(found, LOOKED_AT))
            if head and self.layout == "auto":
                self.layout = self._detected(head)
            reader = _Reader(reading=self.reading, layout=self.layout, given=given, part=part)
            for one in chain(head, found):
                empty, self.line = False, one.line
                if isinstance(one, Refused):
                    yield replace(one, uri=part.uri)
                else:
                    yield reader.example(one)
        if empty:
            raise RowError("the file has no rows", where=self.uri)

    def _records(self, part: Part) -> Iterator[Record | Refused]:
        if self.reading.format == "transcript":
            return talks(part.path, part.uri, self.reading.roles, self.unused)
        if self.reading.format == "policy":
            return exemplars(part.path, part.uri)
        return records(part.path, part.uri)

    def _detected(self, head: Sequence[Record | Refused]) -> Format:
        rows = [one.value for one in head if isinstance(one, Record)]
        if self.reading.fields or (isinstance(self.reading, Suite) and self.reading.weighed):
            return "fields"
        return detect(rows, self.uri) if rows else "messages"


def example_of(form: dict[str, Any], uri: str, line: int) -> Example:
    """One row of our own layout as an Example; `uri` and `line` say where it stands.

    Raises: Fault for what is wrong with it.
    """
    reader = _Reader(
        reading=Reading(path=uri, format="row"),
        layout="row",
        given=Given(),
        part=Part(path=Path(uri), uri=uri, digest=""),
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
        BadRow(where=file.uri_of(row), problem=row.problem) for file in bad for row in file.refused
    ]
    return RowError(f"{rows} of {len(bad)} files cannot be {verb}", rows=named, hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Rows of one file to Examples."""

    reading: Reading
    layout: Format
    given: Given
    part: Part

    def example(self, record: Record) -> Example | Refused:
        """The row's Example, or what is wrong with it."""
        try:
            return self.checked(record)
        except Fault as fault:
            return Refused(
                line=record.line,
                reason=fault.reason,
                problem=fault.message,
                text=record.text or msgspec.json.encode(record.value).decode(),
                uri=self.part.uri,
            )

    def checked(self, record: Record) -> Example:
        """The row's Example.

        Raises: Fault.
        """
        row = record.value
        said = whence(row, self.given, own=self.layout in OWN)
        if self.reading.roles and self.layout != "transcript":
            row = with_roles(row, self.reading.roles)
        laid = self._laid(row, set(said.used))
        _check(laid, tasks=isinstance(self.reading, Suite))
        example = Example(
            messages=laid.messages,
            tools=laid.tools,
            chosen=laid.chosen,
            rejected=laid.rejected,
            origin=said.origin,
            licence=said.licence,
            licence_basis=said.licence_basis,
            source=self._source(row, record.line),
            author=said.author,
            consent_key=said.consent_key,
            generator=said.generator,
            editor=said.editor,
            parents=said.parents,
            reviews=reviews_of(row) if self.layout == "row" else (),
            tags=laid.tags,
            weight=weight(said.weight, "`weight`"),
        )
        _check_id(row.get("id") if self.layout == "row" else None, example)
        if self.given.taught:
            must_say(example)
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
        here = Source(uri=self.part.uri, line=line, digest=self.part.digest)
        if self.layout != "row" or row.get("source") is None:
            return here
        form = mapping(row["source"], "`source`")
        refuse_unknown(form, ("uri", "line", "digest"), "`source`")
        uri = text(form.get("uri"), "`uri` of `source`")
        if not uri.startswith(OF_EVENT):
            return here
        digest = optional_text(form.get("digest"), "`digest` of `source`")
        return Source(uri=uri, line=0, digest=digest or "")


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
