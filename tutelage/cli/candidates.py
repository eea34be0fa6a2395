"""`candidates`: bases that might be tuned, compared on the same held-out rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.cli.options import forced, load_recipe, of_recipe
from tutelage.cli.reply import Reply, Session
from tutelage.cli.terminal import fits, listed
from tutelage.store.artifact import read_json

if TYPE_CHECKING:
    from tutelage.evaluate.candidate_page import Comparison


@click.command("candidates")
@of_recipe
@forced
@click.pass_obj
def candidates_command(
    session: Session, recipe: str, overrides: tuple[str, ...], force: bool
) -> Reply:
    """Compare `evaluate.candidates` with the base of RECIPE, before any training.

    Every base is asked the held-out rows of the dataset, untuned: alone, with examples, and as
    the recipe's baselines ask. The suites' own tasks stay unseen.
    """
    loaded = load_recipe(recipe, overrides)

    from tutelage import pipeline
    from tutelage.cli.summary import near

    with session.progress() as progress:
        found = pipeline.candidates(loaded, progress=progress, force=force)

    from tutelage.evaluate.candidate_page import comparison

    form = read_json(found.file("candidates.json"))
    table = comparison(form)
    page = near(found.file("candidates.md"))

    def draw(console: Console) -> None:
        draw_comparison(console, table)
        console.print(Text(f"\npage: {page}"), soft_wrap=True)

    return Reply(data={**form, "page": str(page)}, draw=draw, artifacts=[("candidates", found)])


def draw_comparison(console: Console, found: Comparison) -> None:
    """A base in each column; where that is too wide, a list of the bases for each line."""
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("", no_wrap=True)
    for base in found.bases:
        drawn.add_column(base, justify="right", no_wrap=True)
    for name, cells in found.lines:
        drawn.add_row(name, *cells)
    if fits(console, drawn):
        console.print(drawn)
        return
    for name, cells in found.lines:
        console.print(Text(name.strip(), "bold"))
        listed(console, list(zip(found.bases, cells, strict=True)))
