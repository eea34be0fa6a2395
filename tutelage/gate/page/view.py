"""All that the page shows, gathered from the artifacts, before a line of HTML is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from tutelage.core.metric import ALL, Metric
from tutelage.core.recipe import GOALS, Recipe
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.gate.decide import SYSTEM, Judged, Verdict
from tutelage.gate.goals import answer, rules_on
from tutelage.gate.page import charts, facts
from tutelage.gate.page.course import course
from tutelage.gate.page.draw import SHARE, WHOLE, percent, points, sentence, signed, span
from tutelage.gate.page.ladder import LadderView, ladder_view
from tutelage.gate.page.mark import Failures, failures
from tutelage.gate.page.memory import memory
from tutelage.gate.page.opinions import judged_names, opinions, withdrawals
from tutelage.gate.page.passes import PassCurve, pass_curve
from tutelage.gate.page.trainings import trainings
from tutelage.gate.people import BESIDE, Withdrawn
from tutelage.score.beside import Beside, beside
from tutelage.score.measure import Measure
from tutelage.score.pairing import SUMMARY, TASKS
from tutelage.score.people import PEOPLE_FORM
from tutelage.score.rating import RATINGS, Rating, read_ratings
from tutelage.score.task import suite_of
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS
from tutelage.store.tables import SAMPLES, read_rows, read_samples

TEMPLATE = "report.html.jinja"
HEADLINES = {
    "pass": ("✓", "Pass", "Every rule holds: the gate is open."),
    "fail": ("✕", "Fail", "Not every rule holds: the gate is shut."),
    "inconclusive": ("?", "Inconclusive", "The evidence does not tell: the gate stays shut."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a verdict was made from."""

    recipe: Recipe
    verdict: Verdict
    metrics: Sequence[Metric]
    dataset: Artifact
    adapter: Artifact
    report: Artifact
    before: Artifact | None  # the report of `previous`
    uses: Mapping[str, int]  # models each suite's file was spent on
    ratings: Artifact | None = None  # people's
    withdrawn: Sequence[Withdrawn] = ()  # sheets


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal, and how near the tuned model is."""

    id: str
    says: str
    metric: str
    value: str
    span: str
    baselines: tuple[tuple[str, str], ...]
    rules: tuple[tuple[str, str], ...]  # text and outcome of the rules on it
    answer: str  # pass, fail, inconclusive, or empty where no rule holds it
    shares: str  # what its metric is weighted by, empty where by nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteView:
    """One suite's part of the page."""

    name: str
    uri: str
    tasks: int
    right: bool  # whether its headline says of an answer that it is right
    uses: int | None  # models its file was spent on, None where it was not noted
    headline: str
    ladder: LadderView | None
    needs: Sequence[charts.Need]
    metrics: Sequence[charts.Group]
    passes: PassCurve | None
    slices: Sequence[charts.Group]
    failures: Failures
    systems: Sequence[str]
    differences: Sequence[Metric]


