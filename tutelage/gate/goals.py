"""Each goal as a metric: what it names, weighted by what production is expected to bring."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, RecipeError
from tutelage.core.intervals import Interval
from tutelage.core.metric import ALL, Metric
from tutelage.core.recipe import GOALS, Goal
from tutelage.core.rule import Outcome, parse
from tutelage.core.unpaired import weighted_mean
from tutelage.gate.decide import SYSTEM, Judged, Verdict
from tutelage.gate.pairs import Answers
from tutelage.gate.previous import PREVIOUS
from tutelage.score.measure import Measure, as_locked
from tutelage.score.pairing import SIDES, Place

OUTCOMES: tuple[Outcome, ...] = ("fail", "inconclusive", "pass")  # the worst first


def goal_metrics(
    goals: Sequence[Goal], answers: Answers, metrics: Sequence[Metric]
) -> Iterator[Metric]:
    """A record of every goal for each system, alone and tuned beside each baseline.

    They stand in the suite `goals`, under the goal's id. Without shares they are those of
    the metric the goal names.

    Raises: RecipeError with every share that is of no slice.
    """
    _check(goals, answers)
    for goal in goals:
        suite, _, metric = goal.metric.partition(".")
        if goal.shares:
            yield from _weighted(goal, suite, metric, answers)
            continue
        before = answers.missing([parse(f"{goal.metric} >= {PREVIOUS}")], metrics)
        for one in (*metrics, *before):
            if (one.suite, one.metric, one.slice) == (suite, metric, ALL):
                yield _renamed(one, goal)


def _weighted(goal: Goal, suite: str, metric: str, answers: Answers) -> Iterator[Metric]:
    measure = answers.measure(suite, metric)
    if measure is None:
        return
    for system in (name for name in answers.systems if name != PREVIOUS):
        place = Place(suite=suite, system=system, seed=answers.seed)
        yield from _records(goal, measure, place, answers)
    for baseline in answers.systems:
        if baseline != SYSTEM:
            place = Place(suite=suite, system=SYSTEM, seed=answers.seed, baseline=baseline)
            yield from _records(goal, measure, place, answers)


def _records(goal: Goal, measure: Measure, place: Place, answers: Answers) -> Iterator[Metric]:
    for sides in SIDES:
        parts: dict[str, Interval] = {}
        for name in goal.shares:
            at = Place(
                suite=place.suite,
                system=place.system,
                seed=place.seed,
                slice=name,
                baseline=place.baseline,
            )
            found = answers.found(at, measure, sides)
            if found is None or math.isnan(found.value):
                return
            parts[name] = found
        whole = weighted_mean(parts, goal.shares, apart=_apart(goal, place, answers))
        whole = as_locked(measure, whole, sides)
        alone = 0.0
        if place.baseline is not None:
            alone = _value(goal, measure, place, answers)
        yield Metric(
            metric=goal.id,
            suite=GOALS,
            system=place.system,
            n=whole.n,
            value=whole.value if place.baseline is None else alone,
            low=whole.low,
            high=whole.high,
            method=whole.method,
            unit=measure.unit,
            baseline=place.baseline,
            difference=None if place.baseline is None else whole.value,
        )


def _value(goal: Goal, measure: Measure, place: Place, answers: Answers) -> float:
    """The system's own weighted value, on all its tasks."""
    alone = Place(suite=place.suite, system=place.system, seed=place.seed)
    return next(_records(goal, measure, alone, answers)).value


def _apart(goal: Goal, place: Place, answers: Answers) -> bool:
    """Whether no cluster has tasks in two of the slices."""
    samples = answers.systems[place.system][place.suite]
    seen: dict[str, str] = {}
    for name in goal.shares:
        tasks = answers.tasks(place.suite, name)
        for sample in samples:
            if sample.task in tasks and seen.setdefault(sample.cluster, name) != name:
                return False
    return True


def _renamed(one: Metric, goal: Goal) -> Metric:
    return Metric.from_dict({**one.to_dict(), "suite": GOALS, "metric": goal.id})


def _check(goals: Sequence[Goal], answers: Answers) -> None:
    rows = []
    for index, goal in enumerate(goals):
        known = [one.name for one in answers.slices.get(goal.metric.partition(".")[0], ())]
        mine = [name for name in known if name.partition("=")[0] == goal.sliced_by]
        rows += [
            BadRow(
                where=f"goals[{index}].shares",
                problem=f"no task is in `{name}`; there are {', '.join(mine) or 'no such slices'}",
            )
            for name in goal.shares
            if name not in mine
        ]
    if rows:
        raise RecipeError(
            "a goal gives a share to tasks there are not",
            rows=rows,
            hint="add tasks of that kind to the suite, or leave the share out",
        )


def answer(goal: Goal, verdict: Verdict) -> Outcome | None:
    """What the rules on a goal, or on its metric, say of it; None where there is none."""
    outcomes = [one.decided.outcome for one in rules_on(goal, verdict)]
    if not outcomes:
        return None
    return next(one for one in OUTCOMES if one in outcomes)


def rules_on(goal: Goal, verdict: Verdict) -> list[Judged]:
    """The rules on a goal: those that name it, else those on its metric."""
    named = [one for one in verdict.rules if _names(one) == f"{GOALS}.{goal.id}"]
    return named or [one for one in verdict.rules if _names(one) == goal.metric]


def goals_form(
    goals: Sequence[Goal], verdict: Verdict, metrics: Sequence[Metric]
) -> list[dict[str, Json]]:
    """The goals of `verdict.json`, one by one."""
    tuned = {
        one.metric: one
        for one in metrics
        if (one.suite, one.system, one.baseline) == (GOALS, SYSTEM, None) and not one.one_sided
    }
    found: list[dict[str, Json]] = []
    for goal in goals:
        one = tuned.get(goal.id)
        form: dict[str, Json] = {"id": goal.id, "says": goal.says, "metric": goal.metric}
        form["shares"] = dict(goal.shares)
        form["outcome"] = answer(goal, verdict)
        form["rules"] = [judged.decided.rule.text for judged in rules_on(goal, verdict)]
        if one is not None:
            form |= {"value": one.value, "low": one.low, "high": one.high, "n": one.n}
        found.append(form)
    return found


def _names(judged: Judged) -> str:
    return f"{judged.decided.rule.suite}.{judged.decided.rule.metric}"
