from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.journey.project import build
from tests.micro import tickets, write_rows
from tutelage.core.errors import TrainingError
from tutelage.core.ledger import Reason
from tutelage.core.recipe import load
from tutelage.pipeline import train
from tutelage.store.artifact import Artifact
from tutelage.store.lineage import explain_row
from tutelage.store.lines import METRICS
from tutelage.store.store import Store
from tutelage.store.tables import LEDGER, read_ledger
from tutelage.train import guard

TWO = (
    "curate.sources=[{path: data/train.jsonl, origin: human, licence: CC0-1.0}, "
    "{path: data/more.jsonl, origin: human, licence: CC0-1.0}]"
)


def trained(folder: Path, *overrides: str) -> Artifact:
    return train(load(folder / "recipe.yaml", overrides))


def rows_of(adapter: Artifact) -> list[dict[str, float]]:
    return [json.loads(line) for line in adapter.file(METRICS).read_text().splitlines()]


def test_each_source_file_has_a_loss_of_its_own(tmp_path: Path) -> None:
    folder = build(tmp_path)
    write_rows(folder / "data" / "more.jsonl", tickets(12, first=500))
    rows = rows_of(trained(folder, TWO))
    names = {name for row in rows for name in row if name.startswith("loss/")}
    assert names == {"loss/data/train.jsonl", "loss/data/more.jsonl"}
    for row in rows:
        losses = [row[name] for name in names if name in row]
        assert min(losses) - 1e-5 <= row["loss"] <= max(losses) + 1e-5


def test_one_source_file_has_the_steps_loss_and_no_other(tmp_path: Path) -> None:
    assert not any(name.startswith("loss/") for name in rows_of(trained(build(tmp_path)))[0])


def test_rows_of_a_leap_stand_in_the_ledger_and_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {"LEAST": 1, "DEVIATIONS": -100.0, "SHARE": -100.0, "NATS": -100.0}
    for name, value in limits.items():
        monkeypatch.setattr(guard, name, value)  # then any loss above the first is a leap
    folder = build(tmp_path)
    adapter = trained(folder)
    leaps = [row["step"] for row in rows_of(adapter) if "spike" in row]
    assert adapter.counts["steps_with_a_spike"] == len(leaps) > 0
    entries = read_ledger(adapter.file(LEDGER))
    assert {entry.reason for entry in entries} == {Reason.LOSS_SPIKE}
    assert all(entry.detail.endswith(", taught") for entry in entries)
    story = explain_row(Store.beside(folder), entries[0].row)
    assert any(entry.reason is Reason.LOSS_SPIKE for entry in story.entries)


def test_an_unremarkable_training_has_no_ledger(tmp_path: Path) -> None:
    adapter = trained(build(tmp_path))
    assert not adapter.has(LEDGER)
    assert adapter.counts["steps_skipped"] == adapter.counts["overfitting"] == 0
    assert adapter.counts["kept_step"] == adapter.counts["steps_taken"] == adapter.counts["steps"]
    assert 0 < float(adapter.manifest.environment["mfu"]) < 1


def test_a_training_that_diverges_stops_with_its_rows_also_where_steps_may_be_skipped(
    tmp_path: Path,
) -> None:
    folder = build(tmp_path)
    for more in ((), ("train.on_nan=skip",)):
        with pytest.raises(TrainingError, match="not a number to go on with") as caught:
            trained(folder, "train.learning_rate=1.0e+30", *more)
        assert caught.value.rows
        assert ("were skipped" in caught.value.message) == bool(more)
