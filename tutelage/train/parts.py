"""Checkpoints of sharded weights: every rank writes its part, any number of ranks reads them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from tutelage.store.checkpoint import Checkpoint, Checkpoints
from tutelage.train.checkpoint import PARTS, Optimizers, Rows
from tutelage.train.shard import part_of
from tutelage.train.weights import Learner

ROWS = "rows.json"
WEIGHTS, OPTIMIZER = "weights.", "optimizer"


def save_parts(
    checkpoints: Checkpoints, step: int, rows: Rows, learner: Learner, optimizers: Optimizers
) -> None:
    """Write the state whole or not at all; every rank of the group does this."""
    tensors = {**_weights(learner), **_states(learner, optimizers)}

    def write(folder: Path) -> None:
        shared = Path(learner.group.same(str(folder)))
        save(tensors, storage_writer=FileSystemWriter(shared / PARTS))

    if not learner.group.first:
        write(checkpoints.temp)
        return

    def write_first(folder: Path) -> None:
        write(folder)
        (folder / ROWS).write_text(json.dumps(rows), encoding="utf-8")

    checkpoints.save(step, write_first)


def load_parts(found: Checkpoint, learner: Learner, optimizers: Optimizers) -> Rows:
    """Puts a state back that any number of ranks wrote in parts; returns what was measured."""
    trained = learner.trainable()
    reader = FileSystemReader(found.folder / PARTS)
    known = reader.read_metadata().state_dict_metadata
    tensors: dict[str, Tensor] = dict(_weights(learner))
    for name, _, weight, key in _slots(known, trained):
        size = known[name].size  # type: ignore[union-attr]
        like = size == weight.shape and key != "step"
        tensors[name] = (
            torch.zeros_like(weight) if like else torch.zeros(size, device=weight.device)
        )
    with warnings.catch_warnings():  # that one process reads alone is meant
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        load(tensors, storage_reader=reader, no_dist=not learner.group.sharded)
    kept = [name for name in tensors if name.startswith(WEIGHTS)]
    learner.restore({name.removeprefix(WEIGHTS): tensors[name] for name in kept})
    for name, number, weight, key in _slots(known, trained):
        optimizers[number][0].state[weight][key] = tensors[name]
    return read_rows(found)


def read_rows(found: Checkpoint) -> Rows:
    """What was measured before a state was written in parts."""
    rows: Rows = json.loads((found.folder / ROWS).read_text(encoding="utf-8"))
    return rows


def parted(whole: Mapping[str, Any], learner: Learner, optimizers: Optimizers) -> dict[str, Any]:
    """A state that was written whole, as this rank's part of it."""
    trained = learner.trainable()
    weights = {
        name: part_of(trained[name], value) if name in trained else value
        for name, value in whole["weights"].items()
    }
    states = []
    for (optimizer, _), kept in zip(optimizers, whole["optimizers"], strict=True):
        order = [weight for group in optimizer.param_groups for weight in group["params"]]
        state = {
            number: {key: part_of(order[number], value) for key, value in one.items()}
            for number, one in kept["state"].items()
        }
        states.append({**kept, "state": state})
    return {**whole, "weights": weights, "optimizers": states}


def _weights(learner: Learner) -> dict[str, Tensor]:
    return {WEIGHTS + name: weight for name, weight in learner.state().items()}


def _states(learner: Learner, optimizers: Optimizers) -> dict[str, Tensor]:
    names = {id(weight): name for name, weight in learner.trainable().items()}
    return {
        f"{OPTIMIZER}.{number}.{names[id(weight)]}.{key}": value
        for number, (optimizer, _) in enumerate(optimizers)
        for weight, state in optimizer.state.items()
        for key, value in state.items()
    }


def _slots(
    known: Mapping[str, object], trained: Mapping[str, nn.Parameter]
) -> list[tuple[str, int, nn.Parameter, str]]:
    """Name, optimizer, weight and key of every optimizer state that was written."""
    found = []
    for name in known:
        kind, _, rest = name.partition(".")
        if kind == OPTIMIZER:
            number, _, path = rest.partition(".")
            weight, _, key = path.rpartition(".")
            found.append((name, int(number), trained[weight], key))
    return found
