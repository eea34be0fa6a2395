"""`check`: recipe, base and rows are validated before any work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from rich.console import Console

from tutelage.cli.options import load_recipe, of_recipe
from tutelage.cli.reply import Reply

if TYPE_CHECKING:
    from tutelage.cli.looks import Look


@click.command("check")
@of_recipe
def check_command(recipe: str, overrides: tuple[str, ...]) -> Reply:
    """Validate RECIPE, its base and all its rows before any work.

    Reads every row, renders a sample, looks for the stop token among what is taught,
    reads the suites, compares the rules with the metrics there will be, and counts
    rows that repeat tasks. Ends with exit code 1 where a run would fail.
    """
    from tutelage.cli.checking import Check
    from tutelage.cli.looks import forms, whole

    loaded = load_recipe(recipe, overrides)
    looks = Check(recipe=loaded).look()
    return Reply(
        data={"looks": forms(looks)},
        draw=lambda console: draw(console, looks),
        error=whole(looks),
    )


def draw(console: Console, looks: Sequence[Look]) -> None:
    """One line a look; what is bad is told in full by the error that follows."""
    from tutelage.cli.terminal import marked

    for look in looks:
        console.print(marked(look.state, look.what, look.says, width=8), soft_wrap=True)
    if all(look.state != "bad" for look in looks):
        console.print("ready to run")
