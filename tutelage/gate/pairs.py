"""Paired differences that rules ask for and the report does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tutelage.core.metric import ALL, Metric
from tutelage.core.rule import Rule, evidence
from tutelage.gate.decide import SYSTEM
from tutelage.score.measure import Pairs
from tutelage.score.pairing import (
    TASKS,
    Place,
    measures_in,
    metrics_alone,
    metrics_paired,
    pair,
    samples_in,
)
from tutelage.score.slices import slices_of
from tutelage.score.task import Task, suite_of
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.store.tables import read_rows

PREVIOUS = "previous"


def missing_pairs(
    rules: Sequence[Rule],
    metrics: Sequence[Metric],
    report: Artifact,
    before: Artifact | None,
    run: Run,
) -> Iterator[Metric]:
    """The records of rules about `previous`, and about ratios in a slice.

    Evaluation leaves these out: it knows no rules, and a bootstrap of every ratio of
    every slice takes long. Tasks both have answered are compared.
    """
    measures = measures_in(report)
    for rule in rules:
        if rule.baseline is None or evidence(rule, metrics, SYSTEM) is not None:
            continue
        known = [one for one in measures.get(rule.suite, []) if one.metric == rule.metric]
        pairs = _pairs(rule, report, before, run)
        if not known or pairs is None or not pairs.tasks:
            continue
        place = Place(
            suite=rule.suite,
            system=SYSTEM,
            seed=run.seed("gate.bootstrap"),
            slice=rule.slice,
            baseline=rule.baseline,
        )
        alone = next(metrics_alone(known[0], pairs.first, pairs.clusters, place))
        yield from metrics_paired(known[0], pairs, place, alone.value)


def _pairs(rule: Rule, report: Artifact, before: Artifact | None, run: Run) -> Pairs | None:
    """Tuned beside the rule's baseline on its slice, None where there is no baseline."""
    if rule.baseline == PREVIOUS:
        other = samples_in(before, SYSTEM) if before is not None else {}
    else:
        other = samples_in(report, rule.baseline or "")
    mine = samples_in(report, SYSTEM)
    if rule.suite not in mine or rule.suite not in other:
        return None
    pairs = pair(mine[rule.suite], other[rule.suite])
    return pairs if rule.slice == ALL else pairs.only(_slice(rule, report, run))


def _slice(rule: Rule, report: Artifact, run: Run) -> frozenset[str]:
    suites = run.recipe.evaluate.suites if run.recipe.evaluate else ()
    keys = next((suite.slices for suite in suites if suite.name == rule.suite), ())
    rows = [row for row in read_rows(report.file(TASKS)) if suite_of(row.id) == rule.suite]
    tasks = [Task(id=row.id, cluster=row.id, example=row) for row in rows]
    parts = [one.tasks for one in slices_of(tasks, keys) if one.name == rule.slice]
    return parts[0] if parts else frozenset()
