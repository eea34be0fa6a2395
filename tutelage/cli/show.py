"""`show`: examples as the model meets them, what is taught marked."""

from __future__ import annotations

from collections.abc import Sequence
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


@click.command("show")
@of_recipe
@click.option("--row", type=click.IntRange(min=1), metavar="N", help="The Nth row of the sources.")
@click.option("--id", "row_id", metavar="ID", help="The row whose id begins so.")
@click.option("--count", type=click.IntRange(min=1), help="How many rows; 3, or 1 of --row.")
@click.option("--ids", is_flag=True, help="Print the token ids too.")
def show_command(
    recipe: str,
    overrides: tuple[str, ...],
    row: int | None,
    row_id: str | None,
    count: int | None,
    ids: bool,
) -> Reply:
    """Print rows of RECIPE as the model meets them, token by token.

    What is taught stands in ⟦brackets⟧, underlined and green; the rest is only read.
    """
    from tutelage.cli.rows import contract_of, sources

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
    chosen = chose(examples, row, row_id, count or (SHOWN if row is None else 1))
    rendered = contract.lessons_of(chosen)
    shown = list(zip(chosen, rendered, strict=True))

    def draw(console: Console) -> None:
        for example, one in shown:
            _draw(console, contract, example, one, ids)

    data = {
        "rows": len(examples),
        "shown": [_form(contract, example, one) for example, one in shown],
    }
    return Reply(data=data, draw=draw)


def _warn(session: Session | None, message: str) -> None:
    if session is not None:
        session.warn(message)


def chose(
    examples: Sequence[Example], row: int | None, row_id: str | None, count: int
) -> list[Example]:
    """The rows that are meant.

    Raises: UsageError where there is none.
    """
    if row_id is not None:
        found = [example for example in examples if example.id.startswith(row_id)]
        if not found:
            raise UsageError(
                f"no row of the sources has an id that begins with `{row_id}`",
                hint="`tutelage explain-row` knows rows of earlier runs",
            )
        return found[:count]
    first = row or 1
    if first > len(examples):
        raise UsageError(
            f"there is no row {first}", expected=f"at most {counted(len(examples), 'row')}"
        )
    return list(examples[first - 1 : first - 1 + count])


def _draw(
    console: Console, contract: Contract, example: Example, rendered: Rendered, ids: bool
) -> None:
    from tutelage.render.show import coloured

    head = f"{example.source}  {example.id}"
    console.print(Text(head, style="bold"), soft_wrap=True)
    if rendered.entry is not None:
        entry = rendered.entry
        console.print(Text(f"  not taught: {entry.reason} {entry.detail}", style="yellow"))
    for lesson in rendered.lessons:
        tokens = f"{len(lesson.prompt)} tokens read, {len(lesson.completion)} taught"
        long = f", longer than the context of {contract.context}"
        too_long = long if len(lesson) > contract.context else ""
        console.print(Text(f"  message {lesson.turn}: {tokens}{too_long}"))
        console.print(coloured(contract, lesson, ids=ids), soft_wrap=True)
    console.print()


def _form(contract: Contract, example: Example, rendered: Rendered) -> dict[str, Any]:
    from tutelage.render.show import pieces

    entry = rendered.entry
    lessons = []
    for lesson in rendered.lessons:
        parts = pieces(contract, lesson)
        lessons.append(
            {
                "message": lesson.turn,
                "prompt": "".join(part.text for part in parts if not part.supervised),
                "completion": "".join(part.text for part in parts if part.supervised),
                "prompt_ids": lesson.prompt,
                "completion_ids": lesson.completion,
                "weight": lesson.weight,
            }
        )
    return {
        "row": example.id,
        "source": str(example.source),
        "not_taught": f"{entry.reason} {entry.detail}" if entry else None,
        "lessons": lessons,
    }
