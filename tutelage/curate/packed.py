"""Rows as bytes: how they lie on the shelf and travel to whoever works on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from tutelage.core.conversation import ASSISTANT, Message, Role, ToolCall
from tutelage.core.review import Review
from tutelage.core.row import Example, Generator, Origin, Source, Split
from tutelage.screen.rewrite import plain

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

    @property
    def taught(self) -> bool:
        """Whether this turn is to be taught where the assistant's are."""
        return self.role in ASSISTANT and self.train is not False and self.weight > 0


class Place(msgspec.Struct, array_like=True, frozen=True):
    """Where a row was read, as it lies on the shelf; it says what a Source says."""

    uri: str
    line: int
    digest: str

    def __str__(self) -> str:
        return str(Source(uri=self.uri, line=self.line))


class Line(msgspec.Struct, array_like=True, frozen=True):
    """A row as it lies on the shelf; whoever only reads it finds all that an Example has."""

    id: str
    messages: tuple[Turn, ...]
    tools: tuple[dict[str, Any], ...]
    chosen: tuple[Turn, ...]
    rejected: tuple[Turn, ...]
    origin: Origin
    licence: str
    licence_basis: str | None
    source: Place
    author: str | None
    consent_key: str | None
    editor: str | None
    parents: tuple[str, ...]
    made: dict[str, Any] | None
    tags: dict[str, str]
    split: Split | None
    stage: str | None
    weight: float
    reviewed: tuple[dict[str, Any], ...]

    @property
    def generator(self) -> Generator | None:
        """What wrote the row."""
        return None if self.made is None else Generator.from_dict(self.made)

    @property
    def reviews(self) -> tuple[Review, ...]:
        """What people decided on it."""
        return tuple(map(Review.from_dict, self.reviewed))


class Words(msgspec.Struct, array_like=True, frozen=True):
    """The sides of a row in comparable words, as they lie beside it."""

    request: str
    context: str
    answer: str
    chosen: str
    whole: bool  # whether all texts of the row stand in them as they are, and one asks at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """Some rows as bytes, a line each, and what goes with them to whoever works on them."""

    lines: bytes
    count: int
    first: int = 0  # where they begin among the rows they are a part of
    more: Any = None

    def examples(self) -> list[Example]:
        """The rows."""
        return [unpacked(one) for one in self._each()]

    def texts(self) -> list[Example]:
        """The rows for whoever only reads them; made faster, and told from others by no type."""
        return cast("list[Example]", list(self._each()))

    def words(self) -> list[Words]:
        """The sides that lie beside the rows, where these are what is packed."""
        return list(map(msgspec.json.Decoder(Words).decode, self.lines.splitlines()))

    def beside(self) -> list[Words]:
        """The sides that came with the rows."""
        return Packed(lines=self.more, count=self.count).words()

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
        Place(source.uri, source.line, source.digest),
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


def bare(row: Example) -> bool:
    """Whether nothing but words is said in a row, so that its texts are read as they lie."""
    return not (row.chosen or row.rejected) and all(map(plain, row.messages))


def as_example(row: Example) -> Example:
    """The row itself, of one that `Packed.texts` gave."""
    line: Any = row
    return unpacked(line) if isinstance(line, Line) else row


def placed(row: Example, split: Split, stage: str | None) -> Example:
    """A row of `Packed.texts` with its side and stage."""
    line: Any = row
    return cast("Example", msgspec.structs.replace(line, split=split, stage=stage))


def unpacked(line: Line) -> Example:
    """The row."""
    read = line.source
    return Example(
        id=line.id,
        messages=_messages(line.messages),
        tools=line.tools,
        chosen=_messages(line.chosen),
        rejected=_messages(line.rejected),
        origin=line.origin,
        licence=line.licence,
        licence_basis=line.licence_basis,
        source=Source(uri=read.uri, line=read.line, digest=read.digest),
        author=line.author,
        consent_key=line.consent_key,
        generator=line.generator,
        parents=line.parents,
        editor=line.editor,
        tags=line.tags,
        split=line.split,
        stage=line.stage,
        weight=line.weight,
        reviews=line.reviews,
    )
