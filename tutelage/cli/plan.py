"""`plan`: memory, disk, time and cost of a training, from real steps on its heaviest rows."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click import Context, Parameter
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import load_recipe, of_recipe
from tutelage.cli.reply import Reply, Session

if TYPE_CHECKING:
    from tutelage.train.plan import Plan


class Amount(click.FloatRange):
    """A finite number that is not below zero."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: Parameter | None, ctx: Context | None) -> Any:
        """The number a word says."""
        found = super().convert(value, param, ctx)
        if not math.isfinite(found):
            self.fail(f"{value} is no finite number", param, ctx)
        return found


@click.command("plan")
@of_recipe
@click.option("--price-per-hour", type=Amount(), help="Of this machine; the plan then has a cost.")
@click.option("--watts", type=Amount(), help="It draws; the plan then has an energy.")
@click.pass_obj
def plan_command(
    session: Session,
    recipe: str,
    overrides: tuple[str, ...],
    price_per_hour: float | None,
    watts: float | None,
) -> Reply:
    """Tell memory, disk and time of the training of RECIPE before it begins.

    Makes the dataset, then measures a few real steps on the heaviest rows; nothing
    of them is kept. What the recipe leaves open is listed with the reason for its default.
    """
    loaded = load_recipe(recipe, overrides)

    from tutelage import pipeline

    with session.progress() as progress:
        plan, artifact = pipeline.plan(loaded, progress=progress)

    from tutelage.train.budget import Price

    free = shutil.disk_usage(loaded.base_dir).free
    price = dict(Price(per_hour=price_per_hour, watts=watts).of(plan.seconds))

    def draw(console: Console) -> None:
        for what, says in (*lines(plan, free), *priced(price)):
            console.print(Text(f"{what:<10}").append(says), soft_wrap=True)
        console.print(Text("\nwhat the recipe leaves open"))
        for one in plan.choices:
            if one.why:
                console.print(Text(f"  {one.key}: {one.value}  ").append(one.why), soft_wrap=True)

    data = {**asdict(plan), "free_disk_bytes": free, **price}
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
    several = f" for {plan.trainings} trainings" if plan.trainings > 1 else ""
    yield "time", f"{duration(plan.seconds)}{several} ({steady})"
    parts = {
        "weights": plan.memory.weights,
        "gradients": plan.memory.gradients,
        "optimizer": plan.memory.optimizer,
        "a checkpoint's copy": plan.memory.checkpoint,
        "activations": plan.memory.activations,
        "the process": plan.memory.process,
    }
    told = ", ".join(f"{name} {size(count)}" for name, count in parts.items())
    yield "memory", f"{size(plan.memory_bytes)} at its peak: {told}"
    if plan.remedies:
        there = size(plan.available_bytes or 0)
        yield "", f"more than the {there} that are free; try {', or '.join(plan.remedies)}"
    yield "disk", f"{size(plan.disk_bytes)} while training, {size(free)} free"


def priced(price: dict[str, float]) -> Iterator[tuple[str, str]]:
    """Cost and energy, where they can be told."""
    if "cost" in price:
        yield "cost", f"{price['cost']:.2f} at that price an hour"
    if "kilowatt_hours" in price:
        yield "energy", f"{price['kilowatt_hours']:.3f} kWh"
