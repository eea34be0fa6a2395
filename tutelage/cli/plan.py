"""`plan`: memory, disk and time of a training, from real steps on its heaviest rows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import load_recipe, of_recipe
from tutelage.cli.reply import Reply, Session

if TYPE_CHECKING:
    from tutelage.train.plan import Plan


@click.command("plan")
@of_recipe
@click.pass_obj
def plan_command(session: Session, recipe: str, overrides: tuple[str, ...]) -> Reply:
    """Tell memory, disk and time of the training of RECIPE before it begins.

    Makes the dataset, then measures a few real steps on the heaviest rows; nothing
    of them is kept.
    """
    loaded = load_recipe(recipe, overrides)

    from tutelage import pipeline

    with session.progress() as progress:
        plan, artifact = pipeline.plan(loaded, progress=progress)
    free = shutil.disk_usage(loaded.base_dir).free

    def draw(console: Console) -> None:
        for what, says in lines(plan, free):
            console.print(Text(f"{what:<10}").append(says), soft_wrap=True)

    data = {**asdict(plan), "free_disk_bytes": free}
    return Reply(data=data, draw=draw, artifacts=[("curate", artifact)])


def lines(plan: Plan, free: int) -> Iterator[tuple[str, str]]:
    """What is told to people, a line each."""
    from tutelage.cli.terminal import counted, duration, size

    trained = f"{plan.trained_parameters:,} of {plan.base_parameters:,}"
    yield "model", f"{plan.backbone} backbone in {plan.precision}; trains {trained} weights"
    spared = 1 - plan.packed_tokens / plan.tokens
    yield (
        "lessons",
        f"{counted(plan.lessons, 'lesson')} of {plan.tokens:,} tokens, "
        f"{plan.supervised_tokens:,} taught; folding spares {spared:.0%}",
    )
    yield "steps", f"{plan.steps:,}, peak learning rate {plan.learning_rate:g}"
    steady = f"{plan.step_seconds:.2f} s a heavy step, {plan.warm_seconds:.1f} s the first"
    yield "time", f"{duration(plan.seconds)} ({steady})"
    yield "memory", f"{size(plan.memory_bytes)} at its peak"
    yield "disk", f"{size(plan.disk_bytes)} while training, {size(free)} free"
