"""The files inside artifacts that are Parquet: rows, ledger and samples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tutelage.core.errors import StoreError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.row import Example, Source
from tutelage.core.sample import Sample
from tutelage.store.row_table import ROW_SCHEMA, SCHEMA_OF_ROWS, rows_table

ROWS = "rows.parquet"
DROPPED = "dropped.parquet"  # of a dataset, the rows left out, as whole as those kept
LEDGER = "ledger.parquet"
SAMPLES = "samples.parquet"
ROW_GROUP = 1024  # rows that are read together, where a file is read part by part
SCHEMA = 1  # of every file here but rows; a newer one is refused
VERSION = {"schema": str(SCHEMA)}
LEDGER_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("row", "stage", "decision", "reason", "detail", "other_row")],
    metadata=VERSION,
)
SAMPLE_SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("cluster", pa.string()),
        ("system", pa.string()),
        ("seed", pa.int64()),
        ("prompt_digest", pa.string()),
        ("answer", pa.string()),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("tokens", pa.int64()),
        ("seconds", pa.float64()),
    ],
    metadata=VERSION,
)


def write_rows(path: Path, examples: Iterable[Example]) -> None:
    """Writes the rows of a dataset, in order."""
    with rows_writer(path) as append:
        append(rows_table(examples))


@contextmanager
def rows_writer(path: Path) -> Iterator[Callable[[pa.Table], None]]:
    """Writes the rows of a dataset table by table; the file does not tell how they were cut."""
    waiting: list[pa.Table] = []

    def write(table: pa.Table) -> None:
        for begin in range(0, len(table), ROW_GROUP):
            file.write_table(table.slice(begin, ROW_GROUP).combine_chunks())

    def append(table: pa.Table) -> None:
        waiting.append(table)
        whole = pa.concat_tables(waiting)
        ready = len(whole) - len(whole) % ROW_GROUP
        write(whole.slice(0, ready))
        waiting[:] = [whole.slice(ready)]

    with pq.ParquetWriter(path, ROW_SCHEMA, compression="zstd") as file:
        yield append
        for rest in waiting:
            write(rest)


def read_rows(path: Path) -> list[Example]:
    """The rows of a dataset, in order."""
    return _examples(pq.read_table(path), path)


def read_group(path: Path, group: int) -> list[Example]:
    """The rows of one group of a dataset, in order."""
    with pq.ParquetFile(path) as file:
        return _examples(file.read_row_group(group), path)


def _examples(table: pa.Table, path: Path) -> list[Example]:
    """The rows of a table, also of an older one: what it could not say is not there."""
    check_schema(_schema(table), path, SCHEMA_OF_ROWS)
    forms = table.select([name for name in ROW_SCHEMA.names if name in table.column_names])
    return [_example(form) for form in forms.to_pylist()]


def outline(path: Path) -> list[pa.Table]:
    """Id, split, weight, source file and stage of a dataset's rows, a table a group."""
    with pq.ParquetFile(path) as file:
        columns = ["id", "split", "weight", "stage", "source.uri"]
        return [
            _flat_source(file.read_row_group(group, columns))
            for group in range(file.num_row_groups)
        ]


def _flat_source(table: pa.Table) -> pa.Table:
    uris = pc.struct_field(table["source"], "uri")
    return table.select(["id", "split", "weight", "stage"]).append_column("source", uris)


def row_ids(path: Path) -> list[str]:
    """The ids of a dataset's rows, without reading the rest."""
    ids: list[str] = pq.read_table(path, columns=["id"])["id"].to_pylist()
    return ids


def places(path: Path) -> list[tuple[str, Source]]:
    """The id and the source of each of a dataset's rows, without reading the rest."""
    table = pq.read_table(path, columns=["id", "source"])
    forms = table.to_pylist()
    return [(form["id"], Source(**form["source"])) for form in forms]


def write_ledger(path: Path, entries: Iterable[LedgerEntry]) -> None:
    """Writes a ledger, in order."""
    with ledger_writer(path) as append:
        append(entries)