def html(evidence: Evidence) -> str:
    """The whole page. Every text in it is escaped: answers and rows are not trusted."""
    environment = Environment(
        loader=FunctionLoader(_source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = points
    environment.filters["signed"] = signed
    environment.filters["capfirst"] = sentence
    return environment.get_template(TEMPLATE).render(page=page(evidence))


def page(evidence: Evidence) -> dict[str, Any]:
    """What the template draws."""
    verdict, report = evidence.verdict, evidence.report
    summary = read_json(report.file(SUMMARY))
    icon, word, says = HEADLINES[verdict.outcome]
    outcomes = [one.decided.outcome for one in verdict.rules]
    trail = [evidence.dataset, evidence.adapter, report]
    beside = [one for one in (evidence.ratings, evidence.before) if one is not None]
    return {
        "name": evidence.recipe.name,
        "outcome": verdict.outcome,
        "icon": icon,
        "word": word,
        "says": says,
        "tally": {name: outcomes.count(name) for name in ("pass", "fail", "inconclusive")},
        "rules": [charts.rule_chart(one, _unit(one, evidence.metrics)) for one in verdict.rules],
        "goals": _goals(evidence),
        "suites": _suites(evidence, summary),
        "opinions": [
            *opinions(summary, _people(evidence), evidence.metrics, _held(evidence)),
            *withdrawals(evidence.withdrawn),
        ],
        "memory": memory(summary, evidence.metrics),
        "trainings": trainings(summary),
        "whole": WHOLE.ticks,
        "course": course(evidence.adapter.file(METRICS)),
        "card": facts.dataset_card(evidence.dataset),
        "training": facts.training_facts(evidence.adapter),
        "lineage": facts.lineage([*trail, *beside]),
        "environment": facts.environment(report),
        "counts": [
            facts.Fact(name=name, value=f"{count:,}")
            for name, count in report.counts.items()
            if "." in name
        ],
        "contract": summary["contract"],
        "seed": evidence.recipe.seed,
        "made": report.manifest.started[:10],
    }


def _suites(evidence: Evidence, summary: Mapping[str, Any]) -> list[SuiteView]:
    samples: dict[str, dict[str, list[Sample]]] = {}
    for sample in read_samples(evidence.report.file(SAMPLES)):
        if sample.system not in summary["systems"]:
            continue  # another training's
        by_system = samples.setdefault(suite_of(sample.task), {})
        by_system.setdefault(sample.system, []).append(sample)
    rows = read_rows(evidence.report.file(TASKS))
    by_judges = judged_names(summary)
    found = []
    for form in summary["suites"]:
        measures = [Measure.from_dict(one) for one in form["measures"]]
        scored = [one for one in measures if one.metric not in by_judges]
        headline = next(one for one in measures if one.metric == form["headline"])
        mine = [row for row in rows if suite_of(row.id) == form["name"]]
        keys = list(dict.fromkeys(one["key"] for one in form["slices"]))
        found.append(
            SuiteView(
                name=form["name"],
                uri=form["uri"],
                tasks=form["tasks"],
                right=headline.unit == SHARE,
                uses=evidence.uses.get(form["name"]),
                headline=headline.metric,
                ladder=ladder_view(form.get("ladder"), summary.get("prompts", {})),
                needs=_needs(form, measures, evidence.metrics),
                metrics=charts.metric_groups(form["name"], scored, evidence.metrics),
                passes=pass_curve(form["name"], measures, evidence.metrics),
                slices=charts.slice_groups(form, evidence.metrics),
                failures=failures(mine, samples[form["name"]], measures, headline.metric, keys),
                systems=[one for one in charts.SYSTEMS if one in form["systems"]],
                differences=[
                    one
                    for one in evidence.metrics
                    if one.suite == form["name"]
                    and one.baseline is not None
                    and one.slice == ALL
                    and not one.one_sided
                ],
            )
        )
    return found


def _needs(
    form: Mapping[str, Any], measures: Sequence[Measure], metrics: Sequence[Metric]
) -> list[charts.Need]:
    """Whether tuning was needed, by the headline and by the metrics that say the contrary."""
    contrary = (form.get("ladder") or {}).get("contrary", ())
    names = (form["headline"], *(one["metric"] for one in contrary))
    by_name = {one.metric: one for one in measures}
    return [one for name in names for one in charts.needs(form, by_name[name], metrics)]


def _people(evidence: Evidence) -> Mapping[str, Any] | None:
    if evidence.ratings is None:
        return None
    form: Mapping[str, Any] = read_json(evidence.ratings.file(PEOPLE_FORM))["suites"]
    return form


def _held(evidence: Evidence) -> list[Beside]:
    """Judges of the report held against the people who rated it."""
    if evidence.ratings is None or RATINGS not in evidence.report.manifest.files:
        return []
    judged: dict[tuple[str, str, str], list[Rating]] = {}
    for one in read_ratings(evidence.report.file(RATINGS)):
        if one.second:
            judged.setdefault((one.rater, suite_of(one.item), one.second), []).append(one)
    people: dict[tuple[str, str], list[Rating]] = {}
    for one in read_ratings(evidence.ratings.file(RATINGS)):
        people.setdefault((suite_of(one.item), one.second), []).append(one)
    return beside(judged, people, stream(BESIDE, evidence.recipe.seed))


def _goals(evidence: Evidence) -> list[Goal]:
    found = []
    for goal in evidence.recipe.goals:
        values = {
            one.system: one
            for one in evidence.metrics
            if (one.suite, one.metric, one.baseline) == (GOALS, goal.id, None) and not one.one_sided
        }
        tuned = values.get(SYSTEM)
        found.append(
            Goal(
                id=goal.id,
                says=goal.says,
                metric=goal.metric,
                value=percent(tuned.value, tuned.unit) if tuned else "not measured",
                span=span(tuned.low, tuned.high, unit=tuned.unit) if tuned else "",
                baselines=tuple(
                    (name, percent(values[name].value, values[name].unit))
                    for name in charts.SYSTEMS
                    if name != SYSTEM and name in values
                ),
                rules=tuple(
                    (one.decided.rule.text, one.decided.outcome)
                    for one in rules_on(goal, evidence.verdict)
                ),
                answer=answer(goal, evidence.verdict) or "",
                shares=", ".join(f"{name} {percent(one)}" for name, one in goal.shares.items()),
            )
        )
    return found


def _unit(judged: Judged, metrics: Sequence[Metric]) -> str:
    """What a rule's metric is measured in."""
    rule = judged.decided.rule
    asked = (rule.suite, rule.metric)
    return next((one.unit for one in metrics if (one.suite, one.metric) == asked), SHARE)


def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
