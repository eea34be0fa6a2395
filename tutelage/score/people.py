"""People's ratings: the metrics they give, by the names rules use, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from tutelage.core.agreement import Scale, Unit, krippendorff
from tutelage.core.digest import Json
from tutelage.core.metric import CURE
from tutelage.core.recipe.judge import CRITERIA, PEOPLE
from tutelage.core.sequential import preference
from tutelage.score.measure import Measure
from tutelage.score.preference import PairNames, Scored, pair_measures, pair_scores
from tutelage.score.rating import Rating, interval_form, item_scores, preferred, rubric_means
from tutelage.score.task import suite_of

PEOPLE_FORM = "people.json"  # of an artifact of ratings: what they come to
ALIKE = "(equal answers)"  # rates what nobody is asked: two answers that are one
Draws = Callable[[str], np.random.Generator]  # by the name of a stream


def over(baseline: str) -> PairNames:
    """The metrics of people who compare with a baseline."""
    return PairNames(by=PEOPLE, over=baseline)


def people_measures(baselines: Iterable[str], criteria: Iterable[str]) -> list[Measure]:
    """The metrics of these comparisons and marks."""
    found = []
    for baseline in baselines:
        says = f"people prefer the answer to that of {baseline}"
        found += pair_measures(over(baseline), says, "opinion")
    for criterion in criteria:
        says = f"people's mark for {criterion}, 0 to 1"
        found.append(Measure(metric=f"{PEOPLE}_{criterion}", says=says, family="opinion"))
    return found


def all_measures(baselines: Iterable[str]) -> list[Measure]:
    """Every metric people may give a suite: a rule may name it before anybody has rated."""
    return people_measures(baselines, CRITERIA)


def measures_of_ratings(
    ratings: Sequence[Rating], out: Mapping[str, int] | None = None
) -> list[Measure]:
    """The metrics these ratings give; `out` counts the lines still out, by baseline.

    The rate at equal length has no bound that holds at every look: it waits for them.
    """
    pairs, marks = by_baseline(ratings), by_criterion(ratings)
    waits = {over(name).controlled: count for name, count in (out or {}).items() if count}
    return [
        replace(one, locked=_waits(waits[one.metric])) if one.metric in waits else one
        for one in people_measures(pairs, marks)
    ]


def _waits(lines: int) -> str:
    return (
        f"{lines:,} line{'s are' if lines > 1 else ' is'} out with people{CURE}"
        "import the sheets that were handed out, `tie` where neither is better"
    )


def scores_of_ratings(ratings: Sequence[Rating]) -> dict[str, Scored]:
    """By system and task, the scores that these ratings of one suite give its samples."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for baseline, some in by_baseline(ratings).items():
        for system, scored in pair_scores(some, over(baseline)).items():
            for task, scores in scored.items():
                found.setdefault(system, {}).setdefault(task, {}).update(scores)
    for criterion, some in by_criterion(ratings).items():
        for system in {one.first for one in some}:
            mine = [one for one in some if one.first == system]
            for task, value in item_scores(mine).items():
                scores = found.setdefault(system, {}).setdefault(task, {})
                scores[f"{PEOPLE}_{criterion}"] = value
    return {system: dict(scored) for system, scored in found.items()}


def by_suite(ratings: Iterable[Rating]) -> dict[str, list[Rating]]:
    """The ratings of each suite."""
    return _grouped(ratings, lambda one: suite_of(one.item))


def by_baseline(ratings: Iterable[Rating]) -> dict[str, list[Rating]]:
    """The comparisons, by what the tuned model is compared with."""
    return _grouped((one for one in ratings if one.second), lambda one: one.second)


def by_criterion(ratings: Iterable[Rating]) -> dict[str, list[Rating]]:
    """The marks, by what is marked."""
    return _grouped((one for one in ratings if one.criterion), lambda one: one.criterion)


