from __future__ import annotations

import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.test_row import ROW, examples
from tutelage.core.errors import StoreError
from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.metric import Metric
from tutelage.core.row import Example
from tutelage.core.sample import Sample
from tutelage.store.lines import read_metrics, write_metrics
from tutelage.store.tables import (
    read_ledger,
    read_rows,
    read_samples,
    row_ids,
    write_ledger,
    write_rows,
    write_samples,
)

METRIC = Metric(
    metric="f1", suite="s", system="tuned", n=3, value=0.5, low=0.1, high=0.9, method="wilson"
)


@settings(max_examples=30, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(examples, max_size=4))
def test_rows_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Example]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, rows)
    assert read_rows(path) == rows
    assert row_ids(path) == [row.id for row in rows]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_rows(tmp_path / name, [ROW, ROW])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_ledger_entries_come_back_as_they_were(tmp_path: Path) -> None:
    entries = [
        LedgerEntry(row="1", stage="curate", decision=Decision.KEEP, reason=Reason.CLEAN),
        LedgerEntry(
            row="2",
            stage="curate",
            decision=Decision.DROP,
            reason=Reason.NEAR_DUPLICATE,
            detail="jaccard 0.91",
            other_row="1",
        ),
    ]
    write_ledger(tmp_path / "ledger.parquet", entries)
    assert read_ledger(tmp_path / "ledger.parquet") == entries
    assert pq.read_schema(tmp_path / "ledger.parquet").names == (
        ["row", "stage", "decision", "reason", "detail", "other_row"]
    )


def test_samples_come_back_as_they_were(tmp_path: Path) -> None:
    sample = Sample(
        task="t",
        cluster="c",
        system="tuned",
        seed=2**62,
        prompt_digest="d",
        answer="{}",
        scores={"parse": 1.0, "exact_match": 0.0},
        tokens=3,
        seconds=0.25,
    )
    bare = Sample(task="t", cluster="c", system="s", seed=0, prompt_digest="", answer="")
    write_samples(tmp_path / "samples.parquet", [sample, bare])
    assert read_samples(tmp_path / "samples.parquet") == [sample, bare]


def test_metrics_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write_metrics(path, [METRIC])
    assert read_metrics(path) == [METRIC]
    assert path.read_text().startswith('{"schema":1,"metric":"f1","suite":"s"')


def test_a_metric_that_is_not_a_number_stays_none(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    form = METRIC.to_dict() | {"value": math.nan, "baseline": "few_shot", "difference": math.nan}
    write_metrics(path, [Metric.from_dict(form)])
    (found,) = read_metrics(path)
    assert math.isnan(found.value)
    assert found.difference is not None
    assert math.isnan(found.difference)


def test_newer_files_are_refused(tmp_path: Path) -> None:
    table = pa.table({"row": ["1"]}).replace_schema_metadata({"schema": "2"})
    pq.write_table(table, tmp_path / "ledger.parquet")
    with pytest.raises(StoreError, match="newer tutelage"):
        read_ledger(tmp_path / "ledger.parquet")
    (tmp_path / "metrics.jsonl").write_text('{"schema": 2}\n')
    with pytest.raises(StoreError, match="newer tutelage"):
        read_metrics(tmp_path / "metrics.jsonl")


def test_a_bound_that_lies_at_infinity_comes_back_there(tmp_path: Path) -> None:
    metric = Metric(
        metric="seconds",
        suite="calls",
        system="tuned",
        n=1,
        value=2.0,
        low=-math.inf,
        high=math.inf,
        method="t",
        unit="seconds",
        baseline="zero_shot",
        difference=math.nan,
    )
    write_metrics(tmp_path / "metrics.jsonl", [metric])
    (found,) = read_metrics(tmp_path / "metrics.jsonl")
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert found.difference is not None
    assert math.isnan(found.difference)
