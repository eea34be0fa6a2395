"""The two sides of a dataset, once no row to train on says what a row held out says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from tutelage.core.recipe import Curate
from tutelage.curate.decontaminate import Leaks, held_out
from tutelage.curate.descent import Descent, Family
from tutelage.curate.pairs import Pair, side_by_side
from tutelage.curate.parts import Parts
from tutelage.curate.passes import Passes
from tutelage.curate.sieve import Sieve
from tutelage.curate.split import Placed, split


def placed_apart(
    sieve: Sieve, section: Curate, seed: int, passes: Passes, parts: Parts, descent: Descent
) -> tuple[Placed, list[Pair]]:
    """The split, and the first rows to train on that held a row held out, side by side.

    These are dropped, and so are rows made from one on the other side.
    """
    family = Family.of(sieve.kept, descent)
    placed = family.sided(split(sieve.kept, section, seed, passes, family.beside))
    across = family.across(sieve.kept, placed)
    sieve.drop(across)
    placed = placed.without(sorted(across))
    taught = np.flatnonzero(~placed.held)
    train, apart = sieve.kept.take(taught), sieve.kept.take(placed.held)
    make = partial(held_out, train, apart, section, passes)
    found = parts.kept("held_out", 0, Leaks, make)
    pairs = side_by_side(train, apart, found)
    gone = {int(taught[index]): told for index, told in found.drop.items()}
    sieve.drop(gone)
    return placed.without(sorted(gone)), pairs


def unmet(section: Curate, form: Mapping[str, Any]) -> list[str]:
    """What the recipe itself stratifies by and no row has."""
    if "stratify" not in section.model_fields_set:
        return []
    return [
        name
        for name in section.stratify
        if name not in ("origin", "length")
        and not any(kind.startswith(f"{name} ") for kind in form["strata"])
    ]
