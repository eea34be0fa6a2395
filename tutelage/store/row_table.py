"""Rows as a table: each column made at once, so that no row becomes a dictionary on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from itertools import accumulate

import msgspec
import pyarrow as pa

from tutelage.core.conversation import Message
from tutelage.core.review import FIELDS
from tutelage.core.row import Example

SCHEMA_OF_ROWS = 3  # 2: all about a generator, what a licence rests on; 3: reviews; all are read
WORDS = pa.map_(pa.string(), pa.string())
CALL = pa.struct([("id", pa.string()), ("name", pa.string()), ("arguments", pa.string())])
MESSAGE = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        ("reasoning", pa.string()),
        ("tool_calls", pa.list_(CALL)),  # arguments as JSON text: their order is taught
        ("tool_call_id", pa.string()),
        ("name", pa.string()),
        ("train", pa.bool_()),
        ("weight", pa.float64()),
    ]
)
SOURCE = pa.struct([("uri", pa.string()), ("line", pa.int64()), ("digest", pa.string())])
GENERATOR = pa.struct(
    [
        ("model", pa.string()),
        ("prompt_digest", pa.string()),
        ("parameters", pa.string()),  # as JSON text
        ("seed", pa.int64()),
        ("licence", pa.string()),
    ]
)
REVIEW = pa.struct([(name, pa.string()) for name in FIELDS])
ROW_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("messages", pa.list_(MESSAGE)),
        ("tools", pa.list_(pa.string())),  # each as JSON text
        ("chosen", pa.list_(MESSAGE)),
        ("rejected", pa.list_(MESSAGE)),
        ("origin", pa.string()),
        ("licence", pa.string()),
        ("licence_basis", pa.string()),
        ("source", SOURCE),
        ("author", pa.string()),
        ("consent_key", pa.string()),
        ("generator", GENERATOR),
        ("parents", pa.list_(pa.string())),
        ("editor", pa.string()),
        ("reviews", pa.list_(REVIEW)),
        ("tags", WORDS),
        ("split", pa.string()),
        ("stage", pa.string()),
        ("weight", pa.float64()),
    ],
    metadata={"schema": str(SCHEMA_OF_ROWS)},
)
Column = Callable[[Sequence[Example]], pa.Array]


def rows_table(examples: Iterable[Example]) -> pa.Table:
    """Rows as a dataset's file has them."""
    rows = list(examples)
    columns = [
        LAID[name](rows) if name in LAID else pa.array([getattr(one, name) for one in rows], kind)
        for name, kind in zip(ROW_SCHEMA.names, ROW_SCHEMA.types, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=ROW_SCHEMA)


def _messages(turns: Sequence[Sequence[Message]]) -> pa.Array:
    every = [message for own in turns for message in own]
    calls = [list(message.tool_calls) for message in every]
    given = [call for own in calls for call in own]
    columns = [
        pa.array([one.role for one in every], pa.string()),
        pa.array([one.content for one in every], pa.string()),
        pa.array([one.reasoning for one in every], pa.string()),
        _lists(calls, _structs(CALL, [
            pa.array([one.id for one in given], pa.string()),
            pa.array([one.name for one in given], pa.string()),
            pa.array([_json(one.arguments) for one in given], pa.string()),
        ])),
        pa.array([one.tool_call_id for one in every], pa.string()),
        pa.array([one.name for one in every], pa.string()),
        pa.array([one.train for one in every], pa.bool_()),
        pa.array([one.weight for one in every], pa.float64()),
    ]  # fmt: skip
    return _lists(turns, _structs(MESSAGE, columns))


def _tools(rows: Sequence[Example]) -> pa.Array:
    written = [list(map(_json, one.tools)) for one in rows]
    return _lists(written, pa.array([tool for own in written for tool in own], pa.string()))


def _parents(rows: Sequence[Example]) -> pa.Array:
    every = [parent for one in rows for parent in one.parents]
    return _lists([one.parents for one in rows], pa.array(every, pa.string()))


def _sources(rows: Sequence[Example]) -> pa.Array:
    read = [one.source for one in rows]
    columns = [pa.array([getattr(one, own.name) for one in read], own.type) for own in SOURCE]
    return _structs(SOURCE, columns)


def _generators(rows: Sequence[Example]) -> pa.Array:
    made = [one.generator for one in rows]
    if not any(made):
        return pa.nulls(len(rows), GENERATOR)
    forms = [one and {**one.to_dict(), "parameters": _json(one.parameters)} for one in made]
    return pa.array(forms, GENERATOR)


def _reviews(rows: Sequence[Example]) -> pa.Array:
    forms = [[one.to_dict() for one in row.reviews] or None for row in rows]
    return pa.array(forms, pa.list_(REVIEW))


def _tags(rows: Sequence[Example]) -> pa.Array:
    names = [name for one in rows for name in one.tags]
    values = [value for one in rows for value in one.tags.values()]
    words = [pa.array(names, pa.string()), pa.array(values, pa.string())]
    return pa.MapArray.from_arrays(_offsets([one.tags for one in rows]), *words)


def _lists(of: Sequence[Sized], values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(_offsets(of), values)


def _structs(kind: pa.StructType, columns: Sequence[pa.Array]) -> pa.Array:
    return pa.StructArray.from_arrays(columns, fields=list(kind))


def _offsets(of: Sequence[Sized]) -> pa.Array:
    return pa.array([0, *accumulate(map(len, of))], pa.int32())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


LAID: Mapping[str, Column] = {
    "messages": lambda rows: _messages([one.messages for one in rows]),
    "chosen": lambda rows: _messages([one.chosen for one in rows]),
    "rejected": lambda rows: _messages([one.rejected for one in rows]),
    "tools": _tools,
    "parents": _parents,
    "source": _sources,
    "generator": _generators,
    "reviews": _reviews,
    "tags": _tags,
}
