"""What people have taken back: their keys, their names, their texts, and the rows these mean."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
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

    def because(self, example: Example) -> str:
        """Why a row may not be used, empty where it may."""
        if example.consent_key in self.keys:
            return "its consent key"
        if example.author in self.authors or example.editor in self.authors:
            return "its author"
        if self.digests and (example.id in self.digests or self._holds(example)):
            return "its text"
        if not self.digests.isdisjoint(example.parents):
            return PARENT
        return ""

    def names(self) -> list[str]:
        """The keys and authors that are listed as they are, not as pseudonyms."""
        return [one for one in (*self.keys, *self.authors) if not PSEUDONYM.match(one)]

    def _holds(self, example: Example) -> bool:
        said = (*example.messages, *example.chosen, *example.rejected)
        return any(text_digest(message.content) in self.digests for message in said)


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
    found: dict[str, set[str]] = {name: set() for name in COLUMNS}
    bad: list[BadRow] = []
    parts = parts_of(written, recipe)
    read = ((file, one) for file in parts for one in records(file.path, file.uri))
    for part, one in read:
        problem = one.problem if isinstance(one, Refused) else _problem(one.value)
        if problem:
            bad.append(BadRow(where=f"{part.uri}:{one.line}", problem=problem))
        elif isinstance(one, Record):
            for name in (name for name in COLUMNS if one.value.get(name)):
                found[name].add(one.value[name])
    if bad:
        raise RowError("the list of opt-outs cannot be read whole", where=written, rows=bad)
    if disguise is not None:
        for name in ("consent_key", "author"):
            found[name] |= {hidden for value in found[name] for hidden in disguise(value)}
    return OptOuts(
        keys=frozenset(found["consent_key"]),
        authors=frozenset(found["author"]),
        digests=frozenset(found["digest"]),
    )


def _problem(row: dict[str, Any]) -> str:
    values = {name: row[name] for name in COLUMNS if row.get(name) not in (None, "")}
    if not values:
        return f"it has none of {', '.join(COLUMNS)}; it has {', '.join(row) or 'nothing'}"
    for name, value in values.items():
        if not isinstance(value, str):
            return f"`{name}` is no text"
    if "digest" in values and not DIGEST.match(values["digest"]):
        return "`digest` is neither SHA-256 of a text (64 hexadecimal digits) nor a row's id (32)"
    return ""
