"""A training's state on disk: all that going on exactly needs."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tutelage.core.errors import StoreError
from tutelage.store.checkpoint import Checkpoints
from tutelage.train.weights import Learner

FILE = "state.pt"
Optimizers = Sequence[tuple[torch.optim.Optimizer, float]]


@dataclass(slots=True, kw_only=True)
class State:
    """Where a training stands: steps done and what was measured on the way."""

    step: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)


def save(checkpoints: Checkpoints, state: State, learner: Learner, optimizers: Optimizers) -> None:
    """Write the state whole or not at all."""
    whole: dict[str, Any] = {
        "weights": learner.state(),
        "optimizers": [optimizer.state_dict() for optimizer, _ in optimizers],
        "rows": state.rows,
    }

    def write(folder: Path) -> None:
        torch.save(whole, folder / FILE)

    checkpoints.save(state.step, write)


def resume(checkpoints: Checkpoints, learner: Learner, optimizers: Optimizers) -> State:
    """The state of the newest whole checkpoint, put back; a fresh one where there is none.

    Raises: StoreError where it was written over with something else.
    """
    found = checkpoints.latest()
    if found is None:
        return State()
    try:
        whole = torch.load(found.folder / FILE, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise StoreError(
            f"this checkpoint is not what training wrote: {type(error).__name__}",
            where=str(found.folder / FILE),
            hint="remove its folder and run again: training goes on from the one before",
        ) from error
    learner.restore(whole["weights"])
    for (optimizer, _), kept in zip(optimizers, whole["optimizers"], strict=True):
        optimizer.load_state_dict(kept)
    return State(step=found.step, rows=list(whole["rows"]))
