"""The recipe's other trainings on the same tasks: how much of a score is chance of the seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tutelage.core.digest import Json
from tutelage.core.intervals import Interval, Sides
from tutelage.core.metric import Metric
from tutelage.core.recipe import Evaluate
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.core.systems import TUNED
from tutelage.evaluate.ladder import System
from tutelage.evaluate.report import Measured, scored
from tutelage.evaluate.sample import Bench, Counter, Sampler
from tutelage.score.measure import Measure, difference, interval
from tutelage.score.pairing import SIDES, Place, pair
from tutelage.score.repeated import TRAININGS, Repeated, repeated
from tutelage.store.run import Run

Opens = Callable[
    [], AbstractContextManager[Bench]
]  # a training's bench, for as long as it is asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Trainings:
    """What the recipe's trainings come to together; nothing where there is but one."""

    metrics: tuple[Metric, ...] = ()
    samples: tuple[Sample, ...] = ()  # of all but the first, which the report has already
    form: Json = None  # their part of `summary.json`


def system_of(number: int) -> str:
    """The name a training's samples go by; the first is the tuned system itself."""
    return TUNED if number == 1 else f"{TUNED}-{number}"


def over_trainings(
    section: Evaluate,
    measured: Sequence[Measured],
    others: Sequence[Opens],
    run: Run,
    done: Counter,
) -> Trainings:
    """Asks every other training what the first was asked, and tells trainings from tasks."""
    if not others:
        return Trainings()
    suites = [suite for suite in measured if TUNED in suite.asked]
    answers: dict[str, list[Sequence[Sample]]] = {
        suite.name: [suite.samples[TUNED]] for suite in suites
    }
    for number, opened in enumerate(others, 2):
        with opened() as bench:
            sampler = Sampler(section=section, bench=bench, run=run, progress=done)
            for suite in suites:
                asked = suite.asked[TUNED]
                found = sampler.answered(suite.name, System(name=TUNED), asked).samples
                named = [replace(one, system=system_of(number)) for one in found]
                answers[suite.name].append(scored(suite.tasks, suite.scorers, named))
    metrics: list[Metric] = []
    form: dict[str, Json] = {}
    for suite in suites:
        lines: list[Json] = []
        for line in _lines(suite, answers[suite.name], run.seed("evaluate.bootstrap")):
            metrics += line.metrics
            lines.append(line.form)
        form[suite.name] = lines
    return Trainings(
        metrics=tuple(metrics),
        samples=tuple(one for some in answers.values() for part in some[1:] for one in part),
        form={"count": len(others) + 1, "suites": form},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One metric of a suite: its records, and what the summary tells of it."""

    metrics: list[Metric]
    form: Json


def _lines(suite: Measured, answers: Sequence[Sequence[Sample]], seed: int) -> Iterator[_Line]:
    judged = {one.metric for one in suite.judged}  # judges rated the first training alone
    clusters = [sample.cluster for sample in answers[0]]
    rows = [[sample.scores for sample in one] for one in answers]
    place = Place(suite=suite.name, system=TUNED, seed=seed, slice=TRAININGS)
    for measure in (one for one in suite.measures if one.metric not in judged):
        bounds = partial(_bounds, measure, answers, None, place)
        alone = repeated(measure, rows, clusters, bounds)
        if alone is None:
            continue
        metrics = list(_records(alone, alone, place))
        against: dict[str, Json] = {}
        for baseline in (name for name in suite.samples if name != TUNED):
            other = suite.samples[baseline]
            bounds = partial(_bounds, measure, answers, other, place)
            apart = repeated(measure, rows, clusters, bounds, [one.scores for one in other])
            if apart is not None:
                metrics += _records(apart, alone, replace(place, baseline=baseline))
                against[baseline] = _told(apart)
        form: dict[str, Json] = {
            "metric": measure.metric,
            "unit": measure.unit,
            **_told(alone),
            "parts": dict(_shares(alone)),
            "baselines": against,
        }
        yield _Line(metrics=metrics, form=form)


def _bounds(
    measure: Measure,
    answers: Sequence[Sequence[Sample]],
    baseline: Sequence[Sample] | None,
    place: Place,
    number: int,
    sides: Sides,
) -> Interval:
    """One training's metric, or its difference to a baseline, for itself alone."""
    generator = stream(place.generator_of(measure.metric), place.seed)
    pairs = pair(answers[number], answers[number] if baseline is None else baseline)
    if baseline is None:
        return interval(measure, pairs.first, pairs.clusters, generator, sides)
    return difference(measure, pairs, generator, sides)


def _records(found: Repeated, alone: Repeated, place: Place) -> Iterator[Metric]:
    for sides in SIDES:
        bounds = found.interval(sides)
        yield Metric(
            metric=found.measure.metric,
            suite=place.suite,
            system=place.system,
            slice=place.slice,
            n=bounds.n,
            value=alone.value,
            low=bounds.low,
            high=bounds.high,
            method=bounds.method,
            unit=found.measure.unit,
            baseline=place.baseline,
            difference=bounds.value if place.baseline else None,
        )


def _told(found: Repeated) -> dict[str, Json]:
    bounds = found.interval(2)
    return {
        "value": bounds.value,
        "low": bounds.low,
        "high": bounds.high,
        "values": list(found.values),
        "method": bounds.method,
    }


def _shares(found: Repeated) -> Mapping[str, float]:
    """Which part of the squared error comes from what."""
    parts = np.array([found.spread.of_seeds, found.spread.of_items, found.spread.of_rest])
    total = float(parts.sum())
    shares = parts / total if total > 0 else parts
    return dict(zip(("trainings", "tasks", "rest"), shares.tolist(), strict=True))
