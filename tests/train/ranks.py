"""Cases that several processes train together: run by each of them, compared by the tests.

`python -m tests.train.ranks FOLDER`, with torchrun's variables; rank 0 leaves what came of each
case in FOLDER/out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._C._distributed_c10d import Store

from tutelage.cli.process import leave_at_once
from tutelage.core.errors import TutelageError
from tutelage.core.recipe import Recipe, load
from tutelage.core.world import World
from tutelage.store.run import Run
from tutelage.train.group import Group, open_group
from tutelage.train.loop import Loop
from tutelage.train.meeting import connect
from tutelage.train.patience import Patience
from tutelage.train.run import Material, base_and_contract, gathered, train_on

WAITED = timedelta(seconds=60)  # at most, for what never comes where nobody tells
OFTEN = "train.checkpoint_every_seconds=0.000001"
HF = ("train.base=gpt2",)
SHARD = ("train.parallel=shard",)
LORA = ("train.method=lora", "train.lora.rank=4", "train.lora.dropout=0.2")
MUON = ("train.optimizer=muon", "train.learning_rate=0.01")
CASES: dict[str, tuple[str, ...]] = {
    "flat lora": LORA,
    "flat full": (),
    "flat full shard": SHARD,
    "flat lora shard": LORA + SHARD,
    "flat muon shard": MUON + SHARD,
    "hf lora": HF + LORA,
    "hf full": HF,
    "hf full shard": HF + SHARD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a training."""

    rows: list[dict[str, float]]
    weights: dict[str, Tensor]


def recipe_of(folder: Path, *overrides: str) -> Recipe:
    """The project's recipe, a training of one epoch."""
    return load(folder / "recipe.yaml", ("train.epochs=1", *overrides))


def trained(recipe: Recipe, keys: dict[str, str], group: Group, case: str) -> tuple[Any, Came]:
    """What the group comes to with the artifacts of `keys`; checkpoints are the case's own."""
    run = Run.beside(recipe)
    assert recipe.train is not None
    base, contract = base_and_contract(recipe.train, run)
    dataset, tokens = run.store.find(keys["dataset"]), run.store.find(keys["tokens"])
    assert dataset is not None
    assert tokens is not None
    material = Material(base=base, dataset=dataset, contract=contract, tokens=tokens)
    key = case.replace(" ", "-").ljust(12, "-")
    done = train_on(recipe.train, material, run, key, group)
    learner = gathered(done.loop.learner)
    return learner, Came(rows=done.state.rows, weights=learner.state())


def keys_of(folder: Path, base: str) -> dict[str, str]:
    """The artifacts that were prepared for a base."""
    found: dict[str, dict[str, str]] = json.loads((folder / "keys.json").read_text())
    return found[base]


def base_of(overrides: tuple[str, ...]) -> str:
    """Which of the two bases a case trains."""
    return "gpt2" if HF[0] in overrides else "base"


def note(folder: Path, group: Group, name: str, content: object) -> None:
    """Leaves what came of a case, on rank 0."""
    if group.first:
        (folder / "out").mkdir(exist_ok=True)
        torch.save(content, folder / "out" / f"{name}.pt")


def equal_cases(folder: Path, group: Group) -> None:
    for name, overrides in CASES.items():
        recipe = recipe_of(folder, *overrides)
        learner, came = trained(recipe, keys_of(folder, base_of(overrides)), group, name)
        note(folder, group, name, {"rows": came.rows, "weights": came.weights})
        if group.first and "flat lora" in name:
            learner.save(folder / "out" / name)


def resumed_cases(folder: Path, group: Group) -> None:
    """Broken off after two steps and gone on with, in parts and as copies."""
    for name, overrides in (("parts", SHARD), ("copies", ())):
        recipe = recipe_of(folder, *overrides, OFTEN)
        keys = keys_of(folder, "base")
        with stopping_after(2):
            broken = error_of(trained, recipe, keys, group, name)
        note(folder, group, f"{name} broken", broken)
        group.any(False)  # rank 0 has saved
        _, came = trained(recipe, keys, group, name)
        note(folder, group, name, {"rows": came.rows, "weights": came.weights})