def people_form(ratings: Sequence[Rating], draws: Draws) -> dict[str, Json]:
    """What people's ratings come to, suite by suite, as plain JSON."""
    return {suite: _suite_form(suite, some, draws) for suite, some in by_suite(ratings).items()}


def _suite_form(suite: str, ratings: Sequence[Rating], draws: Draws) -> dict[str, Json]:
    pairs: dict[str, Json] = {}
    for baseline, some in by_baseline(ratings).items():
        name = f"{suite}.{baseline}"
        asked = [one for one in some if one.rater != ALIKE]
        form: dict[str, Json] = {**preferred(some, draws(name)).to_dict()}
        form["alike"] = len(some) - len(asked)
        form["agreement"] = agreement(asked, "nominal", draws(f"agreement.{name}"))
        form["preference"] = _so_far(asked)
        form["raters"] = _raters(asked)
        pairs[baseline] = form
    marks: dict[str, Json] = {}
    for criterion, some in by_criterion(ratings).items():
        name = f"agreement.{suite}.{criterion}"
        means = {system: interval_form(one) for (system, _), one in rubric_means(some).items()}
        marks[criterion] = {
            "means": {system: dict(one) for system, one in means.items()},
            "agreement": agreement(some, "interval", draws(name)),
            "raters": {rater: len(own) for rater, own in _by_rater(some).items()},
        }
    return {"pairs": pairs, "marks": marks}


def agreement(
    ratings: Sequence[Rating], scale: Scale, generator: np.random.Generator
) -> dict[str, Json]:
    """Krippendorff's alpha of raters on the answers that several have rated."""
    units: dict[tuple[str, str], dict[str, list[Rating]]] = {}
    for one in ratings:
        units.setdefault((one.item, one.first), {}).setdefault(one.rater, []).append(one)
    found = [
        Unit(
            values=tuple(_side(some, scale) for some in raters.values()),
            cluster=next(iter(raters.values()))[0].cluster,
        )
        for raters in units.values()
    ]
    return interval_form(krippendorff(found, scale, generator))


def _side(ratings: Sequence[Rating], scale: Scale) -> float:
    """One rater's word on one item, over the orders it was seen in."""
    value = next(iter(item_scores(ratings).values()))
    return value if scale == "interval" else float(np.sign(value - 0.5) / 2 + 0.5)


def _so_far(ratings: Sequence[Rating]) -> dict[str, Json]:
    """Won and lost so far, and evidence that stays sound however often one looks.

    Tasks of one cluster are won or lost together: they are no evidence of their own.
    """
    groups = {one.item: one.cluster for one in ratings}
    sums: dict[str, float] = {}
    for item, score in item_scores(ratings).items():
        sums[groups[item]] = sums.get(groups[item], 0.0) + score - 0.5
    won, lost = (sum(1 for one in sums.values() if sign * one > 0) for sign in (1, -1))
    form: dict[str, Json] = {"won": won, "lost": lost, "tied": len(sums) - won - lost}
    if won + lost:
        form |= asdict(preference(won, lost))
    return form


def _raters(ratings: Sequence[Rating]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for rater, some in _by_rater(ratings).items():
        decided = [one for one in some if one.value != 0.5]
        first = sum(1 for one in decided if (one.value > 0.5) != one.swapped)
        found[rater] = {
            "rated": len(some),
            "win_rate": float(np.mean([one.value for one in some])),
            "first_shown": first / len(decided) if decided else None,
        }
    return found


def _by_rater(ratings: Sequence[Rating]) -> Mapping[str, list[Rating]]:
    return _grouped(ratings, lambda one: one.rater)


def _grouped(ratings: Iterable[Rating], name: Callable[[Rating], str]) -> dict[str, list[Rating]]:
    found: dict[str, list[Rating]] = {}
    for one in ratings:
        found.setdefault(name(one), []).append(one)
    return dict(sorted(found.items()))
