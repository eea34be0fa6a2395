from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from tutelage.core.errors import TrainingError
from tutelage.core.progress import Silent
from tutelage.core.recipe import Train, loads
from tutelage.store.run import Run
from tutelage.train.sinks import open_sinks
from tutelage.train.trackers import Tracker

FIRST = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 3, "loss": 1.5}]
AGAIN = [{"step": 3, "loss": 1.5}, {"step": 4, "loss": 1.0}]
LOSSES = {1: 3.0, 2: 2.0, 3: 1.5, 4: 1.0}


def told(folder: Path, *sinks: str) -> Path:
    """The run's folder after three steps, a break after the second's checkpoint, and two more."""
    section = Train.model_validate({"base": "b", "sinks": sinks})
    for done, rows in ((0, FIRST), (2, AGAIN)):
        with (
            Run.open(loads("name: sunk").at(folder)) as run,
            open_sinks(section, run, done) as all_,
        ):
            for row in rows:
                for sink in all_:
                    sink.write(row)
    return run.folder / "train"


def test_the_journal_has_each_step_once_however_the_run_was_broken_up(tmp_path: Path) -> None:
    journal = told(tmp_path) / "journal.jsonl"
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    assert {row["step"]: row["loss"] for row in rows} == LOSSES
    assert len(rows) == 4


def test_a_line_cut_short_is_left_out_of_the_journal(tmp_path: Path) -> None:
    journal = told(tmp_path) / "journal.jsonl"
    journal.write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "lo')
    section = Train(base="b")
    with Run.open(loads("name: sunk").at(tmp_path)) as run, open_sinks(section, run, 2) as (sink,):
        sink.write({"step": 3, "loss": 1.5})
    steps = [json.loads(line)["step"] for line in journal.read_text().splitlines()]
    assert steps == [1, 3]


def test_the_journal_is_there_while_training_runs(tmp_path: Path) -> None:
    section = Train(base="b")
    with Run.open(loads("name: sunk").at(tmp_path)) as run, open_sinks(section, run, 0) as (sink,):
        sink.write({"step": 1, "loss": 3.0})
        journal = run.folder / "train" / "journal.jsonl"
        assert journal.read_text() == '{"step": 1, "loss": 3.0}\n'


@pytest.mark.filterwarnings("ignore")  # of a tracker's own imports
def test_tensorboard_reads_back_what_was_written(tmp_path: Path) -> None:
    loading = import_module("tensorboard.backend.event_processing.event_accumulator")
    folder = told(tmp_path, "tensorboard") / "tensorboard"
    events = loading.EventAccumulator(str(folder)).Reload()
    assert {one.step: one.value for one in events.Scalars("loss")} == LOSSES


@pytest.mark.filterwarnings("ignore")
def test_mlflow_reads_back_what_was_written(tmp_path: Path) -> None:
    tracking = import_module("mlflow.tracking")
    folder = told(tmp_path, "mlflow") / "mlflow"
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    number = (folder / "run").read_text()
    history = client.get_metric_history(number, "loss")
    assert {one.step: one.value for one in history} == LOSSES
    assert client.get_run(number).info.status == "FINISHED"


@pytest.mark.filterwarnings("ignore")
def test_wandb_writes_offline_under_the_run(tmp_path: Path) -> None:
    wandb = import_module("wandb")
    from wandb.proto import wandb_internal_pb2

    found: dict[int, float] = {}
    folder = told(tmp_path, "wandb") / "wandb"
    wandb.teardown()  # its own process has written all once it has ended
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for piece in pieces(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(piece)
            items = {
                one.key or ".".join(one.nested_key): json.loads(one.value_json)
                for one in record.history.item
            }
            if "loss" in items:
                found[int(items["_step"])] = items["loss"]
    assert found == LOSSES


def pieces(log: bytes) -> Iterator[bytes]:
    """The records of a log of 32 KiB blocks, as LevelDB writes them, behind 7 bytes of its own."""
    at, whole = 7, b""
    while at < len(log):
        room = 32768 - at % 32768
        if room < 7:
            at += room
            continue
        _, size, kind = struct.unpack("<IHB", log[at : at + 7])
        whole += log[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or its last part
            yield whole
            whole = b""


@pytest.mark.filterwarnings("ignore")
def test_a_tracker_that_cannot_be_opened_is_told_and_training_goes_on(tmp_path: Path) -> None:
    class Hearer(Silent):
        def __init__(self) -> None:
            self.warnings: list[str] = []

        def warn(self, message: str) -> None:
            self.warnings.append(message)

    heard = Hearer()
    section = Train.model_validate({"base": "b", "sinks": ["mlflow"]})
    with Run.open(loads("name: sunk").at(tmp_path), progress=heard) as run:
        folder = run.folder / "train" / "mlflow"
        folder.mkdir(parents=True)
        (folder / "mlflow.db").write_bytes(b"garbage" * 1000)
        with open_sinks(section, run, 0) as sinks:
            for row in FIRST:
                for sink in sinks:
                    sink.write(row)
    (warned,) = heard.warnings
    assert warned.startswith("`mlflow` is told nothing: ")
    assert len((run.folder / "train" / "journal.jsonl").read_text().splitlines()) == len(FIRST)


@pytest.mark.filterwarnings("ignore")
def test_a_tracker_is_told_under_a_relative_folder_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tracking = import_module("mlflow.tracking")
    folder = told(Path(), "mlflow").absolute() / "mlflow"
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    number = (folder / "run").read_text()
    history = client.get_metric_history(number, "loss")
    assert {one.step: one.value for one in history} == LOSSES
    assert client.get_run(number).info.artifact_uri.startswith(folder.as_uri())


def test_a_tracker_that_is_missing_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(TrainingError, match="`wandb` is not installed") as caught:
        told(tmp_path, "wandb")
    assert "pip install tutelage[track]" in caught.value.hint


@pytest.mark.parametrize("failing", [2, 9], ids=["a step", "the end"])
def test_a_tracker_that_fails_is_told_no_more_and_training_goes_on(failing: int) -> None:
    came: list[int] = []
    warned: list[str] = []

    def log_row(figures: Mapping[str, float], step: int) -> None:
        came.append(step)
        if step == failing:
            raise OSError("no room\nto be had")

    def end() -> None:
        raise OSError("no room")

    with Tracker("mlflow", warned.append, log_row, end) as tracker:
        for row in FIRST:
            tracker.write(row)
    cause = "OSError: no room; `journal.jsonl` has every step"
    if failing == 2:
        assert came == [1, 2]
        assert warned == [f"`mlflow` is told nothing from step 2 on: {cause}"]
    else:
        assert came == [1, 2, 3]
        assert warned == [f"`mlflow` was not closed: {cause}"]


def test_a_journal_with_damaged_bytes_is_gone_on_with(tmp_path: Path) -> None:
    journal = told(tmp_path) / "journal.jsonl"
    journal.write_bytes(b'{"step": 1, "loss": 3.0}\n{"step": \xff\n[1]\n5\n{"step": []}\n')
    with (
        Run.open(loads("name: sunk").at(tmp_path)) as run,
        open_sinks(Train(base="b"), run, 2) as (sink,),
    ):
        sink.write({"step": 3, "loss": 1.5})
    assert [json.loads(line)["step"] for line in journal.read_text().splitlines()] == [1, 3]
