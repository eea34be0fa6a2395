"""`lineage --opt-out`: everything that was made with rows somebody has taken back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from tutelage.cli.reply import Reply
from tutelage.cli.terminal import counted
from tutelage.core.errors import RecipeError
from tutelage.core.printable import printable

if TYPE_CHECKING:
    from tutelage.store.artifact import Artifact
    from tutelage.store.lineage import Taken

KEY = "TUTELAGE_PSEUDONYMS"  # environment variable with the keys of pseudonyms, each on a line


def of_opt_outs(written: str, project: Path) -> Reply:
    """The rows a list takes back, and every dataset, adapter and release they went into."""
    from tutelage.pipeline import opted_out
    from tutelage.screen.people import keys_in

    keys = keys_in(KEY) if os.environ.get(KEY) else []
    try:
        back = opted_out(written, project, keys=keys)
    except RecipeError as error:
        where = f"environment variable {KEY}"
        hint = f"{KEY} holds their key; of several keys each on a line"
        raise RecipeError(error.message, where=where, rows=error.rows, hint=hint) from error
    made = back.artifacts

    def draw(console: Console) -> None:
        for line in _lines(back.rows, made):
            console.print(Text(printable(line)), soft_wrap=True)
        if not back.listed:
            console.print(Text("the list is empty: it names nobody"), soft_wrap=True)
        if back.without_row:
            told = f"of {back.listed:,} entries listed {back.without_row:,} mean no row here"
            console.print(Text(told), soft_wrap=True)

    data: dict[str, Any] = {
        "listed": back.listed,
        "without_row": back.without_row,
        "rows": [_form(one) for one in back.rows],
        "artifacts": [one.name for one in made],
    }
    return Reply(data=data, draw=draw, artifacts=[(one.kind, one) for one in made])


def _form(one: Taken) -> dict[str, Any]:
    return {
        "id": one.example.id,
        "source": str(one.example.source),
        "because": one.because,
        "split": one.example.split,
        "datasets": [data.name for data in one.datasets],
        "left_out_of": [data.name for data in one.left_out],
        "made_with_it": [made.name for made in one.offspring],
    }


def _lines(taken: Sequence[Taken], made: Sequence[Artifact]) -> Iterator[str]:
    if not taken:
        yield "no dataset holds a row that is taken back"
        return
    yield f"{counted(len(taken), 'row')} taken back"
    for one in taken:
        where = f"{one.example.split or 'left out':<10}  {one.example.source}"
        yield f"{one.example.id}  {where}  by {one.because}"
    yield ""
    yield "held by, or made from what holds them"
    for artifact in made:
        yield f"  {artifact.name}  {artifact.manifest.started}"
