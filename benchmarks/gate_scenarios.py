"""What is simulated: a model no better than the rule allows, and one that is; in 18 ways.

Every scenario draws scores, hands them to the functions the gate itself calls, and tells whether
the gate opens; `decided` names them. Those of scores that are not right or wrong stand in
`gate_scores.py`, those of pairs in `gate_pairs.py`. One is not a rule's: `preference`, which the
report of people's ratings shows. `planned` is what the planner promises for the better model,
`contrast` (`gate_contrasts.py`) what others do on such draws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from gate_contrasts import (
    chosen_on_the_test,
    each_task_alone,
    higher_mean,
    plain_looks,
    plain_t,
    pooled,
    tested_apart,
    wilson_bound,
)
from gate_drawn import (
    EQUAL,
    LABELS,
    LOOKS,
    MARGIN,
    RIGHT,
    SLICES,
    Contrast,
    Draw,
    Opens,
    Scenario,
    bounds,
    names,
    on_pairs,
    on_share,
    outcome,
    paired,
    pairing,
    pairs_of,
)
from gate_pairs import pairs, pairs_beside
from gate_scores import judge, ratio, spread
from numpy.typing import NDArray

from tutelage.core.components import crossed
from tutelage.core.power import power_of_mean, power_of_pairs
from tutelage.core.quantiles import student_t
from tutelage.core.rule import Bounds, Outcome, Rule, parse
from tutelage.core.sequential import chance_to_tell, preference
from tutelage.core.shares import score_variance
from tutelage.gate.family import decide_slices
from tutelage.score.measure import Pairs, difference


def clusters() -> Scenario:
    """50 authors of 4 to 12 tasks each, whose requests are alike."""
    sizes = np.resize(np.arange(4, 13), 50)
    member = np.repeat(np.arange(50), sizes)
    labels, gain = tuple(map(str, member.tolist())), 0.07

    def drawn(draw: Draw, extra: float) -> Pairs:
        lean = draw.beta(2, 2, 50)[member] * 0.24
        first, second = paired(draw, lean + extra, 0.24 - lean, len(member))
        return pairs_of(first, second, labels)

    def opening(extra: float) -> Opens:
        return lambda draw: outcome(EQUAL, difference(RIGHT, drawn(draw, extra), draw, 1)) == "pass"

    # of one cluster's sum: m items' own variance, and m² times that of the lean, d = 2 lean - 0.24
    shift = 0.48**2 * 0.05
    own = 0.24 + gain - gain**2 - shift
    variance = float((sizes * own + sizes**2 * shift).sum()) / len(member) ** 2
    plain = (0.24 + gain - gain**2) / len(member)
    few = (NormalDist().inv_cdf(0.95) / student_t(0.95, 49)) ** 2
    worth = int(len(member) * plain / variance * few)
    planned = power_of_pairs(0.12 + gain, 0.12, 0.0, worth)
    says = f"`{EQUAL}`, 50 clusters of 4 to 12 tasks, true difference 0 or {gain:g}"
    return Scenario(
        name="clusters",
        says=says,
        null=opening(0),
        true=opening(gain),
        planned=planned,
        contrast=Contrast(
            says="every task counts as one of its own",
            opens=lambda draw: each_task_alone(drawn(draw, 0), draw),
        ),
    )


def seeds() -> Scenario:
    """A recipe trained five times, beside a baseline, on the same 200 tasks."""
    count, n, gain = 5, 200, 0.045
    spread, items, rest = 0.02, 0.25, 0.3

    def drawn(draw: Draw, extra: float) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (
            extra
            + draw.normal(0, spread, (count, 1))
            + draw.normal(0, items, n)
            + draw.normal(0, rest, (count, n))
        )
        return found

    def opening(extra: float) -> Opens:
        return lambda draw: (
            outcome(EQUAL, crossed(drawn(draw, extra), np.zeros(n)).interval(sides=1)) == "pass"
        )

    squares = (n * spread**2 + rest**2, count * items**2 + rest**2, rest**2)
    whole = squares[0] + squares[1] - squares[2]
    degrees = (count - 1, n - 1, (count - 1) * (n - 1))
    freedom = whole**2 / sum(square**2 / one for square, one in zip(squares, degrees, strict=True))
    deviation = math.sqrt(whole / (count * n))
    planned = power_of_mean(gain, deviation, 1, freedom=round(freedom))
    says = f"`{EQUAL}` of a recipe, {count} seeds x {n} tasks, true difference 0 or {gain:g}"
    return Scenario(
        name="seeds",
        says=says,
        null=opening(0),
        true=opening(gain),
        planned=planned,
        decided="gate: crossed, decide",
        contrast=Contrast(
            says="every answer of every training counts as a task of its own",
            opens=lambda draw: pooled(drawn(draw, 0)),
        ),
    )


def sliced(shares: Sequence[tuple[float, float]], n: int, wanted: Outcome) -> Opens:
    """A family of slices, wins and losses of each; whether it comes to this outcome."""

    def comes(draw: Draw) -> bool:
        drawn = of_slices(draw, shares, n)

        def at(rule: Rule, confidence: float) -> Bounds:
            return bounds(difference(RIGHT, drawn[rule.slice], draw, 1, confidence))

        plain = {name: bounds(difference(RIGHT, one, draw, 1)) for name, one in drawn.items()}
        return decide_slices(SLICES, plain, at).outcome == wanted

    return comes


def of_slices(draw: Draw, shares: Sequence[tuple[float, float]], n: int) -> dict[str, Pairs]:
    """Right or wrong of two systems in every slice."""
    return {
        f"intent={index}": pairs_of(*paired(draw, wins, losses, n), names(n))
        for index, (wins, losses) in enumerate(shares)
    }


def slices() -> tuple[Scenario, Scenario]:
    """Twelve intents of 80 tasks: one falls short, or all lie on the line and none is below."""
    edge, good, n = (0.02, 0.12), (0.10, 0.02), 80
    planned = power_of_pairs(*good, SLICES.threshold, n) ** 12
    one_short = Scenario(
        name="slices, one short",
        says=f"`{SLICES}`, 12 slices of {n} tasks, one of them at the margin",
        null=sliced([edge] + [good] * 11, n, "pass"),
        true=sliced([good] * 12, n, "pass"),
        planned=planned,
        decided="gate: difference, decide_slices",
    )
    bad = (0.02, 0.40)
    mirrored = parse("s.right <= few_shot - 0.10")  # what a slice must show to be called short
    z = NormalDist()
    sharp = z.inv_cdf(1 - 0.05 / 12)
    true = bad[0] + bad[1] - (bad[0] - bad[1]) ** 2
    reach = (n * (mirrored.threshold - (bad[0] - bad[1])) - 0.5) / math.sqrt(n)
    supposed = score_variance(n * bad[1], n * bad[0], n, 0.10) / n
    alarm = Scenario(
        name="slices, false alarm",
        says=f"the same family fails: all 12 on the line, or one at {bad[0] - bad[1]:+.2f}",
        null=sliced([edge] * 12, n, "fail"),
        true=sliced([bad] + [good] * 11, n, "fail"),
        planned=z.cdf((reach - sharp * math.sqrt(supposed)) / math.sqrt(true)),
        decided="gate: difference, decide_slices",
        contrast=Contrast(
            says="every slice tested as if it were the only one",
            opens=lambda draw: tested_apart(
                SLICES,
                {
                    name: difference(RIGHT, one, draw, 1)
                    for name, one in of_slices(draw, [edge] * 12, n).items()
                },
            ),
        ),
    )
    return one_short, alarm


def peeking() -> Scenario:
    """A person's preferences, looked at every ten labels until they tell."""

    at = cache(preference)  # it depends on its counts alone

    def opening(share: float) -> Opens:
        def opens(draw: Draw) -> bool:
            wins = np.cumsum(draw.random(LABELS) < share)[LOOKS - 1 :: LOOKS].tolist()
            return any(
                at(won, LOOKS * look - won).outcome == "better" for look, won in enumerate(wins, 1)
            )

        return opens

    says = f"preferred by half or by 0.6, looked at every {LOOKS} of {LABELS} labels"
    planned = chance_to_tell(0.6, every=LOOKS, most=LABELS)
    return Scenario(
        name="peeking",
        says=says,
        null=opening(0.5),
        true=opening(0.6),
        planned=planned,
        decided="shown beside people's ratings, no rule: preference",
        contrast=plain_looks(),
    )


