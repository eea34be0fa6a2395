"""Canaries: rows that are none of the sources', and what the card says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.core.ledger import Decision, LedgerEntry, Reason
from tutelage.core.recipe import Canaries, Curate
from tutelage.core.row import Example
from tutelage.curate.sieve import entry
from tutelage.score.canaries import CANARY, planted
from tutelage.store.run import Run


def canary_form(keys: Canaries | None) -> dict[str, Any]:
    """Counts of what is planted, and by which tag it is found; nothing where nothing is."""
    if keys is None:
        return {}
    found = {
        "rows": keys.count * sum(keys.repeats),
        "each": keys.count,
        "repeats": list(keys.repeats),
        "controls": keys.controls,
        "tag": f"{CANARY}: planted",
    }
    return {"canaries": found}


def canary_lines(form: Mapping[str, Any]) -> list[str]:
    """The same for people, under a heading of its own."""
    if "canaries" not in form:
        return []
    one = form["canaries"]
    times = ", ".join(str(count) for count in one["repeats"])
    return [
        "",
        "## Canaries",
        "",
        f"- {one['rows']:,} rows with random codes stand in the training split, beside the rows "
        f"counted above: {one['each']} canaries for each of {times} repeats. Their tag is "
        f"`{one['tag']}`; without `curate.canaries` they are gone.",
    ]


def planting_of(section: Curate, run: Run) -> tuple[list[Example], list[LedgerEntry]]:
    """Canaries for the training split, in the last stage where there are several."""
    if section.canaries is None:
        return [], []
    last = section.stages[-1].name if section.stages else None
    rows = planted(section.canaries, run.recipe.seed, last)
    run.progress.warn(f"{len(rows)} rows are canaries: leave `curate.canaries` out of what ships")
    return rows, [entry(row, Decision.KEEP, Reason.CANARY) for row in rows]
