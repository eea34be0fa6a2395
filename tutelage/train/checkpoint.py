"""A training's state on disk: all that going on exactly needs.

The learning rate follows from the step's number, and so does every random stream (a stream a
step): step, weights, optimizers' state and what was measured are the whole of it. What early
stopping, the best step and the guards go by is read off the measured rows.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tutelage.core.errors import StoreError
from tutelage.store.checkpoint import Checkpoint, Checkpoints
from tutelage.train.standing import Criterion, standing
from tutelage.train.weights import Learner

log = logging.getLogger(__name__)

FILE, PARTS = "state.pt", "parts"
UNFIT = (AttributeError, KeyError, RuntimeError, TypeError, ValueError)  # of another's state
Optimizers = Sequence[tuple[torch.optim.Optimizer, float]]
Rows = list[dict[str, float]]


@dataclass(slots=True, kw_only=True)
class State:
    """Where a training stands: steps done and what was measured on the way."""

    step: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saves:
    """Where a training saves: states to resume from, and the weights of their best steps.

    The best weights are there before the state that goes by them, and stay as long as it does.
    """

    states: Checkpoints
    best: Checkpoints

    def then_drop(
        self, write: Callable[[], object], state: State, criterion: Criterion
    ) -> Callable[[], object]:
        """Writes, then removes the weights of best steps that nothing goes by any more.

        A kept state goes by that of its own step, the next state by that of now.
        """
        rows, now = state.rows, state.step

        def both() -> None:
            write()
            steps = (now, *self.states.steps())
            self.best.keep({standing(rows[:step], criterion).step for step in steps})

        return both


def saving(
    checkpoints: Checkpoints, state: State, learner: Learner, optimizers: Optimizers
) -> Callable[[], object]:
    """Writes the state as it is now, whole or not at all, whenever it is called.

    Of copies rank 0 writes one; of weights in parts every rank has written its own already.
    """
    if learner.group.sharded:
        return _parts(checkpoints, state, learner, optimizers)
    if not learner.group.first:
        return _nothing
    whole: dict[str, Any] = {
        "weights": learner.state(),
        "optimizers": [optimizer.state_dict() for optimizer, _ in optimizers],
        "rows": state.rows,
    }
    return _writing(checkpoints, state.step, whole)


def saving_weights(checkpoints: Checkpoints, step: int, learner: Learner) -> Callable[[], object]:
    """Writes the trainable weights as they are now, whole or not at all."""
    if learner.group.sharded:
        return _parts(checkpoints, State(step=step), learner, ())
    if not learner.group.first:
        return _nothing
    return _writing(checkpoints, step, {"weights": learner.state()})


def resume(
    checkpoints: Checkpoints,
    learner: Learner,
    optimizers: Optimizers,
    usable: Callable[[Rows], bool] = lambda _: True,
) -> State:
    """The state of the newest whole checkpoint whose measured rows are `usable`, put back; a
    fresh one where there is none.

    Raises: StoreError where it was written over with something else.
    """
    for found in checkpoints.newest():
        parts = (found.folder / PARTS).exists()
        whole = {"rows": _rows(found)} if parts else _read(found)
        if not usable(_measured(found, whole)):
            log.warning("%s is passed over: the best step's weights are gone", found.folder.name)
        elif parts:
            return State(step=found.step, rows=_load(found, learner, optimizers))
        else:
            return State(step=found.step, rows=_fitted(found, whole, learner, optimizers))
    return State()


def _measured(found: Checkpoint, whole: Any) -> Rows:
    """The rows of a state, of which there is one a step."""
    rows = whole.get("rows") if isinstance(whole, dict) else None
    if not isinstance(rows, list) or len(rows) != found.step:
        raise _unfit(found, f"it has no rows of {found.step} steps")
    return rows


def _fitted(
    found: Checkpoint, whole: dict[str, Any], learner: Learner, optimizers: Optimizers
) -> Rows:
    try:
        return _put_back(whole, learner, optimizers)
    except UNFIT as error:
        raise _unfit(found, f"{type(error).__name__}: {error}") from error


def _unfit(found: Checkpoint, cause: str) -> StoreError:
    return StoreError(
        f"this checkpoint does not fit the training: {cause}",
        where=str(found.folder / FILE),
        expected="one that this version of tutelage wrote",
        hint=f"remove {found.folder.parent.name} and run again: training starts anew",
    )


def _put_back(whole: dict[str, Any], learner: Learner, optimizers: Optimizers) -> Rows:
    if learner.group.sharded:
        from tutelage.train.parts import parted

        whole = parted(whole, learner, optimizers)
    learner.restore(whole["weights"])
    for (optimizer, _), kept in zip(optimizers, whole["optimizers"], strict=True):
        optimizer.load_state_dict(kept)
    return list(whole["rows"])


def restore_weights(checkpoints: Checkpoints, step: int, learner: Learner) -> None:
    """Puts the weights of a step back.

    Raises: StoreError where they are missing, damaged, or another's.
    """
    found = checkpoints.at(step)
    if (found.folder / PARTS).exists():
        _load(found, learner, ())
        return
    try:
        learner.restore(_read(found)["weights"])
    except UNFIT as error:
        raise _unfit(found, f"{type(error).__name__}: {error}") from error


def _parts(
    checkpoints: Checkpoints, state: State, learner: Learner, optimizers: Optimizers
) -> Callable[[], object]:
    from tutelage.train.parts import save_parts

    save_parts(checkpoints, state.step, state.rows, learner, optimizers)
    return _nothing


def _load(found: Checkpoint, learner: Learner, optimizers: Optimizers) -> Rows:
    from tutelage.train.parts import load_parts

    return load_parts(found, learner, optimizers)


def _rows(found: Checkpoint) -> Rows:
    from tutelage.train.parts import read_rows

    return read_rows(found)


def _nothing() -> None:
    """What is left to write where all is written, or another rank writes it."""


def _writing(checkpoints: Checkpoints, step: int, whole: Mapping[str, Any]) -> Callable[[], object]:
    copy = copied(whole)

    def write(folder: Path) -> None:
        torch.save(copy, folder / FILE)

    return lambda: checkpoints.save(step, write)


def copied(value: Any) -> Any:
    """The same values, every tensor and list a copy of its own in main memory."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {name: copied(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(one) for one in value)
    return value


def _read(found: Checkpoint) -> dict[str, Any]:
    try:
        whole: dict[str, Any] = torch.load(
            found.folder / FILE, map_location="cpu", weights_only=True
        )
    except (RuntimeError, pickle.UnpicklingError, EOFError, OSError) as error:
        raise StoreError(
            f"this checkpoint is not what training wrote: {type(error).__name__}",
            where=str(found.folder / FILE),
            hint="remove its folder and run again: training goes on from the one before",
        ) from error
    return whole
