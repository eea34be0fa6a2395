"""`draft`: a teacher drafts rows, for people to review."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import forced, load_recipe, of_recipe
from tutelage.cli.reply import Reply, Session
from tutelage.cli.terminal import counted
from tutelage.core.printable import printable

if TYPE_CHECKING:
    from tutelage.score.endpoint import Spent


@click.command("draft")
@of_recipe
@forced
@click.pass_obj
def draft_command(session: Session, recipe: str, overrides: tuple[str, ...], force: bool) -> Reply:
    """Have a teacher draft rows by `curate.synthesis` of RECIPE, for people to review.

    Drafts that repeat a row, hold an evaluation item, break the contract's schema or are not
    answered alike are dropped, each for a reason on file. The teacher's replies are kept: stopped
    and started again, it is asked for what is missing only. `tutelage review` comes next; no draft
    enters a dataset before.
    """
    from tutelage import pipeline
    from tutelage.curate.synthesis.run import needed, read_summary

    loaded = load_recipe(recipe, overrides)
    _, keys = needed(loaded)
    with session.progress() as progress:
        artifact, spent = pipeline.draft(loaded, progress=progress, force=force)
    form: Mapping[str, Any] = read_summary(artifact)

    def draw(console: Console) -> None:
        for line in _lines(form, spent, recipe):
            console.print(Text(printable(line)), soft_wrap=True)

    now = spent.to_dict(keys.teacher)
    data = {**{name: form[name] for name in form if name != "schema"}, "asked_now": now}
    return Reply(data=data, draw=draw, artifacts=[("draft", artifact)])


def _lines(form: Mapping[str, Any], spent: Spent, recipe: str) -> Iterator[str]:
    seeds, whole = form["seeds"], form["spent"]
    yield f"{counted(form['made'], 'draft')} from {counted(seeds['drawn'], 'seed')}"
    yield from _counts("no seeds", seeds["left_out"])
    yield from _counts("dropped", form["dropped"])
    yield from _counts("to look at closely", form["flagged"])
    yield f"{counted(form['open'], 'draft')} for people to review"
    tokens = f"{whole['prompt_tokens']:,} tokens read, {whole['completion_tokens']:,} written"
    cost = f", cost {whole['cost']:,.2f}" if whole["cost"] else ""
    yield f"{counted(whole['replies'], 'reply', 'replies')} of the teacher: {tokens}{cost}"
    if whole["refused"]:
        yield f"{counted(whole['refused'], 'request')} the endpoint refused"
    if spent.asked or spent.kept:
        again = f", {spent.tried_again:,} tried again" if spent.tried_again else ""
        yield f"asked now {spent.asked:,}, kept from before {spent.kept:,}{again}"
    if form["open"]:
        yield f"then: tutelage review export {recipe} -o sheet.csv --reviewer NAME"


def _counts(title: str, counts: Mapping[str, int]) -> Iterator[str]:
    if counts:
        yield f"{title}: {', '.join(f'{name} {count:,}' for name, count in counts.items())}"
