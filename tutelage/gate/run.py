"""The door of `gate`: Report in, Verdict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.core.artifact import Provenance
from tutelage.core.rule import Rule, parse
from tutelage.gate.decide import judge
from tutelage.gate.goals import goal_metrics, goals_form
from tutelage.gate.pairs import Answers
from tutelage.gate.people import BESIDE, People
from tutelage.gate.previous import PREVIOUS, Before, find_before
from tutelage.gate.sealed import use_metrics, uses_of
from tutelage.score.pairing import SUMMARY
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, pretty, read_json
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.rated import Rated
from tutelage.store.release import VERDICT
from tutelage.store.run import Run
from tutelage.store.store import Draft

VERSION = 7
PAGE = "report.html"


def run(section: Sequence[str], inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """Holds the report, and what people say of it, against the rules and writes the page.

    A gate that stays shut is no error here: the verdict says so.

    Raises: RecipeError for rules about what is not measured, and for a goal's shares of
        tasks there are not.
    """
    check_recipe(run.recipe)
    rules = [parse(line) for line in section]
    before = Before(report=None)
    if any(rule.baseline == PREVIOUS for rule in rules):
        before = find_before(run.store, run.recipe, inputs["report"])
    uses = uses_of(run.store, inputs["report"])
    rated = Rated(store=run.store)
    ratings, sheets = rated.latest(inputs["report"]), rated.handed_out(inputs["report"])
    people = People.of(ratings, sheets, rated.withdrawn(inputs["report"]))
    judged = Judging(rules=rules, before=before, uses=uses, ratings=ratings, people=people)
    provenance = _provenance(judged, inputs, run)
    return run.make("gate", provenance, lambda draft: _build(judged, inputs, run, draft))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What a verdict depends on beside the artifacts."""

    rules: Sequence[Rule]
    before: Before
    uses: Mapping[str, int]  # models the test of each suite was spent on, this one included
    ratings: Artifact | None = None  # people's
    people: People = field(default_factory=lambda: People(ratings={}))


def _build(judging: Judging, inputs: Mapping[str, Artifact], run: Run, draft: Draft) -> None:
    from tutelage.gate.page.view import Evidence, html

    report, before = inputs["report"], judging.before
    systems = read_json(report.file(SUMMARY))["systems"]
    people = judging.people
    answers = people.heard(Answers.of(report, systems, before.report, run.seed("gate.bootstrap")))
    metrics = read_metrics(report.file(METRICS))
    metrics += list(people.metrics(answers))
    metrics += list(answers.missing(judging.rules, metrics))
    metrics += list(goal_metrics(run.recipe.goals, answers, metrics))
    metrics += list(use_metrics(judging.uses))
    verdict = judge(
        judging.rules,
        metrics,
        lambda rule: before.reason or answers.unlike(rule),
        answers.sharper,
    )
    form = {
        "schema": 1,
        **verdict.to_dict(),
        "goals": goals_form(run.recipe.goals, verdict, metrics),
        "uses": dict(judging.uses),
        "report": report.digest,
        "previous": before.report.digest if before.report else None,
        "ratings": judging.ratings.digest if judging.ratings else None,
        "withdrawn": [one.to_dict() for one in people.withdrawn],
        "evidence": evidence_digests(inputs, judging.ratings),
    }
    (draft.folder / VERDICT).write_bytes(pretty(form))
    evidence = Evidence(
        recipe=run.recipe,
        verdict=verdict,
        metrics=metrics,
        dataset=inputs["dataset"],
        adapter=inputs["adapter"],
        report=report,
        before=before.report,
        uses=judging.uses,
        ratings=judging.ratings,
        withdrawn=people.withdrawn,
    )
    (draft.folder / PAGE).write_text(html(evidence), encoding="utf-8")
    outcomes = [one.decided.outcome for one in verdict.rules]
    draft.counts["rules"] = len(judging.rules)
    draft.counts |= {name: outcomes.count(name) for name in ("pass", "fail", "inconclusive")}


def evidence_digests(
    inputs: Mapping[str, Artifact], ratings: Artifact | None = None
) -> dict[str, str]:
    """SHA-256 of all a verdict stands on: artifacts, and the report's own files and suites."""
    report = inputs["report"].manifest
    files = {f"report/{name}": record.sha256 for name, record in report.files.items()}
    suites = {name: one for name, one in report.inputs.items() if name.startswith("suite:")}
    artifacts = {name: one.digest for name, one in inputs.items()}
    if ratings is not None:
        artifacts["ratings"] = ratings.digest
    return {**artifacts, **files, **suites}


def _provenance(judging: Judging, inputs: Mapping[str, Artifact], run: Run) -> Provenance:
    digests = {name: inputs[name].digest for name in ("dataset", "adapter", "report")}
    if judging.before.report is not None:
        digests[PREVIOUS] = judging.before.report.digest
    if judging.ratings is not None:
        digests["ratings"] = judging.ratings.digest
    return Provenance(
        kind="verdict",
        inputs=digests,
        section={
            "name": run.recipe.name,
            "rules": [rule.text for rule in judging.rules],
            "goals": [goal.model_dump(mode="json") for goal in run.recipe.goals],
            "uses": dict(judging.uses),
            "out": {suite: dict(lines) for suite, lines in judging.people.out.items()},
            "withdrawn": [one.to_dict() for one in judging.people.withdrawn],
        },
        stage_version=VERSION,
        seeds=run.seeds("gate.bootstrap", BESIDE),
    )