def crossed_cases(folder: Path, group: Group) -> None:
    """What one form of checkpoint holds, gone on with in the other; the tests do it alone."""
    for name, first, then in (("to parts", (), SHARD), ("to copies", SHARD, ())):
        keys = keys_of(folder, "base")
        with stopping_after(2):
            error_of(trained, recipe_of(folder, *first, OFTEN), keys, group, name)
        group.any(False)
        _, came = trained(recipe_of(folder, *then), keys, group, name)
        note(folder, group, name, {"rows": came.rows, "weights": came.weights})
    with stopping_after(2):
        error_of(trained, recipe_of(folder, *SHARD, OFTEN), keys, group, "to one")


def failing_cases(folder: Path, group: Group) -> None:
    """What goes wrong on rank 1 alone, and what every rank says of it."""
    keys = keys_of(folder, "base")
    recipe = recipe_of(folder)
    with stepping(spoiled_weight if group.rank == 1 else nothing):
        told = error_of(trained, recipe, keys, group, "spoiled")
    note(folder, group, "spoiled", group.collect({group.rank: told}))
    with stepping(not_a_number if group.rank == 1 else nothing):
        told = error_of(trained, recipe, keys, group, "not a number")
    note(folder, group, "not a number", group.collect({group.rank: told}))


def waiting_cases(folder: Path, group: Group, store: Store) -> None:
    """Rank 1 comes to each collective only when rank 0 has told that it waits in it."""
    weight = torch.nn.Parameter(torch.ones(3))
    waits: dict[str, Callable[[], object]] = {
        "reduce": lambda: group.reduce([weight], 1.0),
        "sum": lambda: group.sum(1.0),
        "collect": lambda: group.collect({group.rank: group.rank}),
        "same": lambda: group.same(group.rank),
    }
    told = []
    for name, act in waits.items():

        def tell(_: float, name: str = name) -> None:
            store.set(name, "told")

        group.patience, own = Patience(tell, slow=0.01, look=0.005), group.patience
        if group.rank == 1:
            store.wait([name], WAITED)
        act()
        group.patience.close()
        group.patience = own
        told.append(name)
    note(folder, group, "told", told)


class Broken(Exception):
    """A training is broken off here."""


def error_of(act: Callable[..., object], *given: object) -> str:
    """What is said when it fails."""
    try:
        act(*given)
        return ""
    except (TutelageError, Broken) as error:
        return str(error)


def nothing(loop: Loop, number: int) -> None:
    """Leaves the step as it is."""


def spoiled_weight(loop: Loop, number: int) -> None:
    """One bit of a weight flips."""
    if number == 1:
        weight = loop.learner.trainable()["layers.1.down.weight"]
        weight.data.view(torch.int32)[0, 0] ^= 1


def not_a_number(loop: Loop, number: int) -> None:
    """A row of this rank's share comes with a weight that is no number."""
    if number == 2:
        turns = loop._turns

        def poisoned(*step: Any) -> Any:
            return [replace(one, weight=one.weight * float("nan")) for one in turns(*step)]

        loop._turns = poisoned  # type: ignore[assignment, method-assign]


class stepping:
    """Does something before each step, for the block."""

    def __init__(self, act: Callable[[Loop, int], None]) -> None:
        self.act = act
        self.step = Loop.step

    def __enter__(self) -> None:
        step, act = self.step, self.act

        def acted(loop: Loop, number: int, *more: Any) -> dict[str, float]:
            act(loop, number)
            return step(loop, number, *more)

        Loop.step = acted  # type: ignore[assignment, method-assign]

    def __exit__(self, *_: object) -> None:
        Loop.step = self.step  # type: ignore[method-assign]


def stopping_after(steps: int) -> stepping:
    """Breaks a training off after so many steps."""

    def stop(loop: Loop, number: int) -> None:
        if number == steps:
            raise Broken("broken off")

    return stepping(stop)


def main(folder: Path) -> None:
    world = World.here()
    store = connect(world, server=world.first)
    group = open_group(world, store)
    equal_cases(folder, group)
    resumed_cases(folder, group)
    crossed_cases(folder, group)
    failing_cases(folder, group)
    waiting_cases(folder, group, store)
    group.close()


if __name__ == "__main__":
    codes: list[int] = []
    leave_at_once(codes)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    main(Path(sys.argv[1]))
    codes.append(0)
