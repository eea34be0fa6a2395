"""No release of a model that was taught what somebody has taken back."""

from __future__ import annotations

from tutelage.core.errors import BadRow, GateShut
from tutelage.core.recipe import Recipe, Release
from tutelage.screen.people import disguised, key_of, under_other_key
from tutelage.store.artifact import Artifact
from tutelage.store.opt_outs import read_opt_outs
from tutelage.store.tables import ROWS, read_rows
from tutelage.store.taken_back import Traced


def refuse_opt_outs(section: Release, dataset: Artifact, recipe: Recipe) -> None:
    """Holds the dataset's rows, taught and held out, against the recipe's list.

    Raises: GateShut naming every row on it; RowError for a list that cannot be read whole.
    """
    if section.opt_out is None:
        return
    key = key_of(recipe.curate.screen, recipe) if recipe.curate else b""
    outs = read_opt_outs(
        section.opt_out, recipe, (lambda name: [disguised(name, key)]) if key else None
    )
    if outs.names() and under_other_key([dataset], [key]):
        raise GateShut(
            f"the names of {dataset.name} are pseudonyms by another key than the recipe's",
            where="release.opt_out",
            hint="give `curate.screen` the key that the dataset was made with",
        )
    back = Traced.through([dataset], outs)
    rows = [
        BadRow(where=one.id, problem=f"{one.source}, {one.split}: by {because}")
        for one in read_rows(dataset.file(ROWS))
        if (because := back.because(one))
    ]
    if rows:
        raise GateShut(
            f"{len(rows)} row{'s' if len(rows) > 1 else ''} of {dataset.name} "
            f"{'were' if len(rows) > 1 else 'was'} taken back, so nothing is released",
            where="release.opt_out",
            rows=rows,
            hint=f"`curate: {{opt_out: {section.opt_out}}}` leaves them out; then train again",
        )
