"""The other processes of a training: they wait for what rank 0 prepares, and train along."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tutelage.core.errors import TrainingError
from tutelage.core.recipe import Train
from tutelage.core.world import World
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.train.run import Material, base_and_contract, gathered, provenance_of, train_on


def follow(section: Train, run: Run, world: World) -> None:
    """Trains along, every training there is, and writes nothing.

    Raises: PeerLost where rank 0 is gone; TrainingError where this process would train
        something else; whatever training raises.
    """
    from tutelage.train.group import open_group, together
    from tutelage.train.meeting import connect, leave, wait_for_news

    store = connect(world)
    heard = 0
    while (announced := wait_for_news(store, heard)) is not None:
        mine = replace(run, training=int(announced["training"]))
        material = _material(section, announced, mine, world)
        group = open_group(world, store, heard)
        with together():
            trained = train_on(section, material, mine, announced["adapter"], group)
            gathered(trained.loop.learner)
            group.close()
        heard += 1
        if mine.training == section.seeds:
            break  # what comes after it is rank 0's alone
    leave(store)


def _material(section: Train, announced: Mapping[str, str], run: Run, world: World) -> Material:
    base, contract = base_and_contract(section, run)
    material = Material(
        base=base,
        dataset=_found(announced["dataset"], run, world),
        contract=contract,
        tokens=_found(announced["tokens"], run, world),
    )
    if provenance_of(section, material, run).key != announced["adapter"]:
        raise TrainingError(
            f"rank {world.rank} would train something else than rank 0",
            expected="the same recipe, base and version of tutelage for every process",
            hint="start the same command on every node",
        )
    return material


def _found(key: str, run: Run, world: World) -> Artifact:
    artifact = run.store.find(key)
    if artifact is None:
        raise TrainingError(
            f"rank {world.rank} does not see what rank 0 prepared",
            where=str(run.store.root),
            expected="one project folder that every node sees",
            hint="put the recipe's folder on a file system that all nodes share",
        )
    return artifact
