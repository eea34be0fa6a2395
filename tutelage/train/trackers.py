"""MLflow, Weights & Biases and TensorBoard as sinks, each imported when it is asked for.

All of them write under the run's folder and need no network: MLflow to a SQLite file, Weights &
Biases offline (`wandb sync` sends it on), TensorBoard to event files.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tutelage.core.errors import TrainingError
from tutelage.store.run import Run

log = logging.getLogger(__name__)

STEP = "step"


class Tracker(AbstractContextManager["Tracker"]):
    """Hands rows on to a tracker; one that fails is told no more, and training goes on."""

    def __init__(
        self,
        name: str,
        warn: Callable[[str], None],
        log_row: Callable[[Mapping[str, float], int], object],
        end: Callable[[], object],
    ) -> None:
        self._name, self._warn = name, warn
        self._log_row, self._end = log_row, end
        self._failed = False

    def write(self, row: Mapping[str, float]) -> None:
        """One step's figures, under its number."""
        figures = {name: value for name, value in row.items() if name != STEP}
        step = int(row[STEP])
        if not self._failed:
            self._tried(
                lambda: self._log_row(figures, step), f"is told nothing from step {step} on"
            )

    def __exit__(self, *raised: object) -> None:
        self._tried(self._end, "was not closed")

    def _tried(self, call: Callable[[], object], so: str) -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001  whatever goes wrong in there, training goes on
            known, self._failed = self._failed, True
            if not known:
                self._warn(f"`{self._name}` {so}: {_cause(error)}")


def open_tracker(name: str, folder: Path, run: Run, done: int) -> Tracker | None:
    """The tracker of a name, writing into `folder` and going on after `done` steps; None, which
    is told, where it cannot be opened.

    Raises: TrainingError that says what to install where it is missing.
    """
    opens = {"mlflow": _mlflow, "wandb": _wandb, "tensorboard": _tensorboard}[name]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return opens(folder.absolute(), run, done)
    except TrainingError:
        raise
    except Exception as error:  # noqa: BLE001  whatever goes wrong in there, training goes on
        run.progress.warn(f"`{name}` is told nothing: {_cause(error)}")
        return None


def _cause(error: Exception) -> str:
    said = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])
    return f"{said}; `journal.jsonl` has every step"


def _mlflow(folder: Path, run: Run, done: int) -> Tracker:
    tracking = _imported("mlflow", "mlflow.tracking")
    _imported("mlflow", "alembic")  # which mlflow's small edition leaves out and SQLite needs
    client = tracking.MlflowClient(tracking_uri=f"sqlite:///{folder / 'mlflow.db'}")
    name = run.folder.name
    found = client.get_experiment_by_name(name)
    place = (folder / "artifacts").as_uri()
    experiment = found.experiment_id if found else client.create_experiment(name, place)
    noted = folder / "run"
    if done and noted.exists():
        number = noted.read_text(encoding="utf-8")
        client.update_run(number, status="RUNNING")
    else:
        number = client.create_run(experiment).info.run_id
        noted.write_text(number, encoding="utf-8")

    def log_row(figures: Mapping[str, float], step: int) -> None:
        for figure, value in figures.items():
            client.log_metric(number, figure, value, step=step)

    return Tracker("mlflow", run.progress.warn, log_row, lambda: client.set_terminated(number))


def _wandb(folder: Path, run: Run, done: int) -> Tracker:
    wandb = _imported("wandb", "wandb")
    mode = os.environ.get("WANDB_MODE", "offline")
    settings = wandb.Settings(silent=True, console="off")
    known = run.folder.name[-64:]
    opened = wandb.init(
        project=run.recipe.name, dir=folder, mode=mode, id=known, resume="allow", settings=settings
    )
    return Tracker(
        "wandb",
        run.progress.warn,
        lambda figures, step: opened.log(dict(figures), step=step),
        opened.finish,
    )


def _tensorboard(folder: Path, run: Run, done: int) -> Tracker:
    writing = _imported("tensorboard", "torch.utils.tensorboard")
    writer = writing.SummaryWriter(log_dir=str(folder), purge_step=done + 1 if done else None)

    def log_row(figures: Mapping[str, float], step: int) -> None:
        for figure, value in figures.items():
            writer.add_scalar(figure, value, step)
        writer.flush()

    return Tracker("tensorboard", run.progress.warn, log_row, writer.close)


def _imported(name: str, module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise TrainingError(
            f"`{name}` is not installed",
            where="train.sinks",
            hint=f"`pip install tutelage[track]`, or leave `{name}` out of the key",
        ) from error
