"""Paired comparison: two systems of one report, or the tuned models of two reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.digest import Json
from tutelage.core.errors import StoreError
from tutelage.core.intervals import Interval
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.score.measure import Measure, Pairs, difference, interval
from tutelage.score.pairing import Discordant, discordant, measures_in, pair, samples_in
from tutelage.store.artifact import Artifact


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One metric of two reports on the tasks they share: second minus first."""

    suite: str
    measure: Measure
    first: float
    second: float
    interval: Interval  # of the difference, two-sided 95 %
    discordant: Discordant | None  # where answers are right or wrong

    def to_dict(self) -> dict[str, Json]:
        """The difference as plain JSON."""
        form: dict[str, Json] = {
            "suite": self.suite,
            "metric": self.measure.metric,
            "better": self.measure.better,
            "first": self.first,
            "second": self.second,
            "difference": self.interval.value,
            "low": self.interval.low,
            "high": self.interval.high,
            "n": self.interval.n,
            "method": self.interval.method,
        }
        if self.discordant is not None:
            form["only_first"] = self.discordant.only_first
            form["only_second"] = self.discordant.only_second
            form["p"] = self.discordant.p
        return form


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two reports side by side: differences, and how many tasks each suite shares."""

    differences: tuple[Difference, ...]
    shared: Mapping[str, int]
    unshared: Mapping[str, int]  # tasks that only one of the two has

    def to_dict(self) -> dict[str, Json]:
        """The comparison as plain JSON."""
        return {
            "differences": [found.to_dict() for found in self.differences],
            "shared": dict(self.shared),
            "unshared": dict(self.unshared),
        }


def compare(first: Artifact, second: Artifact, *, system: str = "tuned") -> Comparison:
    """What a system of the second report does better or worse than in the first.

    Only tasks that both have answered count; the same reports give the same numbers.

    Raises: StoreError where the reports share no suite or no task.
    """
    suites = measures_in(second)
    mine, theirs = samples_in(first, system), samples_in(second, system)
    shared_suites = [name for name in suites if name in mine and name in theirs]
    differences: list[Difference] = []
    shared: dict[str, int] = {}
    unshared: dict[str, int] = {}
    for suite in shared_suites:
        pairs = pair(theirs[suite], mine[suite])
        shared[suite] = len(pairs.tasks)
        unshared[suite] = len(theirs[suite]) + len(mine[suite]) - 2 * len(pairs.tasks)
        if pairs.tasks:
            known = [one for one in suites[suite] if _scored(one, mine[suite])]
            differences += [_difference(suite, measure, pairs) for measure in known]
    if not any(shared.values()):
        raise StoreError(
            f"{first.name} and {second.name} share no task",
            expected="two reports of one suite",
            hint=f"one has {', '.join(mine)}; the other {', '.join(theirs)}",
        )
    return Comparison(differences=tuple(differences), shared=shared, unshared=unshared)


def _difference(suite: str, measure: Measure, pairs: Pairs) -> Difference:
    generator = stream(f"compare.{suite}.{measure.metric}", 0)
    split = discordant(measure, pairs)
    return Difference(
        suite=suite,
        measure=measure,
        first=interval(measure, pairs.second, pairs.clusters, generator).value,
        second=interval(measure, pairs.first, pairs.clusters, generator).value,
        interval=difference(measure, pairs, generator),
        discordant=None
        if split is None
        else Discordant(only_first=split.only_second, only_second=split.only_first, p=split.p),
    )


def _scored(measure: Measure, samples: Sequence[Sample]) -> bool:
    """Whether the samples hold what the measure is made from."""
    needed = measure.columns or (measure.metric,)
    if measure.family == "ratio" and not measure.columns:
        return any(":" in key for sample in samples for key in sample.scores)
    return any(all(name in sample.scores for name in needed) for sample in samples)
