"""The door of `gate`: Report in, Verdict out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tutelage.core.artifact import Provenance
from tutelage.core.rule import Rule, parse
from tutelage.gate.decide import judge
from tutelage.gate.pairs import PREVIOUS, missing_pairs
from tutelage.gate.previous import Before, find_before
from tutelage.score.roster import check_recipe
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.release import VERDICT
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import METRICS, read_metrics

VERSION = 1
PAGE = "report.html"


def run(section: Sequence[str], inputs: Mapping[str, Artifact], run: Run) -> Artifact:
    """Holds the report against the rules and writes the page that shows both.

    A gate that stays shut is no error here: the verdict says so.

    Raises: RecipeError for rules about what is not measured.
    """
    check_recipe(run.recipe)
    rules = [parse(line) for line in section]
    before = Before(report=None)
    if any(rule.baseline == PREVIOUS for rule in rules):
        before = find_before(run.store, run.recipe, inputs["report"])
    provenance = _provenance(rules, inputs, before, run)
    return run.make("gate", provenance, lambda draft: _build(rules, inputs, before, run, draft))


def _build(
    rules: Sequence[Rule],
    inputs: Mapping[str, Artifact],
    before: Before,
    run: Run,
    draft: Draft,
) -> None:
    from tutelage.gate.page.view import Evidence, html

    report = inputs["report"]
    metrics = read_metrics(report.file(METRICS))
    metrics += list(missing_pairs(rules, metrics, report, before.report, run))
    verdict = judge(rules, metrics, before.reason)
    form = {
        "schema": 1,
        **verdict.to_dict(),
        "report": report.digest,
        "previous": before.report.digest if before.report else None,
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
    )
    (draft.folder / PAGE).write_text(html(evidence), encoding="utf-8")
    outcomes = [one.decided.outcome for one in verdict.rules]
    draft.counts["rules"] = len(rules)
    draft.counts |= {name: outcomes.count(name) for name in ("pass", "fail", "inconclusive")}


def _provenance(
    rules: Sequence[Rule], inputs: Mapping[str, Artifact], before: Before, run: Run
) -> Provenance:
    digests = {name: inputs[name].digest for name in ("dataset", "adapter", "report")}
    if before.report is not None:
        digests[PREVIOUS] = before.report.digest
    return Provenance(
        kind="verdict",
        inputs=digests,
        section={
            "name": run.recipe.name,
            "rules": [rule.text for rule in rules],
            "goals": [goal.model_dump(mode="json") for goal in run.recipe.goals],
        },
        stage_version=VERSION,
        seeds=run.seeds("gate.bootstrap"),
    )
