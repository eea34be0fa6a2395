"""Who may be released: what the gate opened, or what a waiver answers for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tutelage.core.errors import BadRow, GateShut
from tutelage.core.recipe import Waiver

HINT = (
    "improve the model, or name who answers for it: "
    "`release: {waivers: [{rule: ..., by: ..., reason: ..., expires: YYYY-MM-DD}]}`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """A rule that stayed shut, and the waiver that covers it."""

    rule: str
    outcome: str
    waiver: Waiver


def admit(verdict: Mapping[str, Any], waivers: Sequence[Waiver], today: date) -> tuple[Waived, ...]:
    """The waivers a release needs, of each rule the one that holds longest; none where the gate
    is open.

    Raises: GateShut naming every rule that is shut and not covered on that day.
    """
    latest = sorted(waivers, key=lambda waiver: waiver.expires)
    by_rule = {" ".join(waiver.rule.split()): waiver for waiver in latest}
    waived: list[Waived] = []
    rows: list[BadRow] = []
    for judged in verdict["rules"]:
        if judged["outcome"] == "pass":
            continue
        waiver = by_rule.get(judged["rule"])
        if waiver is not None and today < waiver.expires:
            waived.append(Waived(rule=judged["rule"], outcome=judged["outcome"], waiver=waiver))
            continue
        ended = f"; its waiver by {waiver.by} ended {waiver.expires}" if waiver else ""
        problem = f"{judged['outcome']}: {judged['because']}{ended}"
        rows.append(BadRow(where=judged["rule"], problem=problem))
    if rows:
        raise GateShut(
            f"{len(rows)} rule{'s' if len(rows) > 1 else ''} of the gate "
            f"{'are' if len(rows) > 1 else 'is'} shut, so nothing is released",
            expected="a pass, or a waiver for each rule that does not hold",
            rows=rows,
            hint=HINT,
        )
    return tuple(waived)
