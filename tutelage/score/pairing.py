"""Two systems' samples on the same tasks, brought together, of one report or of two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutelage.core.intervals import Interval, Sides
from tutelage.core.metric import ALL, Metric
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.core.shares import mcnemar
from tutelage.score.measure import Measure, Pairs, Rows, difference, interval
from tutelage.score.task import suite_of
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.tables import SAMPLES, read_samples

SUMMARY = "summary.json"  # of a report
TASKS = "tasks.parquet"  # of a report: its tasks as rows, expected answers included
SIDES: tuple[Sides, Sides] = (2, 1)  # shown to people, and compared by rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a metric is of, and the root of the seeds its bootstrap draws from."""

    suite: str
    system: str
    seed: int
    slice: str = ALL
    baseline: str | None = None

    def generator_of(self, metric: str) -> str:
        """Name of the metric's random stream: systems of one suite are resampled alike."""
        return f"score.{self.suite}.{metric}.{self.slice}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Discordant:
    """Tasks that only one of two systems got right, and how likely chance makes such a split."""

    only_first: int
    only_second: int
    p: float  # McNemar's exact, two-sided


def pair(first: Sequence[Sample], second: Sequence[Sample]) -> Pairs:
    """Scores of both on the tasks both answered, in the first's order."""
    others = {sample.task: sample for sample in second}
    shared = [sample for sample in first if sample.task in others]
    return Pairs(
        tasks=tuple(sample.task for sample in shared),
        first=[sample.scores for sample in shared],
        second=[others[sample.task].scores for sample in shared],
        clusters=tuple(sample.cluster for sample in shared),
    )


def discordant(measure: Measure, pairs: Pairs) -> Discordant | None:
    """The tasks on which two systems differ, None for a metric that is no share."""
    if measure.family not in ("share", "detected", "joint"):
        return None
    name = measure.metric
    both = [
        (row[name], other[name])
        for row, other in zip(pairs.first, pairs.second, strict=True)
        if name in row and name in other
    ]
    first = sum(1 for one, two in both if one > two)
    second = sum(1 for one, two in both if one < two)
    return Discordant(only_first=first, only_second=second, p=mcnemar(first, second))


def metrics_alone(
    measure: Measure, rows: Rows, clusters: Sequence[str], place: Place
) -> Iterator[Metric]:
    """The metric of one system: its two-sided record and the one a rule compares."""
    for sides in SIDES:
        generator = stream(place.generator_of(measure.metric), place.seed)
        found = interval(measure, rows, clusters, generator, sides)
        yield _record(measure, found, place)


def metrics_paired(measure: Measure, pairs: Pairs, place: Place, value: float) -> Iterator[Metric]:
    """The paired difference to a baseline, two-sided and one-sided; `value` is the system's."""
    for sides in SIDES:
        generator = stream(place.generator_of(measure.metric), place.seed)
        found = difference(measure, pairs, generator, sides)
        record = _record(measure, found, place)
        yield replace(record, value=value, baseline=place.baseline, difference=found.value)


def measures_in(report: Artifact) -> dict[str, list[Measure]]:
    """The metrics of each suite of a report."""
    suites: list[Mapping[str, Any]] = read_json(report.file(SUMMARY))["suites"]
    return {one["name"]: [Measure.from_dict(form) for form in one["measures"]] for one in suites}


def samples_in(report: Artifact, system: str) -> dict[str, list[Sample]]:
    """A system's samples of each suite of a report."""
    found: dict[str, list[Sample]] = {}
    for sample in read_samples(report.file(SAMPLES)):
        if sample.system == system:
            found.setdefault(suite_of(sample.task), []).append(sample)
    return found


def _record(measure: Measure, found: Interval, place: Place) -> Metric:
    return Metric(
        metric=measure.metric,
        suite=place.suite,
        system=place.system,
        slice=place.slice,
        n=found.n,
        value=found.value,
        low=found.low,
        high=found.high,
        method=found.method,
        unit=measure.unit,
    )
