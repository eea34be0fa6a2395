"""Paired comparison: two systems of one report, or the tuned models of two reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tutelage.core.digest import Json
from tutelage.core.errors import StoreError
from tutelage.core.intervals import Interval
from tutelage.core.metric import ALL
from tutelage.core.multiple import benjamini_hochberg
from tutelage.core.paired import paired_t, permutation
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.evaluate.changed import Changed, changed
from tutelage.score.measure import Measure, Pairs, difference, interval
from tutelage.score.pairing import Discordant, discordant, measures_in, pair, samples_in
from tutelage.score.parts import slices_in
from tutelage.store.artifact import Artifact

FEW = 30  # tasks under which signs are turned instead of trusting t


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One metric of two reports on the tasks they share: second minus first."""

    suite: str
    measure: Measure
    slice: str = ALL
    first: float
    second: float
    interval: Interval  # of the difference, two-sided 95 %
    discordant: Discordant | None  # where answers are right or wrong
    p: float | None  # that chance alone makes such a difference; None for a corpus statistic
    adjusted: float | None = None  # of a slice: by Benjamini & Hochberg over all slices

    def to_dict(self) -> dict[str, Json]:
        """The difference as plain JSON."""
        form: dict[str, Json] = {
            "suite": self.suite,
            "metric": self.measure.metric,
            "slice": self.slice,
            "better": self.measure.better,
            "first": self.first,
            "second": self.second,
            "difference": self.interval.value,
            "low": self.interval.low,
            "high": self.interval.high,
            "n": self.interval.n,
            "method": self.interval.method,
            "p": self.p,
        }
        if self.slice != ALL:
            form["adjusted_p"] = self.adjusted
        if self.discordant is not None:
            form["only_first"] = self.discordant.only_first
            form["only_second"] = self.discordant.only_second
        return form


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two reports side by side: differences, and how many tasks each suite shares."""

    differences: tuple[Difference, ...]
    slices: tuple[Difference, ...]  # of each suite's headline
    changed: tuple[Changed, ...]  # tasks that one of the two got right and the other did not
    shared: Mapping[str, int]
    unshared: Mapping[str, int]  # tasks that only one of the two has

    def to_dict(self) -> dict[str, Json]:
        """The comparison as plain JSON."""
        return {
            "differences": [found.to_dict() for found in self.differences],
            "slices": [found.to_dict() for found in self.slices],
            "changed": [found.to_dict() for found in self.changed],
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
    slices: list[Difference] = []
    shared: dict[str, int] = {}
    unshared: dict[str, int] = {}
    parts = slices_in(second)
    for suite in shared_suites:
        pairs = pair(theirs[suite], mine[suite])
        shared[suite] = len(pairs.tasks)
        unshared[suite] = len(theirs[suite]) + len(mine[suite]) - 2 * len(pairs.tasks)
        known = [one for one in suites[suite] if _scored(one, mine[suite])]
        if not pairs.tasks:
            continue
        differences += [_difference(suite, measure, pairs) for measure in known]
        plain = [one for one in known if one.sliced and one.family != "ratio"]
        for part in parts[suite]:
            there = pairs.only(part.tasks)
            if there.tasks:
                slices += [_difference(suite, one, there, part.name) for one in plain]
    for name in sorted({*mine} ^ {*theirs}):  # a suite that only one of the two has
        shared[name], unshared[name] = 0, len(mine.get(name, theirs.get(name, ())))
    if not any(shared.values()):
        raise StoreError(
            f"{first.name} and {second.name} share no task",
            expected="two reports of one suite",
            hint=f"one has {', '.join(mine)}; the other {', '.join(theirs)}",
        )
    return Comparison(
        differences=tuple(differences),
        slices=tuple(_adjusted(slices)),
        changed=tuple(changed(second, mine, theirs)),
        shared=shared,
        unshared=unshared,
    )


def _difference(suite: str, measure: Measure, pairs: Pairs, part: str = ALL) -> Difference:
    name = f"compare.{suite}.{measure.metric}" + (f".{part}" if part else "")
    generator = stream(name, 0)
    split = discordant(measure, pairs)
    return Difference(
        suite=suite,
        measure=measure,
        slice=part,
        first=interval(measure, pairs.second, pairs.clusters, generator).value,
        second=interval(measure, pairs.first, pairs.clusters, generator).value,
        interval=difference(measure, pairs, generator),
        discordant=None
        if split is None
        else Discordant(only_first=split.only_second, only_second=split.only_first, p=split.p),
        p=_p(measure, pairs, split),
    )


def _p(measure: Measure, pairs: Pairs, split: Discordant | None) -> float | None:
    """McNemar's where tasks stand alone, else of the differences' mean or of their signs."""
    if measure.family == "ratio":
        return None
    apart = len(set(pairs.clusters)) == len(pairs.clusters)
    if split is not None and apart:
        return split.p
    name = measure.metric
    both = [
        (one[name] - other[name], cluster)
        for one, other, cluster in zip(pairs.first, pairs.second, pairs.clusters, strict=True)
        if name in one and name in other
    ]
    values, clusters = [value for value, _ in both], [cluster for _, cluster in both]
    if len(set(clusters)) < FEW:
        return permutation(values, stream("compare.permutation", 0), clusters if both else None)
    return paired_t(values, None if apart else clusters)


def _adjusted(slices: Sequence[Difference]) -> list[Difference]:
    """The slices with p adjusted for how many of one metric are looked at."""
    found = list(slices)
    for key in dict.fromkeys((one.suite, one.measure.metric) for one in slices):
        places = [
            place
            for place, one in enumerate(slices)
            if (one.suite, one.measure.metric) == key and one.p is not None
        ]
        adjusted = benjamini_hochberg([slices[place].p or 0.0 for place in places])
        for place, value in zip(places, adjusted, strict=True):
            found[place] = replace(found[place], adjusted=value)
    return found


def _scored(measure: Measure, samples: Sequence[Sample]) -> bool:
    """Whether the samples hold what the measure is made from."""
    needed = measure.columns or (measure.metric,)
    if measure.family == "ratio" and not measure.columns:
        return any(":" in key for sample in samples for key in sample.scores)
    return any(all(name in sample.scores for name in needed) for sample in samples)