def checkpoints() -> Scenario:
    """The best of ten checkpoints by 300 validation rows, judged once on 500 test tasks.

    They are of different skill, so that what is lucky on validation is often good on the test,
    too; none is better than the rule allows, or the best is as good as supposed.
    """
    wins, losses, n, rows, below = 0.17, 0.11, 500, 300, np.linspace(0.04, 0.0, 10)

    def chosen(draw: Draw, skills: NDArray[np.float64]) -> int:
        return int(draw.binomial(rows, 0.6 + skills).argmax())

    def opening(best: float) -> Opens:
        skills = best - below
        judged = [pairing(EQUAL, float(skill), losses, n) for skill in skills]
        return lambda draw: judged[chosen(draw, skills)](draw)

    draw = np.random.default_rng(0)
    often = np.bincount([chosen(draw, wins - below) for _ in range(20_000)], minlength=10)
    powers = [power_of_pairs(float(wins - less), losses, 0.0, n) for less in below]
    return Scenario(
        name="checkpoint choice",
        says=f"`{EQUAL}`, best of 10 on {rows} validation rows, then n = {n} test tasks",
        null=opening(losses),
        true=opening(wins),
        planned=float(often @ np.array(powers) / often.sum()),
        contrast=chosen_on_the_test(losses - below, losses, n),
    )


def scenarios() -> list[Scenario]:
    """All of them, in the order they are told."""
    rare, only = parse("s.right >= 0.97"), (0.0, 0.02)
    return [
        on_pairs(
            "no difference", EQUAL, (0.12, 0.12), (0.18, 0.12), 500, higher_mean(0.12, 0.12, 500)
        ),
        on_pairs("ties", EQUAL, (0.01, 0.01), (0.03, 0.005), 400),
        on_pairs("margin", MARGIN, (0.11, 0.13), (0.14, 0.12), 1000),
        on_pairs(
            "margin, losses only", MARGIN, only, (0.005, 0.001), 200, plain_t(MARGIN, *only, 200)
        ),
        on_pairs("small n, paired", EQUAL, (0.2, 0.2), (0.45, 0.1), 30),
        on_share("small n", parse("s.right >= 0.5"), 0.5, 0.75, 25),
        on_share("rare failures", rare, 0.97, 0.99, 300, wilson_bound(rare, 0.97, 300)),
        clusters(),
        seeds(),
        *slices(),
        peeking(),
        checkpoints(),
        judge(),
        pairs(),
        pairs_beside(),
        spread(),
        ratio(),  # last: a bootstrap each time
    ]
