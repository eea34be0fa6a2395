"""What preferences of judges and of people become: scores of samples, and metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.intervals import Interval
from tutelage.core.metric import LOCKED, Metric
from tutelage.score.measure import Family, Measure
from tutelage.score.rating import Rating, item_scores

Scored = Mapping[str, Mapping[str, float]]  # by task, by metric
LOGITS = "logits"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairNames:
    """How the metrics of one comparison are called."""

    by: str  # who compares
    over: str = ""  # the baseline, where the name must tell it

    @property
    def win(self) -> str:
        """The win rate."""
        return self._of("win_rate")

    @property
    def controlled(self) -> str:
        """The win rate at equal length."""
        return self._of("lc_win_rate")

    @property
    def longer(self) -> str:
        """The score that tells how much longer the answer was; no metric."""
        return self._of("longer")

    @property
    def strength(self) -> str:
        """Bradley and Terry's strength, which is shown and no rule's."""
        return f"{self.by}_strength"

    def _of(self, what: str) -> str:
        return f"{self.by}_{what}" + (f"_over_{self.over}" if self.over else "")


def pair_measures(names: PairNames, says: str, family: Family = "mean") -> list[Measure]:
    """The metrics of a comparison; `says` tells who prefers what to what."""
    return [
        Measure(metric=names.win, says=says, family=family),
        Measure(
            metric=names.controlled,
            says=f"{says}, were both as long",
            family="controlled",
            columns=(names.win, names.longer),
            sliced=False,
        ),
    ]


def pair_scores(ratings: Sequence[Rating], names: PairNames) -> dict[str, Scored]:
    """By system, the scores of its tasks; all ratings are of the same two systems."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    seen = {one.item: one for one in ratings}
    for task, value in item_scores(ratings).items():
        one = seen[task]
        sides = ((one.first, value, one.longer), (one.second, 1 - value, -one.longer))
        for system, ended, longer in sides:
            mine = {names.win: ended, names.longer: float(longer)}
            found.setdefault(system, {})[task] = mine
    return {system: dict(scores) for system, scores in found.items()}


def strength_metrics(
    name: str, suite: str, strengths: Mapping[str, Interval], locked: str = ""
) -> Iterator[Metric]:
    """Each system's strength as a record, two-sided alone: it is shown, and no rule's."""
    for system, one in strengths.items():
        yield Metric(
            metric=name,
            suite=suite,
            system=system,
            n=one.n,
            value=one.value,
            low=one.low,
            high=one.high,
            method=f"{LOCKED}{locked}" if locked else one.method,
            unit=LOGITS,
        )
