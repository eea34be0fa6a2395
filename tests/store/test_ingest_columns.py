"""Cells of Parquet and Arrow that Python's own types cannot tell: each is told, or its row is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tutelage.core.errors import RowError
from tutelage.core.recipe import Reading, Recipe
from tutelage.store.ingest import Ingested, read_examples

NANO = 1_700_000_000_123_456_789
ASKED = {"prompt": ["a", "b"], "completion": ["x", "y"]}


def read(folder: Path, name: str) -> Ingested:
    return read_examples(Reading(path=name), Recipe(name="test").at(folder))


def saved(folder: Path, column: pa.Array) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(pa.table({**ASKED, "at": column}), path)
    return path


def bad(found: Ingested) -> list[tuple[str, str]]:
    return [(one.where, one.problem) for one in found.bad]


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        (pa.timestamp("ns"), NANO, "2023-11-14T22:13:20.123456789"),
        (pa.timestamp("ns"), NANO - 789, "2023-11-14T22:13:20.123456"),
        (pa.timestamp("ns"), 5, "1970-01-01T00:00:00.000000005"),
        (pa.timestamp("ns"), -1, "1969-12-31T23:59:59.999999999"),
        (pa.timestamp("ns", "+02:00"), NANO, "2023-11-15T00:13:20.123456789+02:00"),
        (pa.time64("ns"), 1_000_000_007, "00:00:01.000000007"),
        (pa.duration("ns"), 90_000_000_000_001, "1 day, 1:00:00.000000001"),
    ],
)
def test_a_time_is_told_to_its_last_digit(
    tmp_path: Path, kind: pa.DataType, value: int, told: str
) -> None:
    saved(tmp_path, pa.array([value, None], kind))

    found = read(tmp_path, "rows.parquet")

    assert found.bad == []
    assert [one.tags for one in found.examples] == [{"at": told}, {}]


def test_a_time_inside_others_is_told_as_well(tmp_path: Path) -> None:
    inner = pa.struct([("seen", pa.list_(pa.timestamp("ns"))), ("by", pa.string())])
    column = pa.array([{"seen": [5, None], "by": "Bo"}, None], inner)
    path = saved(tmp_path, column)
    fields = {"user": "prompt", "assistant": "completion"}
    form = Reading.model_validate({"path": path.name, "format": "fields", "fields": fields})

    found = read_examples(form, Recipe(name="test").at(tmp_path))

    assert [one.tags for one in found.examples] == [
        {"at": '{"seen":["1970-01-01T00:00:00.000000005",null],"by":"Bo"}'},
        {},
    ]


def test_bytes_that_are_no_text_cost_their_own_row(tmp_path: Path) -> None:
    raw = pa.array([b"fine", b"\xff\xfe"], pa.binary())
    text = pa.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    for name in ("prompt", "at"):
        columns: dict[str, Any] = {**ASKED, name: text}
        pq.write_table(pa.table(columns), tmp_path / "rows.parquet")

        found = read(tmp_path, "rows.parquet")

        assert bad(found) == [("row 2", f"column `{name}` is not UTF-8")]
        assert len(found.examples) == 1


def test_a_key_twice_in_one_map_costs_its_own_row(tmp_path: Path) -> None:
    maps = pa.array([[("k", 1)], [("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int64()))
    saved(tmp_path, maps)

    found = read(tmp_path, "rows.parquet")

    assert bad(found) == [("row 2", "column `at` has the key `k` twice")]
    assert [one.tags for one in found.examples] == [{"at.k": "1"}]


def test_a_time_that_no_calendar_has_costs_its_own_row(tmp_path: Path) -> None:
    saved(tmp_path, pa.array([0, 2**62], pa.timestamp("us")))

    found = read(tmp_path, "rows.parquet")

    (problem,) = bad(found)
    assert problem[0] == "row 2"
    assert problem[1].startswith("column `at` is no timestamp[us] that can be told: ")
    assert len(found.examples) == 1


@pytest.mark.parametrize("unit", ["us", "ns"])
def test_a_time_zone_that_is_not_known_is_told(tmp_path: Path, unit: str) -> None:
    saved(tmp_path, pa.array([0, None], pa.timestamp(unit, "Mars/Base")))

    told = "column `at` has the time zone `Mars/Base`, which is not known here"
    assert bad(read(tmp_path, "rows.parquet")) == [("row 1", told)]


def test_a_stream_without_its_end_is_refused(tmp_path: Path) -> None:
    sink = pa.BufferOutputStream()
    table = pa.table(ASKED)
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=1):
            writer.write_batch(batch)
    content = sink.getvalue().to_pybytes()
    (tmp_path / "rows.arrow").write_bytes(content)
    assert len(read(tmp_path, "rows.arrow").examples) == 2
    (tmp_path / "rows.arrow").write_bytes(content[:-8])

    with pytest.raises(RowError, match="cut off: the mark of its end is missing"):
        read(tmp_path, "rows.arrow")
