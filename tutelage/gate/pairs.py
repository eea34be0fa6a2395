"""What rules ask for and the report does not hold, from the scores it was made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tutelage.core.intervals import Interval, Sides
from tutelage.core.metric import ALL, Metric
from tutelage.core.rule import Bounds, Rule, evidence
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.gate.decide import SYSTEM
from tutelage.gate.family import slices_in as family_slices
from tutelage.gate.previous import PREVIOUS
from tutelage.gate.unlike import unlike
from tutelage.score.measure import Measure, Pairs, difference, interval
from tutelage.score.pairing import (
    Place,
    measures_in,
    metrics_alone,
    metrics_paired,
    pair,
    samples_in,
)
from tutelage.score.parts import slices_in
from tutelage.score.slices import Slice
from tutelage.store.artifact import Artifact

Samples = Mapping[str, Sequence[Sample]]  # by suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The scored samples of a report, of its baselines and of the report before."""

    measures: Mapping[str, Sequence[Measure]]  # by suite
    slices: Mapping[str, Sequence[Slice]]  # by suite
    systems: Mapping[str, Samples]  # `previous` among them, where there is one
    seed: int
    report: Artifact | None = None
    before: Artifact | None = None

    @classmethod
    def of(
        cls, report: Artifact, systems: Sequence[str], before: Artifact | None, seed: int
    ) -> Answers:
        """Those of these systems of a report."""
        found: dict[str, Samples] = {name: samples_in(report, name) for name in systems}
        if before is not None:
            found[PREVIOUS] = samples_in(before, SYSTEM)
        return cls(
            measures=measures_in(report),
            slices=slices_in(report),
            systems=found,
            seed=seed,
            report=report,
            before=before,
        )

    def measure(self, suite: str, metric: str) -> Measure | None:
        """The metric of a suite, None where it is not measured."""
        known = self.measures.get(suite, ())
        return next((one for one in known if one.metric == metric), None)

    def pairs(self, suite: str, system: str, baseline: str, part: str = ALL) -> Pairs | None:
        """Two systems on the tasks both have answered, None where one was not asked."""
        mine, other = self.systems.get(system, {}), self.systems.get(baseline, {})
        if suite not in mine or suite not in other:
            return None
        pairs = pair(mine[suite], other[suite])
        return pairs if part == ALL else pairs.only(self.tasks(suite, part))

    def unlike(self, rule: Rule) -> str:
        """Why the earlier report's metric is not the one of this report; empty where it is."""
        if rule.baseline != PREVIOUS or self.report is None or self.before is None:
            return ""
        measure = self.measure(rule.suite, rule.metric)
        if measure is None:
            return ""
        return unlike(rule.suite, measure, self.report, self.before)

    def tasks(self, suite: str, part: str) -> frozenset[str]:
        """The tasks of a slice."""
        return next(
            (one.tasks for one in self.slices.get(suite, ()) if one.name == part), frozenset()
        )

    def sharper(self, rule: Rule, confidence: float) -> Bounds | None:
        """One-sided bounds of a rule's evidence, of another confidence than the report's."""
        measure = self.measure(rule.suite, rule.metric)
        pairs = self.pairs(rule.suite, SYSTEM, rule.baseline or SYSTEM, rule.slice)
        if measure is None or pairs is None or not pairs.tasks or self.unlike(rule):
            return None
        place = Place(suite=rule.suite, system=SYSTEM, seed=self.seed, slice=rule.slice)
        generator = stream(place.generator_of(rule.metric), self.seed)
        found = (
            difference(measure, pairs, generator, 1, confidence)
            if rule.baseline
            else interval(measure, pairs.first, pairs.clusters, generator, 1, confidence)
        )
        return Bounds(
            estimate=found.value, low=found.low, high=found.high, n=found.n, method=found.method
        )

    def missing(self, rules: Sequence[Rule], metrics: Sequence[Metric]) -> Iterator[Metric]:
        """The records of rules about `previous`, and about ratios in a slice.

        Evaluation leaves these out: it knows no rules, and a bootstrap of every ratio of
        every slice takes long. Tasks both have answered are compared.
        """
        single = [
            rule.at(name)
            for rule in rules
            for name in (family_slices(rule, metrics, SYSTEM) if rule.family else [rule.slice])
        ]
        for rule in single:
            if rule.baseline is None or evidence(rule, metrics, SYSTEM) is not None:
                continue
            measure = self.measure(rule.suite, rule.metric)
            pairs = self.pairs(rule.suite, SYSTEM, rule.baseline, rule.slice)
            if measure is None or pairs is None or not pairs.tasks or self.unlike(rule):
                continue
            place = Place(
                suite=rule.suite,
                system=SYSTEM,
                seed=self.seed,
                slice=rule.slice,
                baseline=rule.baseline,
            )
            alone = next(metrics_alone(measure, pairs.first, pairs.clusters, place))
            yield from metrics_paired(measure, pairs, place, alone.value)

    def found(self, place: Place, measure: Measure, sides: Sides) -> Interval | None:
        """A metric's interval of a system's slice, or of its paired difference to a baseline."""
        pairs = self.pairs(place.suite, place.system, place.baseline or place.system, place.slice)
        if pairs is None or not pairs.tasks:
            return None
        generator = stream(place.generator_of(measure.metric), place.seed)
        if place.baseline:
            return difference(measure, pairs, generator, sides)
        return interval(measure, pairs.first, pairs.clusters, generator, sides)
