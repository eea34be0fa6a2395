"""What the model memorised, beside its base: by how often it was shown, and how much at most."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage.core.metric import ALL, Metric
from tutelage.core.recipe.evaluate import MEMORISATION
from tutelage.gate.decide import SYSTEM
from tutelage.gate.page.draw import percent, span
from tutelage.gate.page.facts import Fact
from tutelage.score.canaries import REPEATS
from tutelage.score.memorised import AUC, CONTROL, EXPOSURE, EXTRACTED, HELD_OUT, PII

BASE = "zero_shot"
ROWS = {
    CONTROL: "codes that were never planted",
    EXTRACTED: "training rows whose rest is said",
    HELD_OUT: "held-out rows whose rest is said",
    PII: "personal data of training rows that is said",
    AUC: "training rows told from held-out ones by loss",
}
KINDS = {
    "canary": "codes, controls among them",
    "train": "training rows",
    "validation": "held-out rows",
    PII: "personal data",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One thing that may be remembered, by the tuned model and its base."""

    what: str
    tuned: str
    span: str
    most: str  # its one-sided upper bound
    base: str
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryView:
    """The panel."""

    rows: tuple[Remembered, ...]
    facts: tuple[Fact, ...]


def memory(summary: Mapping[str, Any], metrics: Sequence[Metric]) -> MemoryView | None:
    """The panel of a report, None where nothing was looked for."""
    told = summary.get("memorisation")
    mine = [one for one in metrics if one.suite == MEMORISATION and one.baseline is None]
    if not told or not mine:
        return None
    copies = sorted(
        {one.slice for one in mine if one.metric == EXPOSURE and one.slice != ALL},
        key=lambda name: int(name.partition("=")[2]),
    )
    rows = [
        _row(mine, EXPOSURE, part, f"codes, copies planted: {part.removeprefix(f'{REPEATS}=')}")
        for part in copies
    ]
    rows += [_row(mine, name, ALL, what) for name, what in ROWS.items()]
    return MemoryView(rows=tuple(filter(None, rows)), facts=tuple(_facts(told)))


def _row(metrics: Sequence[Metric], name: str, part: str, what: str) -> Remembered | None:
    found = {
        (one.system, one.one_sided): one
        for one in metrics
        if (one.metric, one.slice) == (name, part)
    }
    tuned, bound = found.get((SYSTEM, False)), found.get((SYSTEM, True))
    if tuned is None or bound is None or not tuned.n:
        return None
    base = found.get((BASE, False))
    return Remembered(
        what=what,
        tuned=percent(tuned.value, tuned.unit),
        span=span(tuned.low, tuned.high, unit=tuned.unit),
        most=percent(bound.high, bound.unit),
        base=percent(base.value, base.unit) if base else "",
        n=tuned.n,
    )


def _facts(told: Mapping[str, Any]) -> Iterator[Fact]:
    for kind, count in told["tasks"].items():
        yield Fact(name=f"looked at: {KINDS.get(kind, kind)}", value=f"{count:,}")
    for reason, count in told["left_out"].items():
        if count:
            yield Fact(name=f"left out: {reason.replace('_', ' ')}", value=f"{count:,}")
    even = told["controls"]
    if even["n"]:
        yield Fact(
            name="ranks of the controls",
            value=f"p {even['p']:.2g}",
            note=f"Kolmogorov–Smirnov of {even['n']:,}; uneven ones would lock the exposure",
        )
