"""`curate`, `train`, `evaluate`, `gate`, `release` and `run`: the road, walked as far as asked."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tutelage.cli.options import forced, load_recipe, of_recipe, several
from tutelage.cli.reply import Reply, Session
from tutelage.core.errors import UsageError
from tutelage.core.world import World
from tutelage.store.artifact import read_json
from tutelage.store.disk import write_file
from tutelage.store.release import VERDICT
from tutelage.train.asked import stopping

if TYPE_CHECKING:
    from tutelage.pipeline import Stage


@click.command("curate")
@of_recipe
@forced
@click.option(
    "--learning-curve",
    "curve",
    is_flag=True,
    help="Then train on parts of the rows as RECIPE says, and tell what twice the rows would give.",
)
@click.option(
    "--unlikely",
    type=click.IntRange(1),
    metavar="N",
    help="Then list the N rows whose answers the base of RECIPE expects least.",
)
@click.pass_obj
def curate_command(
    session: Session,
    recipe: str,
    overrides: tuple[str, ...],
    force: bool,
    curve: bool,
    unlikely: int | None,
) -> Reply:
    """Check, clean and split the rows of RECIPE: a dataset."""
    if curve and unlikely:
        raise UsageError("`--learning-curve` and `--unlikely` are two questions; ask one at a time")
    if curve or unlikely:
        from tutelage.cli.learning import asked

        return asked(session, load_recipe(recipe, overrides), force, unlikely)
    return _walk(session, recipe, overrides, force, "curate")


@click.command("train")
@of_recipe
@forced
@several
@click.pass_obj
def train_command(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool, processes: int
) -> Reply:
    """Teach the base model of RECIPE its dataset: an adapter."""
    if processes > 1:
        return _launched(session, recipe, overrides, force, processes)
    return _walk(session, recipe, overrides, force, "train")


@click.command("evaluate")
@of_recipe
@forced
@click.pass_obj
def evaluate_command(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool
) -> Reply:
    """Measure the adapter of RECIPE beside its baselines: a report."""
    return _walk(session, recipe, overrides, force, "evaluate")


@click.command("gate")
@of_recipe
@forced
@click.option(
    "--junit",
    "report",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the verdict there as JUnit XML, too.",
)
@click.pass_obj
def gate_command(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool, report: Path | None
) -> Reply:
    """Hold the report of RECIPE against its rules: a verdict.

    Ends with exit code 3 where the gate stays shut: fail or inconclusive.
    """
    reply = _walk(session, recipe, overrides, force, "gate")
    if report is not None:
        from tutelage.gate.junit import junit

        verdict = next(one for stage, one in reply.artifacts if stage == "gate")
        form = read_json(verdict.file(VERDICT))
        write_file(report, junit(form, verdict.manifest.section["name"]))
    return reply


@click.command("release")
@of_recipe
@forced
@click.pass_obj
def release_command(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool
) -> Reply:
    """Put together what may be served of RECIPE: a release.

    Ends with exit code 3 where a rule of the gate does not hold and no waiver of the
    recipe covers it.
    """
    return _walk(session, recipe, overrides, force, "release")


@click.command("run")
@of_recipe
@forced
@several
@click.pass_obj
def run_command(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool, processes: int
) -> Reply:
    """Walk all stages that RECIPE has, and print what came of it.

    What did not change is taken from the store. Ends with exit code 3 where the
    gate stays shut: fail or inconclusive.
    """
    if processes > 1:
        return _launched(session, recipe, overrides, force, processes)
    return _walk(session, recipe, overrides, force, None)


def _launched(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool, processes: int
) -> Reply:
    """The same command as several processes, of which rank 0 answers."""
    if World.here().size > 1:
        raise UsageError(
            "this is one of several processes already, and `--nproc` would start more",
            hint="leave `--nproc` out: torchrun's own option says how many there are",
        )
    load_recipe(recipe, overrides)  # its faults are told once

    from tutelage.train.launch import launch

    words = [session.command, recipe]
    for override in overrides:
        words += ["--set", override]
    words += ["--force"] * force + ["--json"] * session.as_json
    return Reply(code=launch(words, processes), said=True)


def _walk(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool, until: Stage | None
) -> Reply:
    loaded = load_recipe(recipe, overrides)  # first: its faults are told before torch is loaded

    from tutelage import pipeline
    from tutelage.cli.summary import reply

    world = World.here()
    if not world.first:
        if until != "curate":
            pipeline.follow(loaded, world)
        return Reply(said=True)
    heard = stopping() if world.size == 1 else nullcontext()  # else whoever started it stops all
    with session.progress() as progress, _hosting(world, until), heard:
        outcome = pipeline.run(loaded, until=until, progress=progress, force=force)
    for waiver in loaded.release.waivers if loaded.release else ():
        if waiver.expires <= datetime.now(UTC).date():
            session.warn(f"the waiver of `{waiver.rule}` by {waiver.by} ended {waiver.expires}")
    return reply(outcome)


def _hosting(world: World, until: Stage | None) -> AbstractContextManager[None]:
    """Keeps the other processes posted, where there are any to train along."""
    if world.size == 1 or until == "curate":
        return nullcontext()

    from tutelage.train.meeting import hosting

    return hosting(world)
