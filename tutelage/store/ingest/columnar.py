"""Rows of Parquet and Arrow files, a batch at a time, as the JSON values they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tutelage.core.errors import RowError
from tutelage.store.ingest.cells import cells_of, value_of
from tutelage.store.ingest.fault import Fault
from tutelage.store.ingest.records import Record, Refused

BATCH = 256  # rows
STREAM_MARK = b"\xff\xff\xff\xff"  # begins an Arrow stream, as `datasets` saves it
FILE_MARK = b"ARROW1"
ANEW = "fetch or make it again: rows may be missing"


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
            for form in _rows(batch):
                number += 1
                yield _row(form, number)
    except pa.ArrowException as error:
        raise RowError(
            f"the file is damaged or cut off: {error}",
            where=name,
            hint=ANEW,
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
            found = _of_stream(source, name)
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


def _of_stream(source: pa.NativeFile, name: str) -> Iterator[pa.RecordBatch]:
    """The batches of a stream, which ends with a mark: what was cut between two has none."""
    reader = pa.ipc.open_stream(source)
    while True:
        begin = source.tell()
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            break
        yield batch
    if source.tell() == begin:
        raise RowError("the file is cut off: the mark of its end is missing", where=name, hint=ANEW)


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    for begin in range(0, batch.num_rows, BATCH):
        yield batch.slice(begin, BATCH)


def _rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    columns = [cells_of(column) for column in batch.columns]
    for _ in range(batch.num_rows):
        yield {name: next(cells) for name, cells in zip(batch.schema.names, columns, strict=True)}


def _row(form: dict[str, Any], number: int) -> Record | Refused:
    try:
        return Record(line=number, value=value_of(form, ""), text="")
    except Fault as fault:
        shown = repr({name: _shown(cell) for name, cell in form.items()})
        return Refused(line=number, reason=fault.reason, problem=fault.message, text=shown)


def _shown(cell: Any) -> Any:
    return f"<{cell.message}>" if isinstance(cell, Fault) else cell
