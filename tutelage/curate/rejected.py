"""Bad rows as they are kept on file: without what is taken out of rows, and without names.

A line that never became a row still holds somebody's words. Where people are under pseudonyms,
those of its columns are, too, and a line in which they cannot be told apart is not kept at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from tutelage.core.finding import Finding
from tutelage.core.recipe import Curate, SourceFile
from tutelage.curate.parts import Parts
from tutelage.curate.screening import kept_marks
from tutelage.screen.people import disguised
from tutelage.screen.screener import Screener
from tutelage.store.ingest import Ingested, Refused
from tutelage.store.opt_outs import OptOuts, plain, text_digest

PEOPLE = ("author", "editor", "consent_key", "reviews.reviewer")
QUOTED = re.compile(r"`[^`]*`")
TAKEN_BACK = "(left out: it is taken back)"
UNREADABLE = "(left out: names in it cannot be told from words)"


@dataclass(frozen=True, slots=True)
class Rejecting:
    """What becomes of bad rows before they are kept on file."""

    section: Curate
    screener: Screener
    outs: OptOuts
    key: bytes

    def files(self, files: list[Ingested], parts: Parts | None = None) -> list[Ingested]:
        """The files with their bad rows as they may be kept."""
        bare = [
            replace(file, refused=[self._bare(row, source) for row in file.refused])
            for file, source in zip(files, self.section.sources, strict=True)
        ]
        said = [words for file in bare for row in file.refused for words in (row.problem, row.text)]
        if not said:
            return bare
        look = partial(self.screener.marks_of, said)
        marks = kept_marks(parts, "rejected", 0, list[list[Finding]], look, self.screener)
        clean = iter(map(self.screener.clean, said, marks))
        return [
            replace(
                file,
                refused=[
                    replace(row, problem=next(clean), text=next(clean)) for row in file.refused
                ],
            )
            for file in bare
        ]

    def _bare(self, row: Refused, source: SourceFile) -> Refused:
        """A bad row without its words where they were taken back, and without names."""
        form = _object(row.text)
        places = _places(source)
        if form is not None and self._taken_back(form, places):
            return replace(row, problem=QUOTED.sub("`…`", row.problem), text=TAKEN_BACK)
        if self.section.people == "keep":
            return row
        problem = QUOTED.sub("`…`", row.problem) if form is None else row.problem
        if form is None:
            return replace(row, problem=problem, text=UNREADABLE)
        hidden = {name: self._hidden(name, value, places) for name, value in form.items()}
        return replace(row, problem=problem, text=msgspec.json.encode(hidden).decode())

    def _hidden(self, name: str, value: Any, places: set[str]) -> Any:
        if isinstance(value, Mapping):
            inner = {at: self._hidden(f"{name}.{at}", one, places) for at, one in value.items()}
            return inner
        if isinstance(value, list):
            return [self._hidden(name, one, places) for one in value]
        if name in places and value not in (None, ""):
            return disguised(plain(str(value)) or "", self.key)
        return value

    def _taken_back(self, form: Mapping[str, Any], places: set[str]) -> bool:
        listed = self.outs.keys | self.outs.authors
        flat = list(_flat("", form))
        if any(name in places and plain(str(value)) in listed for name, value in flat):
            return True
        said = (value for _, value in flat if isinstance(value, str) and self.outs.digests)
        return any({value, text_digest(value)} & self.outs.digests for value in said)


def _places(source: SourceFile) -> set[str]:
    """The columns in which a source names people."""
    columns = (source.author, source.columns.editor, source.columns.consent_key)
    return {*PEOPLE, *(name for name in columns if name is not None)}


def _object(text: str) -> dict[str, Any] | None:
    try:
        form = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return form if isinstance(form, dict) else None


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every value inside a value, by its dotted name."""
    if isinstance(value, Mapping):
        for inner, one in value.items():
            yield from _flat(f"{name}.{inner}" if name else inner, one)
    elif isinstance(value, list):
        for one in value:
            yield from _flat(name, one)
    else:
        yield name, value
