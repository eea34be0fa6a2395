"""Candidate bases at work: the same held-out rows, the same prompts, each base's own tokens."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

from tutelage.core.digest import Json
from tutelage.core.errors import RecipeError
from tutelage.core.metric import Metric
from tutelage.core.recipe import Evaluate
from tutelage.core.row import Example
from tutelage.evaluate.bench import LocalBench
from tutelage.evaluate.candidate_page import markdown
from tutelage.evaluate.candidates import Candidate, asked
from tutelage.evaluate.report import Measured
from tutelage.evaluate.rungs import latency_form
from tutelage.evaluate.sample import Counter, Sampler
from tutelage.evaluate.stage import BOOTSTRAP, Loaded, answered
from tutelage.evaluate.systems import systems_of
from tutelage.score.measure import Measure
from tutelage.score.pairing import Place, metrics_alone, metrics_paired, pair
from tutelage.score.roster import headline_of, open_scorers
from tutelage.score.task import tasks_of
from tutelage.store.artifact import pretty
from tutelage.store.model_card import licence_of, parameters_of
from tutelage.store.run import Run
from tutelage.store.store import Draft

FORM, PAGE = "candidates.json", "candidates.md"
HELD = "validation"
WEIGHED_ROWS = 1000  # rows whose tokens are counted
STREAM = "evaluate.candidates"


def build(
    candidates: Sequence[Candidate],
    section: Evaluate,
    rows: Sequence[Example],
    run: Run,
    draft: Draft,
) -> None:
    """Asks every base every held-out row, and writes the comparison.

    Raises: RecipeError where no held-out row can be asked.
    """
    suites = _suites(section, candidates[0].contract.output_schema, rows, run, draft)
    systems = systems_of(section, asked(section), rows, run)
    tasks = sum(len(one.tasks) for one in suites)
    progress = Counter(total=tasks * len(systems) * len(candidates))
    precision = run.recipe.train.precision if run.recipe.train else "auto"
    first: list[Measured] | None = None
    forms: list[Json] = []
    for one in candidates:
        label = f"{one.base.name}."
        with closing(
            LocalBench(one.contract, one.base, None, section=section, precision=precision)
        ) as bench:
            sampler = Sampler(section=section, bench=bench, run=run, progress=progress, label=label)
            measured = answered(suites, systems, sampler, draft)
        first = first or measured
        forms.append(
            {
                **_facts(one, rows, run),
                "suites": {
                    suite.name: _scores(suite, same, run.seed(BOOTSTRAP))
                    for suite, same in zip(measured, first, strict=True)
                },
            }
        )
    form: dict[str, Json] = {
        "schema": 1,
        "base": candidates[0].base.name,
        "systems": [system.name for system in systems],
        "suites": {one.suite.name: len(one.tasks) for one in suites},
        "candidates": forms,
    }
    (draft.folder / FORM).write_bytes(pretty(form))
    (draft.folder / PAGE).write_text(markdown(run.recipe.name, form), encoding="utf-8")
    draft.counts["tasks"] = tasks
    draft.counts["candidates"] = len(candidates)


def _suites(
    section: Evaluate, schema: Json, rows: Sequence[Example], run: Run, draft: Draft
) -> list[Loaded]:
    """The held-out rows as tasks of every suite whose scorers can judge them."""
    held = [one for one in rows if one.split == HELD and one.messages[-1].role == "assistant"]
    held = [one for one in held if not one.chosen]
    found = []
    for suite in section.suites:
        if suite.weighed or suite.red_team is not None:
            continue
        scorers = open_scorers(suite, schema)
        tasks = tasks_of(suite.name, held, suite.clustered_by)
        able = [task for task in tasks if not any(one.problem(task) for one in scorers)]
        if len(able) < len(tasks):
            draft.counts[f"unscorable.{suite.name}"] = len(tasks) - len(able)
            run.progress.warn(
                f"{len(tasks) - len(able)} of {len(tasks)} held-out rows cannot be scored as "
                f"tasks of `{suite.name}` and are left out"
            )
        if able:
            kept = [one.example for one in able[: section.limit]]
            drawn = [row for row in kept for _ in range(suite.samples)]
            tasks = tasks_of(suite.name, drawn, suite.clustered_by)
            loaded = Loaded(suite=suite, uri=HELD, tasks=tasks, scorers=scorers, slices=[])
            found.append(loaded)
    if not found:
        raise RecipeError(
            "no held-out row can be asked: bases are compared on the validation split",
            where="curate.validation",
            expected="a share of rows that a suite's scorers can judge",
            hint="raise `curate.validation`",
        )
    return found


def _scores(suite: Measured, first: Measured, seed: int) -> dict[str, Json]:
    """What one base is worth on a suite as each system, and how far it is from the first."""
    metric = headline_of(suite.scorers)
    headline = next(one for one in suite.measures if one.metric == metric)
    found: dict[str, Json] = {}
    for system, samples in suite.samples.items():
        lengths = [len(one.ids) for one in suite.asked[system]]
        place = Place(suite=suite.name, system=system, seed=seed)
        paired = None
        if suite is not first:
            pairs = pair(samples, first.samples[system])
            beside = Place(suite=suite.name, system=system, seed=seed, baseline=system)
            paired = _form(next(metrics_paired(headline, pairs, beside, float("nan"))))
        found[system] = {
            "headline": metric,
            "unit": headline.unit,
            "metrics": {one.metric: _form(_alone(one, suite, place)) for one in suite.measures},
            "difference": paired,
            "prompt_tokens": sum(lengths) / len(lengths),
            "answer_tokens": sum(one.tokens for one in samples) / len(samples),
            "seconds": round(sum(one.seconds for one in samples), 3),
            "latency": latency_form(suite.latency[system]),
        }
    return found


def _alone(measure: Measure, suite: Measured, place: Place) -> Metric:
    samples = suite.samples[place.system]
    rows = [sample.scores for sample in samples]
    return next(metrics_alone(measure, rows, [sample.cluster for sample in samples], place))


def _form(one: Metric) -> dict[str, Json]:
    value = one.value if one.difference is None else one.difference
    return {"value": value, "low": one.low, "high": one.high, "n": one.n, "method": one.method}


def _facts(candidate: Candidate, rows: Sequence[Example], run: Run) -> dict[str, Json]:
    """What is known of a base without asking it anything."""
    base, contract = candidate.base, candidate.contract
    train = run.recipe.train
    taught = [one for one in rows if one.split == "train"]
    order = run.generator(STREAM).permutation(len(taught))[:WEIGHED_ROWS]
    chosen = [taught[place] for place in sorted(order.tolist())]
    rendered = contract.lessons_of(chosen, train.teach) if train else contract.lessons_of(chosen)
    lengths = [sum(map(len, one.lessons)) for one in rendered if one.lessons]
    longest = max((len(lesson) for one in rendered for lesson in one.lessons), default=0)
    over = [one for one in rendered if any(len(each) > contract.context for each in one.lessons)]
    return {
        "name": base.name,
        "licence": licence_of(base),
        "parameters": parameters_of(base),
        "context": contract.context,
        "template": contract.renderer.template.name,
        "own_template": contract.of_base,
        "rows": len(chosen),
        "tokens_per_row": sum(lengths) / len(lengths) if lengths else None,
        "longest_lesson": longest,
        "rows_over_context": len(over),
        "rows_not_rendered": len(rendered) - len(lengths),
    }
