"""`lineage --opt-out`: everything that was made with rows somebody has taken back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from tutelage.cli.reply import Reply
from tutelage.cli.results import project_store
from tutelage.cli.terminal import counted
from tutelage.core.errors import BadRow, RecipeError
from tutelage.core.printable import printable
from tutelage.core.recipe import Recipe

if TYPE_CHECKING:
    from tutelage.store.artifact import Artifact
    from tutelage.store.lineage import Taken

KEY = "TUTELAGE_PSEUDONYMS"  # environment variable with the keys of pseudonyms, each on a line


def of_opt_outs(written: str, project: Path) -> Reply:
    """The rows a list takes back, and every dataset, adapter and release they went into."""
    from tutelage.screen.people import disguised, keys_in, under_other_key
    from tutelage.store.lineage import opted_out
    from tutelage.store.opt_outs import read_opt_outs

    keys = keys_in(KEY) if os.environ.get(KEY) else []
    recipe = Recipe(name="opt-outs").at(Path.cwd())
    outs = read_opt_outs(written, recipe, lambda name: [disguised(name, key) for key in keys])
    store = project_store(project)
    datasets = [one for one in store.artifacts() if one.kind == "dataset"]
    if unknown := under_other_key(datasets, keys) if outs.names() else []:
        raise RecipeError(
            "nobody can say whose rows these datasets hold: their names are pseudonyms"
            f"{' by other keys' if keys else ''}",
            where=f"environment variable {KEY}",
            rows=[
                BadRow(where=one.name, problem=f"made {one.manifest.started}") for one in unknown
            ],
            hint=f"{KEY} holds their key; of several keys each on a line",
        )
    taken = opted_out(store, outs)
    made = _made(taken)

    def draw(console: Console) -> None:
        for line in _lines(taken, made):
            console.print(Text(printable(line)), soft_wrap=True)

    data: dict[str, Any] = {
        "listed": len(outs.keys) + len(outs.authors) + len(outs.digests),
        "rows": [_form(one) for one in taken],
        "artifacts": [one.name for one in made],
    }
    return Reply(data=data, draw=draw, artifacts=[(one.kind, one) for one in made])


def _made(taken: Sequence[Taken]) -> list[Artifact]:
    """Every artifact that holds such a row or was made from one that does, each once."""
    found = {
        artifact.digest: artifact
        for one in taken
        for artifact in (*one.datasets, *one.left_out, *one.offspring)
    }
    return sorted(found.values(), key=lambda one: (one.manifest.started, one.name))


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
