"""Rows of Parquet and Arrow files, a batch at a time, as the JSON values they stand for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tutelage.core.errors import RowError
from tutelage.core.ledger import Reason
from tutelage.store.ingest.fault import Fault
from tutelage.store.ingest.records import Record, Refused

BATCH = 256  # rows
STREAM_MARK = b"\xff\xff\xff\xff"  # begins an Arrow stream, as `datasets` saves it
FILE_MARK = b"ARROW1"


def rows(path: Path, name: str) -> Iterator[Record | Refused]:
    """The rows of a file, in order, with their numbers; `name` stands for it in errors.

    Raises: RowError if it is damaged, or names a column twice.
    """
    number = 0
    try:
        for batch in _batches(path, name):
            twice = sorted({one for one in batch.schema.names if batch.schema.names.count(one) > 1})
            if twice:
                raise RowError(f"the column `{twice[0]}` is there twice", where=name)
            maps = any(_has_map(field.type) for field in batch.schema)
            for form in batch.to_pylist(maps_as_pydicts="strict" if maps else None):
                number += 1
                yield _row(form, number)
    except (pa.ArrowException, KeyError) as error:
        raise RowError(
            f"the file is damaged or cut off: {error}",
            where=name,
            hint="fetch or make it again: rows may be missing",
        ) from error
    except OSError as error:
        raise RowError(f"cannot be read: {error.strerror or error}", where=name) from error


def _batches(path: Path, name: str) -> Iterator[pa.RecordBatch]:
    if path.suffix.lower() == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=BATCH)
        return
    with pa.memory_map(str(path)) as source:
        begin = source.read(len(FILE_MARK))
        source.seek(0)
        if begin == FILE_MARK:
            found = _of_file(source)
        elif begin.startswith(STREAM_MARK):
            found = iter(pa.ipc.open_stream(source))
        else:
            raise RowError(
                "this is no Arrow file",
                where=name,
                hint="Feather of version 1 is not read: write it anew with `version=2`",
            )
        for batch in found:
            yield from _parts(batch)


def _of_file(source: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    file = pa.ipc.open_file(source)
    for index in range(file.num_record_batches):
        yield file.get_batch(index)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for begin in range(0, batch.num_rows, BATCH):
        yield batch.slice(begin, BATCH)


def _has_map(kind: pa.DataType) -> bool:
    return pa.types.is_map(kind) or any(
        _has_map(kind.field(index).type) for index in range(kind.num_fields)
    )


def _row(form: dict[str, Any], number: int) -> Record | Refused:
    try:
        return Record(line=number, value=_value(form, ""), text="")
    except Fault as fault:
        return Refused(line=number, reason=fault.reason, problem=fault.message, text=repr(form))


def _value(value: Any, where: str) -> Any:
    """The JSON value a cell stands for.

    Raises: Fault for what JSON cannot say.
    """
    if isinstance(value, float) and not math.isfinite(value):
        raise Fault(Reason.WRONG_TYPE, f"column `{where}` is {value}; expected a finite number")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {
            key: _value(inner, f"{where}.{key}" if where else key) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_value(inner, where) for inner in value]
    for kind, said in SAID.items():
        if isinstance(value, kind):
            return said(value)
    raise Fault(
        Reason.WRONG_TYPE, f"column `{where}` is of type {type(value).__name__}; expected text"
    )


SAID: dict[type, Callable[[Any], str]] = {  # a day of a calendar is text in JSON
    datetime: datetime.isoformat,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: str,
    Decimal: str,
}
