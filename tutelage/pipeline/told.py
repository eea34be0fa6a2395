"""What the store can tell: where an artifact comes from, what became of a row, whom it serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.errors import BadRow, RecipeError
from tutelage.core.recipe import Recipe
from tutelage.pipeline.people import store_of
from tutelage.screen.people import disguised, under_other_key
from tutelage.store import lineage as kept
from tutelage.store.artifact import Artifact
from tutelage.store.lineage import Node, RowStory, Taken
from tutelage.store.opt_outs import read_opt_outs
from tutelage.store.store import Store
from tutelage.store.stories import stories


def lineage(artifact: Artifact) -> Node:
    """An artifact and all it came from."""
    return kept.ancestry(store_of(artifact), artifact)


def offspring(artifact: Artifact) -> list[Artifact]:
    """All that was made from an artifact, in the order of making."""
    return kept.descendants(store_of(artifact), artifact.digest)


def explain_row(row: str, project: Path | str = ".") -> list[RowStory]:
    """The story of a row by its id, as FILE:LINE or as event:ID; of several where a line changed.

    Raises: StoreError where nothing was made yet, or no ledger and no dataset knows it.
    """
    return stories(Store.of(Path(project)), row)


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """What a list of keys, authors and texts takes back."""

    listed: int  # entries
    without_row: int  # of them those that mean no row here
    rows: Sequence[Taken]

    @property
    def artifacts(self) -> list[Artifact]:
        """Every artifact that holds such a row or was made from one that does, each once."""
        found = {
            artifact.digest: artifact
            for one in self.rows
            for artifact in (*one.datasets, *one.left_out, *one.offspring)
        }
        return sorted(found.values(), key=lambda one: (one.manifest.started, one.name))


def opted_out(written: str, project: Path | str = ".", *, keys: Sequence[bytes] = ()) -> TakenBack:
    """The rows a list of keys, authors and texts takes back, and all that was made with them.

    `keys` are those of the pseudonyms that stand for names in the rows.

    Raises: StoreError where nothing was made yet; RecipeError where the names of a dataset are
        pseudonyms by other keys; RowError for a list that cannot be read.
    """
    store = Store.of(Path(project))
    recipe = Recipe(name="opt-outs").at(Path.cwd())
    outs = read_opt_outs(written, recipe, lambda name: [disguised(name, key) for key in keys])
    datasets = [one for one in store.artifacts() if one.kind == "dataset"]
    if unknown := under_other_key(datasets, keys) if outs.names() else []:
        raise RecipeError(
            "nobody can say whose rows these datasets hold: their names are pseudonyms"
            f"{' by other keys' if keys else ''}",
            rows=[
                BadRow(where=one.name, problem=f"made {one.manifest.started}") for one in unknown
            ],
            hint="give the keys they were made with",
        )
    rows = kept.opted_out(store, outs)
    met = {entry for one in rows for entry in outs.met(one.example)}
    return TakenBack(listed=outs.unmet(()), without_row=outs.unmet(met), rows=rows)
