"""Samples to the Report: metrics with intervals, slices, paired differences, and a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from tutelage.core.digest import Json, short_digest, strong_digest
from tutelage.core.metric import ALL, Metric
from tutelage.core.sample import Sample
from tutelage.core.systems import TUNED
from tutelage.evaluate.ladder import PromptedTask
from tutelage.score.labelled import Labelled
from tutelage.score.measure import Measure
from tutelage.score.pairing import (
    Place,
    discordant,
    metrics_alone,
    metrics_paired,
    pair,
)
from tutelage.score.roster import headline_of, measures_of, of_rows, spent
from tutelage.score.slices import Slice
from tutelage.score.task import Scorer, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One suite, answered and scored: all that its part of the report is made from."""

    name: str
    uri: str  # of its file
    tasks: Sequence[Task]
    scorers: Sequence[Scorer]
    slices: Sequence[Slice]
    asked: Mapping[str, Sequence[PromptedTask]]  # by system, in the tasks' order
    samples: Mapping[str, Sequence[Sample]]  # by system, scored, in the tasks' order
    judged: tuple[Measure, ...] = ()  # the judges' metrics
    strengths: tuple[Metric, ...] = ()  # of the systems, by what judges prefer
    latency: Mapping[str, Sequence[float]] = field(default_factory=dict)  # by system, seconds
    labelled: Labelled | None = None  # outputs the detector of refusals is held against

    @property
    def weighed(self) -> bool:
        """Whether its scores are made of log-probabilities, without an answer."""
        return any(one.lessons for some in self.asked.values() for one in some)

    @property
    def measures(self) -> list[Measure]:
        """Every metric of the suite."""
        return [*measures_of(self.scorers), *self.judged]


def scored(
    tasks: Sequence[Task], scorers: Sequence[Scorer], samples: Sequence[Sample]
) -> list[Sample]:
    """The samples with every scorer's scores beside those they had."""
    found = []
    for task, sample in zip(tasks, samples, strict=True):
        scores = {**sample.scores, **spent(scorers, task, sample)}
        for scorer in scorers:
            scores |= scorer.score(task, sample.answer)
        found.append(replace(sample, scores=scores))
    shared = of_rows(scorers, tasks, found)
    return [
        replace(one, scores={**one.scores, **more}) for one, more in zip(found, shared, strict=True)
    ]


def metrics(suite: Measured, seed: int) -> list[Metric]:
    """Every metric of the suite: each system alone, the tuned one paired, whole and by slice."""
    found: list[Metric] = []
    every = frozenset(task.id for task in suite.tasks)
    parts = [(ALL, every), *((one.name, one.tasks) for one in suite.slices)]
    for name, tasks in parts:
        found += _of_part(suite, name, tasks, seed)
    return [*found, *suite.strengths]


def _of_part(suite: Measured, part: str, tasks: frozenset[str], seed: int) -> Iterator[Metric]:
    kept = {
        system: [sample for sample in samples if sample.task in tasks]
        for system, samples in suite.samples.items()
    }
    measures = [one for one in suite.measures if part == ALL or one.sliced]
    values: dict[str, float] = {}
    for system, samples in kept.items():
        rows = [sample.scores for sample in samples]
        clusters = [sample.cluster for sample in samples]
        place = Place(suite=suite.name, system=system, seed=seed, slice=part)
        for measure in measures:
            for metric in metrics_alone(measure, rows, clusters, place):
                values[f"{system}.{metric.metric}"] = metric.value
                yield metric
    for baseline in (system for system in kept if system != TUNED):
        pairs = pair(kept[TUNED], kept[baseline])
        place = Place(suite=suite.name, system=TUNED, seed=seed, slice=part, baseline=baseline)
        for measure in measures:
            if part != ALL and measure.family == "ratio":
                continue  # a bootstrap each: the gate draws those its rules name
            value = values[f"{TUNED}.{measure.metric}"]
            yield from metrics_paired(measure, pairs, place, value)


def summary(suite: Measured, found: Sequence[Metric]) -> dict[str, Json]:
    """The suite's part of `summary.json`: what a table of systems and a report need."""
    mine = [one for one in found if one.suite == suite.name and not one.one_sided]
    whole = [one for one in mine if one.slice == ALL]
    table: dict[str, dict[str, Json]] = {}
    differences: dict[str, dict[str, Json]] = {}
    for one in whole:
        form: dict[str, Json] = {
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "n": one.n,
            "method": one.method,
        }
        if one.baseline is None:
            table.setdefault(one.system, {})[one.metric] = form
        else:
            differences.setdefault(one.baseline, {})[one.metric] = {
                **form,
                "difference": one.difference,
            }
    return {
        "name": suite.name,
        "uri": suite.uri,
        "tasks": len(suite.tasks),
        "headline": headline_of(suite.scorers),
        "measures": [measure.to_dict() for measure in suite.measures],
        "slices": [
            {"key": one.key, "name": one.name, "label": one.label, "n": len(one.tasks)}
            for one in suite.slices
        ],
        "systems": {name: dict(row) for name, row in table.items()},
        "differences": {name: dict(row) for name, row in differences.items()},
        "discordant": _discordant(suite),
        "prompts": {system: _prompts(asked) for system, asked in suite.asked.items()},
        "answers": {system: _answers(samples) for system, samples in suite.samples.items()},
    }


def _discordant(suite: Measured) -> dict[str, Json]:
    """By baseline: tasks only one of the two got right, on the headline metric."""
    name = headline_of(suite.scorers)
    measure = next(one for one in suite.measures if one.metric == name)
    found: dict[str, Json] = {}
    for baseline in (system for system in suite.samples if system != TUNED):
        split = discordant(measure, pair(suite.samples[TUNED], suite.samples[baseline]))
        found[baseline] = None if split is None else asdict(split)
    return found


def _prompts(asked: Sequence[PromptedTask]) -> dict[str, Json]:
    lengths = [len(one.ids) for one in asked]
    shots = [one.shots for one in asked]
    return {
        "digest": strong_digest([one.digest for one in asked]),
        "tokens": sum(lengths),
        "longest": max(lengths),
        "examples": max(shots),
        "with_fewer_examples": sum(1 for count in shots if count < max(shots)),
    }


def _answers(samples: Sequence[Sample]) -> dict[str, Json]:
    return {
        "tokens": sum(sample.tokens for sample in samples),
        "seconds": round(sum(sample.seconds for sample in samples), 3),
        "distinct": len({short_digest(sample.answer.encode()) for sample in samples}),
    }