@contextmanager
def ledger_writer(
    path: Path,
) -> Iterator[Callable[[Iterable[LedgerEntry] | pa.Table], None]]:
    """Writes a ledger part by part: what the block is given appends entries, or their table."""
    with pq.ParquetWriter(path, LEDGER_SCHEMA, compression="zstd") as file:

        def append(entries: Iterable[LedgerEntry] | pa.Table) -> None:
            if isinstance(entries, pa.Table):
                file.write_table(entries)
                return
            kept = list(entries)
            columns = {name: [getattr(one, name) for one in kept] for name in LEDGER_SCHEMA.names}
            file.write_table(pa.Table.from_pydict(columns, schema=LEDGER_SCHEMA))

        yield append


def alike_table(one: LedgerEntry, rows: Sequence[str], details: Sequence[str]) -> pa.Table:
    """The table of entries that say of many rows what one says, each with its own detail."""
    columns = {name: [getattr(one, name)] * len(rows) for name in LEDGER_SCHEMA.names}
    return pa.Table.from_pydict(columns | {"row": rows, "detail": details}, schema=LEDGER_SCHEMA)


def read_ledger(path: Path) -> list[LedgerEntry]:
    """The entries of a ledger, in order."""
    return [_entry(form) for form in _read(path, LEDGER_SCHEMA)]


def read_losses(path: Path) -> list[LedgerEntry]:
    """The entries of a ledger but those of rows nothing happened to, in order."""
    some = pc.field("reason") != Reason.CLEAN.value
    return [_entry(form) for form in _read(path, LEDGER_SCHEMA, some)]


def _entry(form: Mapping[str, Any]) -> LedgerEntry:
    return LedgerEntry(
        row=form["row"],
        stage=form["stage"],
        decision=Decision(form["decision"]),
        reason=Reason(form["reason"]),
        detail=form["detail"],
        other_row=form["other_row"],
    )


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Writes the samples of a report, in order."""
    forms = [{**asdict(sample), "scores": list(sample.scores.items())} for sample in samples]
    _write(path, SAMPLE_SCHEMA, forms)


def read_samples(path: Path) -> list[Sample]:
    """The samples of a report, in order."""
    return [
        Sample(
            task=form["task"],
            cluster=form["cluster"],
            system=form["system"],
            seed=form["seed"],
            prompt_digest=form["prompt_digest"],
            answer=form["answer"],
            scores=dict(form["scores"]),
            tokens=form["tokens"],
            seconds=form["seconds"],
        )
        for form in _read(path, SAMPLE_SCHEMA)
    ]


def _write(path: Path, schema: pa.Schema, forms: Sequence[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(list(forms), schema=schema)
    pq.write_table(table, path, compression="zstd", row_group_size=ROW_GROUP)


def _read(path: Path, schema: pa.Schema, some: pc.Expression | None = None) -> list[dict[str, Any]]:
    table = pq.read_table(path)
    check_schema(_schema(table), path)
    kept = table if some is None else table.filter(some)
    forms: list[dict[str, Any]] = kept.select(schema.names).to_pylist()
    return forms


def _schema(table: pa.Table) -> int:
    return int((table.schema.metadata or {}).get(b"schema", SCHEMA))


def check_schema(schema: int, path: Path, newest: int = SCHEMA) -> None:
    """Raises: StoreError where a file is of a schema this tutelage does not know."""
    if schema > newest:
        raise StoreError(
            f"written by a newer tutelage: schema {schema}, this one reads {newest}",
            where=str(path),
            hint="upgrade tutelage",
        )


def _example(form: dict[str, Any]) -> Example:
    for name in ("messages", "chosen", "rejected"):
        for call in [call for message in form[name] for call in message["tool_calls"]]:
            call["arguments"] = msgspec.json.decode(call["arguments"])
    form["tools"] = [msgspec.json.decode(tool) for tool in form["tools"]]
    made = form["generator"]
    if isinstance(made, dict):
        made["parameters"] = msgspec.json.decode(made["parameters"])
    return Example.from_dict(form)
