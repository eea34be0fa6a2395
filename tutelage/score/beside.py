"""A judge and people on the same pairs of answers: how far they say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.core.agreement import Unit, krippendorff
from tutelage.core.intervals import Interval
from tutelage.core.shares import clusters_of, share_interval
from tutelage.score.people import ALIKE
from tutelage.score.rating import Rating, item_scores

VERDICTS = (0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a judge and people say of the tasks both were asked about."""

    judge: str
    suite: str
    against: str
    same: Interval  # share of tasks on which both prefer the same, or neither
    alpha: Interval  # the same beyond chance


def beside(
    judged: Mapping[tuple[str, str, str], Sequence[Rating]],
    people: Mapping[tuple[str, str], Sequence[Rating]],
    generator: np.random.Generator,
) -> list[Beside]:
    """Each judge held against people; `judged` by judge, suite, baseline, `people` by the latter.

    Of several looks the mean says which side won; ties nobody was asked about are left out.
    """
    found = []
    for (judge, suite, against), mine in judged.items():
        asked = [one for one in people.get((suite, against), ()) if one.rater != ALIKE]
        first, second = _verdicts(mine), _verdicts(asked)
        cluster = {one.item: one.cluster for one in mine}
        both = [item for item in first if item in second]
        if not both:
            continue
        names = [cluster[item] for item in both]
        same = np.array([float(first[item] == second[item]) for item in both])
        units = [Unit(values=(first[one], second[one]), cluster=cluster[one]) for one in both]
        found.append(
            Beside(
                judge=judge,
                suite=suite,
                against=against,
                same=share_interval(same, clusters_of(names)),
                alpha=krippendorff(units, "nominal", generator),
            )
        )
    return found


def _verdicts(ratings: Sequence[Rating]) -> dict[str, float]:
    """By task: 1 where the first system won, 0 where it lost, else a tie."""
    return {
        item: VERDICTS[1 + (score > 0.5) - (score < 0.5)]
        for item, score in item_scores(ratings).items()
    }
