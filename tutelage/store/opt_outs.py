"""What people have taken back: their keys, their names, their texts, and the rows these mean."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tutelage.core.errors import BadRow, RowError
from tutelage.core.recipe import Recipe
from tutelage.core.row import Example
from tutelage.store.ingest import Refused, parts_of
from tutelage.store.ingest.records import Record, records

COLUMNS = ("consent_key", "author", "digest")
PARENT = "the row it was made from"
PSEUDONYM = re.compile(r"^\[PERSON_[0-9a-f]{12}\]$")
DIGEST = re.compile(r"^(?:[0-9a-f]{64}|[0-9a-f]{32})$")  # of a text, or a row's id


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOuts:
    """All that was taken back."""

    keys: frozenset[str] = frozenset()
    authors: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()  # SHA-256 of a text, or ids of rows
    # by column and what rows may have in it: the entries of the list that mean it
    listed: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)

    def because(self, example: Example) -> str:
        """Why a row may not be used, empty where it may."""
        if plain(example.consent_key) in self.keys:
            return "its consent key"
        if plain(example.author) in self.authors or plain(example.editor) in self.authors:
            return "its author"
        if self.digests and (example.id in self.digests or self._holds(example)):
            return "its text"
        if not self.digests.isdisjoint(example.parents):
            return PARENT
        return ""

    def met(self, example: Example) -> set[str]:
        """The entries of the list that mean this row itself."""
        said = {("consent_key", plain(example.consent_key))}
        said |= {("author", plain(name)) for name in (example.author, example.editor)}
        if self.digests:
            digests = {example.id, *example.parents, *map(text_digest, _texts(example))}
            said |= {("digest", one) for one in digests & self.digests}
        found = ((name, one) for name, one in said if one is not None)
        return {entry for one in found for entry in self.listed.get(one, ())}

    def unmet(self, met: Collection[str]) -> int:
        """How many entries mean none of the rows whose entries these are."""
        return len(frozenset().union(*self.listed.values()).difference(met))

    def names(self) -> list[str]:
        """The keys and authors that are listed as they are, not as pseudonyms."""
        return [one for one in (*self.keys, *self.authors) if not PSEUDONYM.match(one)]

    def _holds(self, example: Example) -> bool:
        return any(text_digest(text) in self.digests for text in _texts(example))


def plain(name: str | None) -> str | None:
    """A name or key as it is compared: without outer blanks, its signs composed."""
    if name is None:
        return None
    bare = name.strip()
    return bare if bare.isascii() else unicodedata.normalize("NFC", bare)


def with_children(
    taken: Mapping[str, str], parents: Iterable[tuple[str, Sequence[str]]]
) -> dict[str, str]:
    """Why rows may not be used, by id: also those made from one of them, however far down.

    `parents` are rows with the ids of those they were made from.
    """
    found = dict(taken)
    waiting = [(row, above) for row, above in parents if above]
    while True:
        fresh = {row: PARENT for row, above in waiting if row not in found and found.keys() & above}
        if not fresh:
            return found
        found |= fresh


def text_digest(text: str) -> str:
    """By what a text is opted out without being shown: SHA-256 of it without outer blanks."""
    return hashlib.sha256(text.strip().encode(errors="surrogatepass")).hexdigest()


def read_opt_outs(
    written: str, recipe: Recipe, disguise: Callable[[str], Sequence[str]] | None = None
) -> OptOuts:
    """The list in a file: rows with `consent_key`, `author`, or `digest` of a text or a row.

    Rows may carry pseudonyms: `disguise` gives those of a name, which then count as well.

    Raises: RowError with every bad row, for a list is never followed in part.
    """
    found: dict[tuple[str, str], set[str]] = {}  # by column and what rows may have in it
    bad: list[BadRow] = []
    parts = parts_of(written, recipe)
    read = ((file, one) for file in parts for one in records(file.path, file.uri))
    for part, one in read:
        problem = one.problem if isinstance(one, Refused) else _problem(one.value)
        if problem:
            bad.append(BadRow(where=f"{part.uri}:{one.line}", problem=problem))
        elif isinstance(one, Record):
            for means, entry in _entries(one.value, disguise):
                found.setdefault(means, set()).add(entry)
    if bad:
        raise RowError("the list of opt-outs cannot be read whole", where=written, rows=bad)
    forms = {name: frozenset(form for own, form in found if own == name) for name in COLUMNS}
    return OptOuts(
        keys=forms["consent_key"],
        authors=forms["author"],
        digests=forms["digest"],
        listed={one: frozenset(entries) for one, entries in found.items()},
    )


def _entries(
    row: dict[str, Any], disguise: Callable[[str], Sequence[str]] | None
) -> Iterator[tuple[tuple[str, str], str]]:
    """What rows may have in which column, with the entry of the list that says so."""
    for name in COLUMNS:
        if _given(row.get(name)):
            for form in _forms(name, row[name], disguise):
                yield (name, form), f"{name} {plain(row[name])}"


def _forms(column: str, said: str, disguise: Callable[[str], Sequence[str]] | None) -> set[str]:
    """What rows may have for an entry of the list: itself, and pseudonyms of a name.

    Those of older datasets were of the name as a row had it, its signs composed or not.
    """
    bare = plain(said) or ""
    if disguise is None or column == "digest":
        return {bare}
    written = {bare, said, unicodedata.normalize("NFD", bare)}
    return {bare, *(hidden for one in written for hidden in disguise(one))}


def _problem(row: dict[str, Any]) -> str:
    values = {name: row[name] for name in COLUMNS if _given(row.get(name))}
    if not values:
        return f"it has none of {', '.join(COLUMNS)}; it has {', '.join(row) or 'nothing'}"
    for name, value in values.items():
        if not isinstance(value, str):
            return f"`{name}` is no text"
    if "digest" in values and not DIGEST.match(values["digest"].strip()):
        return "`digest` is neither SHA-256 of a text (64 hexadecimal digits) nor a row's id (32)"
    return ""


def _texts(example: Example) -> Iterator[str]:
    """What was said in a row: words, reasoning, arguments of calls."""
    for message in (*example.messages, *example.chosen, *example.rejected):
        yield message.content
        if message.reasoning is not None:
            yield message.reasoning
        for call in message.tool_calls:
            yield from _strings(call.arguments)


def _strings(form: Any) -> Iterator[str]:
    if isinstance(form, str):
        yield form
    elif isinstance(form, Mapping):
        for value in form.values():
            yield from _strings(value)
    elif isinstance(form, list | tuple):
        for value in form:
            yield from _strings(value)


def _given(value: Any) -> bool:
    """Whether a cell holds anything."""
    return value is not None and not (isinstance(value, str) and not value.strip())
