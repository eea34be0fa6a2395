"""Rows outside of memory: packed in a file that goes with the process, read back by their place."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, cast, overload

import msgspec
import numpy as np

from tutelage.core.conversation import Message, Role, ToolCall
from tutelage.core.review import Review
from tutelage.core.row import Example, Generator, Origin, Source, Split
from tutelage.screen.ngrams import Indices

PART_ROWS = 1 << 13  # that are worked on together
END = b"\n"


class Call(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """A tool call as it lies on the shelf; it says what a ToolCall says."""

    name: str
    arguments: dict[str, Any]
    id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The call as plain JSON, without what is not set."""
        return ToolCall(name=self.name, arguments=self.arguments, id=self.id).to_dict()


class Turn(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """A message as it lies on the shelf; it says what a Message says."""

    role: Role
    content: str
    reasoning: str | None = None
    tool_calls: tuple[Call, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None
    train: bool | None = None
    weight: float = 1.0


class Line(msgspec.Struct, array_like=True, frozen=True):
    """A row as it lies on the shelf; its texts, tools, tags and author are where a row has them."""

    id: str
    messages: tuple[Turn, ...]
    tools: tuple[dict[str, Any], ...]
    chosen: tuple[Turn, ...]
    rejected: tuple[Turn, ...]
    origin: Origin
    licence: str
    licence_basis: str | None
    source: tuple[str, int, str]
    author: str | None
    consent_key: str | None
    editor: str | None
    parents: tuple[str, ...]
    generator: dict[str, Any] | None
    tags: dict[str, str]
    split: Split | None
    stage: str | None
    weight: float
    reviews: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Some rows as bytes, a line each, and what goes with them to whoever works on them."""

    lines: bytes
    count: int
    first: int = 0  # where they begin among the rows they are a part of
    more: Any = None

    def examples(self) -> list[Example]:
        """The rows."""
        return [_unpacked(one) for one in self._each()]

    def texts(self) -> list[Example]:
        """The rows for whoever reads texts, tools, tags and author alone; made faster."""
        return cast("list[Example]", list(self._each()))

    def _each(self) -> Iterator[Line]:
        return map(msgspec.json.Decoder(Line).decode, self.lines.splitlines())


def packed(example: Example) -> bytes:
    """A row as one line: JSON, for its numbers are of any size."""
    made, source = example.generator, example.source
    form = Line(
        example.id,
        _turns(example.messages),
        cast("tuple[dict[str, Any], ...]", example.tools),
        _turns(example.chosen),
        _turns(example.rejected),
        example.origin,
        example.licence,
        example.licence_basis,
        (source.uri, source.line, source.digest),
        example.author,
        example.consent_key,
        example.editor,
        example.parents,
        None if made is None else made.to_dict(),
        cast("dict[str, str]", example.tags),
        example.split,
        example.stage,
        example.weight,
        tuple(one.to_dict() for one in example.reviews),
    )
    return msgspec.json.encode(form) + END


def _turns(messages: Sequence[Message]) -> tuple[Turn, ...]:
    return tuple(
        Turn(
            one.role,
            one.content,
            one.reasoning,
            tuple(Call(call.name, dict(call.arguments), call.id) for call in one.tool_calls),
            one.tool_call_id,
            one.name,
            one.train,
            one.weight,
        )
        for one in messages
    )


def _messages(turns: Sequence[Turn]) -> tuple[Message, ...]:
    return tuple(
        Message(
            role=one.role,
            content=one.content,
            reasoning=one.reasoning,
            tool_calls=tuple(
                ToolCall(name=call.name, arguments=call.arguments, id=call.id)
                for call in one.tool_calls
            ),
            tool_call_id=one.tool_call_id,
            name=one.name,
            train=one.train,
            weight=one.weight,
        )
        for one in turns
    )


def _unpacked(line: Line) -> Example:
    uri, number, digest = line.source
    return Example(
        id=line.id,
        messages=_messages(line.messages),
        tools=line.tools,
        chosen=_messages(line.chosen),
        rejected=_messages(line.rejected),
        origin=line.origin,
        licence=line.licence,
        licence_basis=line.licence_basis,
        source=Source(uri=uri, line=number, digest=digest),
        author=line.author,
        consent_key=line.consent_key,
        generator=None if line.generator is None else Generator.from_dict(line.generator),
        parents=line.parents,
        editor=line.editor,
        tags=line.tags,
        split=line.split,
        stage=line.stage,
        weight=line.weight,
        reviews=tuple(map(Review.from_dict, line.reviews)),
    )


def nameless(folder: Path | None) -> IO[bytes]:
    """A file that goes with the process, or where no folder is given memory that is used alike."""
    if folder is None:
        return BytesIO()
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


class Shelf:
    """Packed rows in a file without a name, or in memory; a row that is replaced is added anew."""

    def __init__(self, folder: Path | None = None) -> None:
        self._file = nameless(folder)
        self._begins, self._sizes = array("q"), array("q")
        self._end = 0
        self._writing = False  # whether the file stands at its end
        self.traits: Any = None  # of all rows by place, once they are known

    def __len__(self) -> int:
        return len(self._begins)

    def add(self, line: bytes) -> None:
        """One row more."""
        self._begins.append(self._written(line))
        self._sizes.append(len(line))

    def replace(self, place: int, line: bytes) -> None:
        """Another row in the place of one."""
        self._begins[place] = self._written(line)
        self._sizes[place] = len(line)

    def lines(self, places: Indices) -> bytes:
        """The rows of these places, in their order."""
        self._writing = False
        begins = np.frombuffer(self._begins, dtype=np.int64)[places]
        ends = begins + np.frombuffer(self._sizes, dtype=np.int64)[places]
        opens = np.flatnonzero(np.concatenate([[True], begins[1:] != ends[:-1]])[: len(begins)])
        found = []
        for begin, end in zip(
            begins[opens].tolist(), ends[np.append(opens[1:], len(ends)) - 1].tolist(), strict=True
        ):
            self._file.seek(begin)
            found.append(self._file.read(end - begin))
        return b"".join(found)

    def close(self) -> None:
        """Lets go of the file, which is then gone."""
        self._file.close()

    def _written(self, line: bytes) -> int:
        if not self._writing:
            self._file.seek(0, 2)
            self._writing = True
        self._file.write(line)
        begin, self._end = self._end, self._end + len(line)
        return begin


class Rows(Sequence[Example]):
    """Some of a shelf's rows, unpacked when they are looked at."""

    def __init__(self, shelf: Shelf, places: Indices) -> None:
        self.shelf = shelf
        self.places = places

    @classmethod
    def of(cls, examples: Iterable[Example]) -> Rows:
        """Rows that are in memory already; those of a shelf as they are."""
        if isinstance(examples, Rows):
            return examples
        shelf = Shelf()
        for one in examples:
            shelf.add(packed(one))
        return cls(shelf, np.arange(len(shelf)))

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return self.some(range(*index.indices(len(self))))
        (found,) = self.some([index])
        return found

    def __iter__(self) -> Iterator[Example]:
        for part in self.parts():
            yield from part.examples()

    def some(self, indices: Sequence[int] | Indices) -> list[Example]:
        """Those of these indices, in their order."""
        return self.packed(np.asarray(indices, dtype=np.int64)).examples()

    def packed(self, indices: Indices, more: Any = None, first: int = 0) -> Packed:
        """Those of these indices, in their order, as bytes."""
        lines = self.shelf.lines(self.places[indices])
        return Packed(lines=lines, count=len(indices), first=first, more=more)

    def take(self, chosen: Any) -> Rows:
        """Those of a mask or of indices."""
        return Rows(self.shelf, self.places[chosen])

    def parts(self, rows: int = PART_ROWS) -> Iterator[Packed]:
        """All of them, so many at a time."""
        for begin in range(0, len(self), rows):
            indices = np.arange(begin, min(begin + rows, len(self)))
            yield self.packed(indices, first=begin)
