"""`show`: examples as the model meets them, what is taught marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from tutelage.cli.options import load_recipe, of_recipe
from tutelage.cli.reply import Reply, Session
from tutelage.cli.terminal import counted
from tutelage.core.errors import UsageError

if TYPE_CHECKING:
    from tutelage.core.row import Example
    from tutelage.render.contract import Contract
    from tutelage.render.renderer import Rendered

SHOWN = 3  # rows, where nothing says how many


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which rows are meant."""

    row: int | None
    row_id: str | None
    count: int | None


def _chosen(command: Callable[..., Reply]) -> Callable[..., Reply]:
    """`--row`, `--id` and `--count`, which the command gets as one Which."""

    @wraps(command)
    def chosen(row: int | None, row_id: str | None, count: int | None, **given: Any) -> Reply:
        return command(which=Which(row=row, row_id=row_id, count=count), **given)

    for option in (
        click.option(
            "--count", type=click.IntRange(min=1), help="How many rows; 3, or 1 of --row."
        ),
        click.option("--id", "row_id", metavar="ID", help="The row whose id begins so."),
        click.option(
            "--row", type=click.IntRange(min=1), metavar="N", help="The Nth row of the sources."
        ),
    ):
        chosen = option(chosen)
    return chosen


@click.command("show")
@of_recipe
@_chosen
@click.option("--ids", is_flag=True, help="Print the token ids too.")
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page instead: one file, without scripts.",
)
def show_command(
    recipe: str, overrides: tuple[str, ...], which: Which, page: Path | None, ids: bool
) -> Reply:
    """Print rows of RECIPE as the model meets them, token by token.

    What is taught stands in ⟦brackets⟧, underlined and green; the rest is only read, also
    what of an answer stands in ⟨angle brackets⟩. What a lesson shares with an earlier one
    of its row is computed once, and ends at ┊.
    """
    from tutelage.pipeline.rows import contract as contract_of
    from tutelage.pipeline.rows import sources
    from tutelage.render.renderer import TEACH

    session = click.get_current_context().find_object(Session)
    loaded = load_recipe(recipe, overrides)
    files = sources(loaded)
    contract = contract_of(loaded)
    for warning in contract.warnings:
        _warn(session, warning)
    refused = sum(len(file.refused) for file in files)
    if refused:
        _warn(session, f"{counted(refused, 'row')} cannot be read: see `tutelage check`")
    examples = [example for file in files for example in file.examples]
    chosen = chose(examples, which)
    rendered = contract.lessons_of(chosen, loaded.train.teach if loaded.train else TEACH)
    shown = list(zip(chosen, rendered, strict=True))
    if page is not None:
        from tutelage.render.page import html

        page.write_text(html(loaded.name, contract, chosen, rendered), encoding="utf-8")

    def draw(console: Console) -> None:
        if page is not None:
            console.print(f"{counted(len(shown), 'row')} written to {page}", soft_wrap=True)
            return
        for example, one in shown:
            _draw(console, contract, example, one, ids)

    data = {
        "rows": len(examples),
        "shown": [_form(contract, example, one) for example, one in shown],
        "page": None if page is None else str(page),
    }
    return Reply(data=data, draw=draw)


def _warn(session: Session | None, message: str) -> None:
    if session is not None:
        session.warn(message)


def chose(examples: Sequence[Example], which: Which) -> list[Example]:
    """The rows that are meant.

    Raises: UsageError where there is none.
    """
    count = which.count or (SHOWN if which.row is None else 1)
    if which.row_id is not None:
        found = [example for example in examples if example.id.startswith(which.row_id)]
        if not found:
            raise UsageError(
                f"no row of the sources has an id that begins with `{which.row_id}`",
                hint="`tutelage explain-row` knows rows of earlier runs",
            )
        return found[:count]
    first = which.row or 1
    if first > len(examples):
        raise UsageError(
            f"there is no row {first}", expected=f"at most {counted(len(examples), 'row')}"
        )
    return list(examples[first - 1 : first - 1 + count])


def _draw(
    console: Console, contract: Contract, example: Example, rendered: Rendered, ids: bool
) -> None:
    from tutelage.render.show import coloured, folding, prompted, views

    head = f"{example.source}  {example.id}"
    console.print(Text(head, style="bold"), soft_wrap=True)
    if rendered.entry is not None:
        entry, word = rendered.entry, "told" if rendered.lessons else "not taught"
        console.print(Text(f"  {word}: {entry.reason} {entry.detail}", style="yellow"))
    found = views(rendered)
    if found and (system := prompted(contract, example)):
        console.print(Text(f"  system prompt: {system}"), soft_wrap=True)
    if folded := folding(found):
        console.print(Text(f"  {folded}"))
    for view in found:
        turn, says = view.lesson.turn, view.says(contract.context)
        console.print(Text(f"  message {turn}: {says}"), soft_wrap=True)
        console.print(coloured(contract, view.lesson, ids=ids, shared=view.shared), soft_wrap=True)
    console.print()


def _form(contract: Contract, example: Example, rendered: Rendered) -> dict[str, Any]:
    from tutelage.render.show import pieces, prompted, views

    entry = rendered.entry
    lessons = []
    for view in views(rendered):
        lesson = view.lesson
        parts = pieces(contract, lesson)
        lessons.append(
            {
                "message": lesson.turn,
                "prompt": "".join(part.text for part in parts if part.kind == "prompt"),
                "completion": "".join(part.text for part in parts if part.kind != "prompt"),
                "prompt_ids": lesson.prompt,
                "completion_ids": lesson.completion,
                "read": lesson.read,
                "shared": view.shared,
                "weight": lesson.weight,
            }
        )
    return {
        "row": example.id,
        "source": str(example.source),
        "system_prompt": prompted(contract, example) or None,
        "not_taught": f"{entry.reason} {entry.detail}" if entry and not lessons else None,
        "lessons": lessons,
    }
