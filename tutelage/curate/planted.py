"""What the card says of canaries: how many rows are none of the sources'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tutelage.core.recipe import Canaries
from tutelage.score.canaries import CANARY


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
