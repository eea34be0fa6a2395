"""Was fine-tuning needed? The systems of a suite as rungs of a ladder, with what each costs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tutelage.core.digest import Json
from tutelage.core.metric import ALL, Metric
from tutelage.core.systems import LADDER, TUNED, TUNED_CONSTRAINED, UNTUNED
from tutelage.evaluate.report import Measured
from tutelage.score.measure import Measure
from tutelage.score.pairing import Place, metrics_paired, pair
from tutelage.score.roster import FINISHED, headline_of

TAIL = 0.95


def ladder(suite: Measured, found: Sequence[Metric], seed: int) -> dict[str, Json] | None:
    """The suite's ladder on its headline metric, None where nothing was answered or compared.

    `best` is the rung without training that has the best value. As it is picked by the same
    answers its value flatters it, never the tuned model. Tuning was needed where the tuned
    model is surely better than every such rung, and not where it is surely worse than one.
    Where the headline of another scorer of the suite says the contrary, as of refusals and
    answers, no one metric tells: it is `mixed`, and `contrary` has the others.
    """
    untuned = [name for name in UNTUNED if name in suite.samples]
    if not untuned or not suite.latency or suite.weighed:
        return None
    metric = headline_of(suite.scorers)
    measure = next(one for one in suite.measures if one.metric == metric)
    mine = [one for one in found if _of_headline(one, suite.name, metric)]
    alone = {one.system: one for one in mine if one.baseline is None}
    against = {one.baseline: one for one in mine if one.system == TUNED and one.baseline}
    best = max(untuned, key=lambda name: _rank(alone[name], measure))
    forms: list[Json] = [_difference(against[name]) for name in untuned]
    needed = _needed([against[name] for name in untuned], measure)
    contrary = _contrary(suite, found, {"yes": "no", "no": "yes"}.get(needed, ""), best)
    return {
        "metric": metric,
        "unit": measure.unit,
        "better": measure.better,
        "rungs": [_rung(suite, name, alone[name]) for name in LADDER if name in suite.samples],
        "best": best,
        "needed": "mixed" if contrary else needed,
        "contrary": contrary,
        "differences": forms,
        "constrained": _constrained(suite, measure, best, seed),
    }


def quantile(seconds: Sequence[float], share: float) -> float:
    """The least of the values that so large a share does not exceed."""
    return sorted(seconds)[math.ceil(share * len(seconds)) - 1]


def latency_form(seconds: Sequence[float]) -> dict[str, Json] | None:
    """Median and 95th percentile of seconds, and of how many answers."""
    if not seconds:
        return None
    return {
        "p50": quantile(seconds, 0.5),
        "p95": quantile(seconds, TAIL),
        "n": len(seconds),
    }


def _of_headline(one: Metric, suite: str, metric: str) -> bool:
    return (one.suite, one.metric, one.slice) == (suite, metric, ALL) and not one.one_sided


def _rank(metric: Metric, measure: Measure) -> float:
    if math.isnan(metric.value):
        return -math.inf
    return metric.value if measure.better == "higher" else -metric.value


def _needed(against: Sequence[Metric], measure: Measure) -> str:
    """`yes`, `no` or `not shown`."""
    gains = [
        (one.low, one.high) if measure.better == "higher" else (-one.high, -one.low)
        for one in against
    ]
    if any(high < 0 for _, high in gains):
        return "no"
    return "yes" if all(low > 0 for low, _ in gains) else "not shown"


def _contrary(suite: Measured, found: Sequence[Metric], needed: str, best: str) -> list[Json]:
    """The headlines of other scorers by which tuning was needed so, beside a rung that shows it."""
    forms: list[Json] = []
    others = dict.fromkeys(one.headline for one in suite.scorers if one.headline)
    for name in [one for one in others if one != headline_of(suite.scorers)]:
        measure = next(one for one in suite.measures if one.metric == name)
        against = [
            one
            for one in found
            if _of_headline(one, suite.name, name)
            and one.system == TUNED
            and one.baseline in UNTUNED
        ]
        if against and _needed(against, measure) == needed:
            # the rung that it is surely worse than, or the best, which it beats as all others
            sure = [one for one in against if _needed([one], measure) == needed]
            beside = next((one for one in sure if one.baseline == best), sure[0])
            named: dict[str, Json] = {"metric": name, "unit": measure.unit}
            forms.append({**named, "better": measure.better, **_difference(beside)})
    return forms


def _difference(one: Metric) -> dict[str, Json]:
    return {
        "system": one.system,
        "baseline": one.baseline,
        "difference": one.difference,
        "low": one.low,
        "high": one.high,
        "n": one.n,
        "method": one.method,
    }


def _constrained(suite: Measured, measure: Measure, best: str, seed: int) -> dict[str, Json]:
    """The tuned model held to the schema against the best rung without training and without it."""
    if TUNED_CONSTRAINED not in suite.samples:
        return {}
    found: dict[str, Json] = {}
    for baseline in (best, TUNED):
        pairs = pair(suite.samples[TUNED_CONSTRAINED], suite.samples[baseline])
        place = Place(suite=suite.name, system=TUNED_CONSTRAINED, seed=seed, baseline=baseline)
        found[baseline] = _difference(next(metrics_paired(measure, pairs, place, math.nan)))
    return found


def _rung(suite: Measured, system: str, metric: Metric) -> dict[str, Json]:
    asked, samples = suite.asked[system], suite.samples[system]
    finished = [one.scores.get(FINISHED.metric, 0.0) for one in samples]
    return {
        "system": system,
        "value": metric.value,
        "low": metric.low,
        "high": metric.high,
        "n": metric.n,
        "prompt_tokens": sum(len(one.ids) for one in asked),
        "answer_tokens": sum(one.tokens for one in samples),
        "seconds": round(sum(one.seconds for one in samples), 3),
        "unfinished": sum(1 for one in finished if not one),
        "latency": latency_form(suite.latency[system]),
    }
