"""What the scenarios of `gate_scenarios.py` are made of: scores drawn, rules decided on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tutelage.core.intervals import Interval
from tutelage.core.power import power_of_pairs, power_of_share
from tutelage.core.rule import Bounds, Outcome, Rule, decide, parse
from tutelage.score.measure import Measure, Pairs, difference, interval

RIGHT = Measure(metric="right", says="")
LIKE = Measure(metric="like", says="", family="mean")
F1 = Measure(metric="f1", says="", family="ratio", columns=("h", "p", "e"), statistic="f1")
WRONG_RIGHT = ({"right": 0.0}, {"right": 1.0})
EQUAL, MARGIN = parse("s.right >= few_shot"), parse("s.right >= few_shot - 0.02")
SLICES = parse("s.right@intent=* >= few_shot - 0.10")
LOOKS, LABELS = 10, 500  # a look after so many labels, up to so many

Draw = np.random.Generator
Opens = Callable[[Draw], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """What others do on the same draws of a model that is no better; no code of the gate's."""

    says: str
    opens: Opens


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One way a gate is used, and whether it opens on a draw."""

    name: str
    says: str
    null: Opens  # the model is no better than the rule allows; opening is an error
    true: Opens  # it is better; opening is right
    planned: float  # chance to open for the better model, by the planner
    decided: str = "gate: difference, decide"  # by what functions
    contrast: Contrast | None = None


def bounds(found: Interval) -> Bounds:
    return Bounds(
        estimate=found.value, low=found.low, high=found.high, n=found.n, method=found.method
    )


def outcome(rule: Rule, found: Interval) -> Outcome:
    return decide(rule, bounds(found)).outcome


def names(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def right(values: NDArray[np.bool_]) -> list[dict[str, float]]:
    return [WRONG_RIGHT[value] for value in values.astype(int).tolist()]


def paired(
    draw: Draw, wins: float | NDArray[np.float64], losses: float | NDArray[np.float64], n: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Right or wrong of two systems, the first alone right with chance `wins`."""
    u = draw.random(n)
    first_only, second_only = u < wins, u > 1 - losses
    both = draw.random(n) < 0.6
    alike = ~(first_only | second_only)
    return first_only | (alike & both), second_only | (alike & both)


def pairs_of(
    first: NDArray[np.bool_], second: NDArray[np.bool_], clusters: tuple[str, ...]
) -> Pairs:
    return Pairs(tasks=clusters, first=right(first), second=right(second), clusters=clusters)


def pairing(rule: Rule, wins: float, losses: float, n: int) -> Opens:
    """A rule on the paired difference of a share."""
    alone = names(n)

    def opens(draw: Draw) -> bool:
        first, second = paired(draw, wins, losses, n)
        found = difference(RIGHT, pairs_of(first, second, alone), draw, 1)
        return outcome(rule, found) == "pass"

    return opens


def on_pairs(
    name: str,
    rule: Rule,
    null: tuple[float, float],
    true: tuple[float, float],
    n: int,
    contrast: Contrast | None = None,
) -> Scenario:
    return Scenario(
        name=name,
        says=f"`{rule}`, n = {n}, alone right {null} or {true}",
        null=pairing(rule, *null, n),
        true=pairing(rule, *true, n),
        planned=power_of_pairs(*true, rule.threshold, n),
        contrast=contrast,
    )


def on_share(
    name: str, rule: Rule, null: float, true: float, n: int, contrast: Contrast | None = None
) -> Scenario:
    alone = names(n)

    def opening(share: float) -> Opens:
        return lambda draw: (
            outcome(rule, interval(RIGHT, right(draw.random(n) < share), alone, draw, 1)) == "pass"
        )

    return Scenario(
        name=name,
        says=f"`{rule}`, n = {n}, true share {null:g} or {true:g}",
        null=opening(null),
        true=opening(true),
        planned=power_of_share(true, rule.threshold, n),
        decided="gate: interval, decide",
        contrast=contrast,
    )


def counts(
    draw: Draw, n: int, skill: float
) -> tuple[Sequence[dict[str, float]], Sequence[dict[str, float]]]:
    """Slots found by two systems in the same requests, the first with `skill` more."""
    expected = draw.integers(1, 3, n)
    ease = draw.beta(6, 2, n)
    rows = []
    for extra in (skill, 0.0):
        hits = draw.binomial(expected, np.clip(ease + extra, 0, 1))
        predicted = np.where(hits > 0, expected, 0)  # all or nothing is answered
        rows.append(
            [
                {"h": h, "p": p, "e": e}
                for h, p, e in zip(
                    hits.tolist(), predicted.tolist(), expected.tolist(), strict=True
                )
            ]
        )
    return rows[0], rows[1]


def linearised(
    first: Sequence[dict[str, float]], second: Sequence[dict[str, float]]
) -> tuple[float, float]:
    """The difference of two F1 and the deviation of one item's part in it."""
    values, parts = [], []
    for rows in (first, second):
        table = np.array([[row["h"], row["p"], row["e"]] for row in rows], np.float64)
        hits, due = table[:, 0].mean(), table[:, 1:].sum(1).mean()
        values.append(2 * hits / due)
        parts.append((2 * table[:, 0] - values[-1] * table[:, 1:].sum(1)) / due)
    return float(values[0] - values[1]), float((parts[0] - parts[1]).std())
