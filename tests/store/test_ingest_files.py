"""Every kind of file rows come in, each the same rows; patterns, folders, streams."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from tests.store.conversations import EXAMPLES
from tutelage.core.errors import RowError
from tutelage.core.recipe import Reading, Recipe
from tutelage.core.row import Example
from tutelage.store.ingest import Ingested, Rows, read_examples
from tutelage.store.tables import read_rows, write_rows

Row = dict[str, Any]
CALL = {"id": "c1", "name": "f", "arguments": '{"b": 1, "a": [2, null]}'}
ROWS: list[Row] = [
    {
        "messages": [
            {"role": "user", "content": "Hi", "tool_calls": None, "tool_call_id": None},
            {"role": "assistant", "content": "", "tool_calls": [CALL], "tool_call_id": None},
            {"role": "tool", "content": "3", "tool_calls": None, "tool_call_id": "c1"},
            {"role": "assistant", "content": "Three.", "tool_calls": None, "tool_call_id": None},
        ],
        "topic": "sums",
    },
    {"messages": [{"role": "user", "content": "é\nzwei"}, {"role": "assistant", "content": "Ho"}]},
]


def read(folder: Path, name: str, **more: Any) -> Ingested:
    return read_examples(Reading(path=name, **more), Recipe(name="test").at(folder))


def lines(rows: list[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row.get(name) for row in rows] for name in ("messages", "topic")}


def zstd(content: bytes) -> bytes:
    half = len(content) // 2  # two frames, as appended logs have
    return b"".join(
        pa.compress(part, "zstd", asbytes=True) for part in (content[:half], content[half:])
    )


def stream(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


KINDS: dict[str, Callable[[Path], object]] = {
    "rows.jsonl": lambda path: path.write_bytes(lines(ROWS)),
    "rows.ndjson": lambda path: path.write_bytes(
        b"\xef\xbb\xbf" + lines(ROWS).replace(b"\n", b"\r\n")
    ),
    "rows.jsonl.gz": lambda path: path.write_bytes(gzip.compress(lines(ROWS))),
    "rows.jsonl.zst": lambda path: path.write_bytes(zstd(lines(ROWS))),
    "rows.json": lambda path: path.write_text(json.dumps(ROWS, indent=1)),
    "columns.json": lambda path: path.write_text(json.dumps(columns(ROWS), indent=1)),
    "column.json": lambda path: path.write_text(json.dumps(columns(ROWS))),
    "rows.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "rows.arrow": lambda path: stream(path, pa.Table.from_pylist(ROWS)),
    "rows.feather": lambda path: feather.write_feather(pa.Table.from_pylist(ROWS), path),
}


@pytest.mark.parametrize("name", KINDS)
def test_rows_are_the_same_in_every_kind_of_file(name: str, tmp_path: Path) -> None:
    KINDS[name](tmp_path / name)
    (tmp_path / "plain.jsonl").write_bytes(lines(ROWS))

    found = read(tmp_path, name)

    assert found.bad == []
    assert [one.content() for one in found.examples] == [
        one.content() for one in read(tmp_path, "plain.jsonl").examples
    ]
    assert found.examples[0].messages[1].tool_calls[0].id == "c1"
    assert found.examples[0].tags == {"topic": "sums"}


@settings(max_examples=12, derandomize=True, deadline=None)
@given(example=EXAMPLES)
@pytest.mark.parametrize("kind", ["rows.parquet", "rows.arrow", "columns.json", "list.json"])
def test_no_field_is_lost_in_columns_either(
    tmp_path_factory: pytest.TempPathFactory, kind: str, example: Example
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    form: Row = {"messages": [said(one.to_dict()) for one in example.messages]}
    form["tools"] = json.dumps([dict(tool) for tool in example.tools])
    if kind == "columns.json":
        (folder / kind).write_text(json.dumps({name: [value] for name, value in form.items()}))
    elif kind == "list.json":
        (folder / kind).write_text(json.dumps([form], indent=2))
    elif kind == "rows.arrow":
        stream(folder / kind, pa.Table.from_pylist([form]))
    else:
        pq.write_table(pa.Table.from_pylist([form]), folder / kind)

    (again,) = read(folder, kind).examples

    assert (again.messages, again.tools) == (example.messages, example.tools)


def said(message: Row) -> Row:
    """As a table can hold it: arguments are text."""
    calls = [
        {**one, "arguments": json.dumps(one["arguments"])} for one in message.pop("tool_calls", [])
    ]
    return {**message, **({"tool_calls": calls} if calls else {})}


@settings(max_examples=12, derandomize=True, deadline=None)
@given(example=EXAMPLES)
def test_a_dataset_written_and_read_again_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, example: Example
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, [example])

    assert read_rows(path) == [example]


def test_content_as_a_list_after_rows_of_text_is_kept(tmp_path: Path) -> None:
    plain = {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    }
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    last = {
        "messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "Ho"}]
    }
    (tmp_path / "rows.jsonl").write_bytes(lines([*[plain] * 3, last]))

    found = read(tmp_path, "rows.jsonl")

    assert found.bad == []
    assert found.examples[3].messages[0].content == "one\ntwo"


def test_fields_first_seen_after_many_rows_are_kept(tmp_path: Path) -> None:
    plain = {
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
    }
    late = {**ROWS[0], "meta": {"team": "a"}, "parallel": True}
    (tmp_path / "rows.jsonl").write_bytes(lines([*[plain] * 150, late]))

    example = read(tmp_path, "rows.jsonl").examples[150]

    assert example.messages[2].tool_call_id == "c1"
    assert example.tags == {"topic": "sums", "meta.team": "a", "parallel": "true"}


def test_a_blank_line_is_no_row_and_the_lines_after_it_keep_their_number(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"\n" + lines(ROWS[:1]) + b"  \n" + lines(ROWS[1:]))

    assert [one.source.line for one in read(tmp_path, "rows.jsonl").examples] == [2, 4]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (b'{"messages": NaN}', "the row is not JSON: NaN is no number of JSON"),
        (b'{"messages": [], "score": -Infinity}', "the row is not JSON: -Infinity is no number"),
        (b'{"messages": "\\ud83d"}', "the row is not JSON: \\ud83d is half a character"),
        (b'{"messages": "\\udc00 and more"}', "the row is not JSON: \\udc00 is half a character"),
        (b'{"messages": [{"role": "user", "role": "x"}]}', "the key `role` is there twice"),
        (b'{"messages": null}', "`messages` is null; expected a list"),
        (b'{"messages": 1e999}', "the row is not JSON: "),
        (b"[" * 5000, "the row is not JSON: it is nested too deeply"),
    ],
)
def test_what_a_lenient_reader_would_change_in_silence_is_refused(
    tmp_path: Path, written: bytes, problem: str
) -> None:
    (tmp_path / "rows.jsonl").write_bytes(lines(ROWS) + written + b"\n")

    found = read(tmp_path, "rows.jsonl", format="messages")

    assert [one.where for one in found.bad] == ["line 3"]
    assert found.bad[0].problem.startswith(problem)


def test_numbers_of_any_size_and_whole_characters_are_kept(tmp_path: Path) -> None:
    row = {"messages": ROWS[1]["messages"], "number": 2**90, "smile": "\U0001f600"}
    (tmp_path / "rows.jsonl").write_bytes(lines([row]))

    assert read(tmp_path, "rows.jsonl").examples[0].tags == {
        "number": str(2**90),
        "smile": "\U0001f600",
    }


def test_a_pattern_reads_its_files_in_order_and_each_row_names_its_own(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "logs" / name).mkdir(parents=True)
        (tmp_path / "logs" / name / "rows.jsonl").write_bytes(lines(ROWS) + b"{\n")
    (tmp_path / "logs" / "empty.jsonl").write_bytes(b"")

    found = read(tmp_path, "logs/**/*.jsonl")

    assert [str(one.source) for one in found.examples] == [
        *("logs/a/rows.jsonl:1", "logs/a/rows.jsonl:2"),
        *("logs/b/rows.jsonl:1", "logs/b/rows.jsonl:2"),
    ]
    assert [one.where for one in found.bad] == ["logs/a/rows.jsonl:3", "logs/b/rows.jsonl:3"]
    assert read(tmp_path, str(tmp_path / "logs/*/*.jsonl")).examples[0].source.uri == (
        "logs/a/rows.jsonl"
    )
    before = found.file_digest
    (tmp_path / "logs" / "b" / "rows.jsonl").write_bytes(lines(ROWS))
    assert read(tmp_path, "logs/**/*.jsonl").file_digest != before
    with pytest.raises(RowError, match="no file is like this pattern"):
        read(tmp_path, "logs/*.csv")


def test_a_saved_data_set_is_read_in_the_order_it_names(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for index, row in enumerate(ROWS):
        stream(folder / f"data-0000{1 - index}-of-00002.arrow", pa.Table.from_pylist([row]))
    files = [{"filename": f"data-0000{index}-of-00002.arrow"} for index in (1, 0)]
    (folder / "state.json").write_text(json.dumps({"_data_files": files}))
    (folder / "dataset_info.json").write_text("{}")

    found = read(tmp_path, "saved")

    assert [str(one.source) for one in found.examples] == [
        "saved/data-00001-of-00002.arrow:1",
        "saved/data-00000-of-00002.arrow:1",
    ]


def test_a_folder_of_parquet_is_read_and_one_of_several_splits_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "hub" / "data"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(ROWS), folder / "train-00000-of-00001.parquet")
    assert len(read(tmp_path, "hub").examples) == 2

    pq.write_table(pa.Table.from_pylist(ROWS), folder / "test-00000-of-00001.parquet")
    with pytest.raises(RowError) as caught:
        read(tmp_path, "hub")
    assert caught.value.text() == (
        "error: hub: this folder has several splits: test, train\n\n"
        "hint: name the one that is meant, such as `hub/**/train-*.parquet`"
    )
    assert len(read(tmp_path, "hub/**/train-*.parquet").examples) == 2
    (folder / "more.csv").write_text("a,b\n")
    with pytest.raises(RowError, match=r"files of several kinds: \.csv, \.parquet"):
        read(tmp_path, "hub")


SHARDS = ["train-00000-of-00003.jsonl", "train-00002-of-00003.jsonl"]


def write(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(lines(ROWS))


@pytest.mark.parametrize("path", ["set", "set/train-*.jsonl", "set/**/*.jsonl"])
def test_a_shard_that_is_missing_is_named(tmp_path: Path, path: str) -> None:
    write(tmp_path / "set", *SHARDS)

    with pytest.raises(RowError) as caught:
        read(tmp_path, path)

    assert [(one.where, one.problem) for one in caught.value.rows] == [
        ("train-00001-of-00003.jsonl", "is missing")
    ]
    write(tmp_path / "set", "train-00001-of-00003.jsonl")
    assert len(read(tmp_path, path).examples) == 6
    write(tmp_path / "set", "train-00000-of-00001.jsonl")
    with pytest.raises(RowError, match="shards of two versions: 1 of 1 and 3 of 3"):
        read(tmp_path, path)


def test_a_part_of_the_shards_that_a_pattern_asks_for_is_whole(tmp_path: Path) -> None:
    write(tmp_path, *SHARDS)

    assert len(read(tmp_path, "train-0000[02]-of-*.jsonl").examples) == 4
    assert len(read(tmp_path, SHARDS[0]).examples) == 2
    write(tmp_path / "many", "train-00000-of-00050.jsonl")
    with pytest.raises(RowError, match="29 more shards are missing"):
        read(tmp_path, "many")


def test_a_link_that_leads_nowhere_is_told_also_among_others(tmp_path: Path) -> None:
    write(tmp_path / "set", "a.jsonl")
    (tmp_path / "set" / "b.jsonl").symlink_to("gone.jsonl")

    for path in ("set", "set/*.jsonl"):
        with pytest.raises(RowError, match="links lead nowhere") as caught:
            read(tmp_path, path)
        assert [(one.where, one.problem) for one in caught.value.rows] == [
            ("b.jsonl", "leads to gone.jsonl")
        ]


def test_what_the_project_keeps_is_no_source(tmp_path: Path) -> None:
    write(tmp_path, "rows.jsonl")
    write(tmp_path / ".tutelage" / "store", "rejected.jsonl")

    for path in ("**/*.jsonl", "."):
        assert len(read(tmp_path, path).examples) == 2
    assert len(read(tmp_path, ".tutelage/store/*.jsonl").examples) == 2  # asked for by name


def test_a_saved_data_set_that_names_a_file_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "saved", "data.jsonl")
    files = [{"filename": "data.jsonl"}] * 2
    (tmp_path / "saved" / "state.json").write_text(json.dumps({"_data_files": files}))

    with pytest.raises(RowError, match=r"state\.json names a file twice: data\.jsonl"):
        read(tmp_path, "saved")


def test_a_cell_json_cannot_say_is_refused_with_its_row(tmp_path: Path) -> None:
    table = pa.table({"prompt": ["a", "b"], "completion": ["x", "y"], "score": [1.0, float("nan")]})
    pq.write_table(table, tmp_path / "rows.parquet")

    found = read(tmp_path, "rows.parquet")

    assert [(one.where, one.problem) for one in found.bad] == [
        ("row 2", "column `score` is nan; expected a finite number")
    ]


@pytest.mark.parametrize("name", ["rows.parquet", "rows.arrow", "rows.jsonl.zst"])
def test_a_damaged_file_is_told_as_one(tmp_path: Path, name: str) -> None:
    KINDS[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])

    with pytest.raises(RowError, match="damaged or cut off"):
        read(tmp_path, name)


def test_a_long_cell_of_a_table_is_kept(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"prompt,completion\nHi,{'x' * 200_000}\n")

    assert len(read(tmp_path, "rows.csv").examples[0].messages[1].content) == 200_000


@pytest.mark.parametrize(
    "name", ["rows.jsonl", "rows.jsonl.gz", "rows.json", "rows.csv", "rows.parquet"]
)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    rows = [
        {"prompt": f"ask {index} " + "x" * 3000, "completion": "y" * 3000} for index in range(2500)
    ]
    content = {
        "rows.jsonl": lambda: lines(rows),
        "rows.jsonl.gz": lambda: gzip.compress(lines(rows), 1),
        "rows.json": lambda: json.dumps(rows).encode(),
        "rows.csv": lambda: (
            b"prompt,completion\n"
            + b"".join(f"{row['prompt']},{row['completion']}\n".encode() for row in rows)
        ),
    }
    if name in content:
        (tmp_path / name).write_bytes(content[name]())
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / name, row_group_size=256)
    reading, recipe = Reading(path=name), Recipe(name="test").at(tmp_path)
    rows.clear()
    tracemalloc.start()
    count = sum(isinstance(one, Example) for one in Rows.open(reading, recipe))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 2500
    assert peak < 9 << 20  # of 15 MB of rows
