"""Scorers by the names recipes use, and whether a recipe names only what there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, RecipeError
from tutelage.core.recipe import Code as Keys
from tutelage.core.recipe import Recipe, Suite
from tutelage.core.recipe.evaluate import MEMORISATION
from tutelage.core.rule import Rule
from tutelage.core.sample import Sample
from tutelage.score.canaries import REPEATS
from tutelage.score.code import Code
from tutelage.score.cost import Cost
from tutelage.score.instructions import Instructions
from tutelage.score.judges import judge_measures, twice_named
from tutelage.score.labelled import Labelled
from tutelage.score.measure import Measure
from tutelage.score.memorised import Memorised, measures_given
from tutelage.score.names import NAMES, make, nearest, problem_of
from tutelage.score.options import HeldOut, Options
from tutelage.score.people import all_measures
from tutelage.score.refusal import OverRefusal, Refusal
from tutelage.score.repeated import TRAININGS, told_apart
from tutelage.score.schema import Schema
from tutelage.score.task import Scorer, Scores, Task
from tutelage.score.twins import Twins

USES = "uses"  # not a scorer's: the models a suite's file was spent on, which a rule may bound
WEIGHING = (Options, HeldOut, Memorised)  # what they score is not answered, but weighed
DETECTING = (Refusal, OverRefusal, Twins)  # which a detector of refusals decides
OPEN = (HeldOut, Cost, Instructions, *DETECTING)
FINISHED = Measure(metric="finished", says="the answer ended by itself, not by its length")


def open_scorer(name: str, schema: Json, suite: Suite | None = None) -> Scorer:
    """The scorer of a name; `schema` is the contract's output schema, None without one.

    `suite` says how programs are run; without one, as a recipe that says nothing of it.

    Raises: RecipeError for a name there is not, and where a schema is missing or wrong.
    """
    if problem := problem_of(name):
        raise RecipeError(problem, where=f"scorer `{name}`", expected=f"one of {', '.join(NAMES)}")
    if name == "code":
        return Code(suite.code, suite.samples) if suite else Code(Keys(), 1)
    if name != "schema":
        return make(name)
    if schema is None:
        raise RecipeError(
            "scorer `schema` needs something to hold answers against",
            where="contract.output_schema",
            hint="set `contract.output_schema: FILE`, or leave the scorer out",
        )
    return Schema(schema)


def open_scorers(suite: Suite, schema: Json, labelled: Labelled | None = None) -> list[Scorer]:
    """The scorers of a suite, in the recipe's order; those of refusals corrected by labels.

    Raises: RecipeError as `open_scorer`, and where two give the same metric.
    """
    scorers = [open_scorer(name, schema, suite) for name in suite.scorers]
    if labelled is not None:
        scorers = [one.against(labelled) if isinstance(one, DETECTING) else one for one in scorers]
    owners: dict[str, str] = {FINISHED.metric: "every suite"}
    for scorer in scorers:
        for measure in scorer.measures:
            if measure.metric in owners:
                raise RecipeError(
                    f"scorer `{scorer.name}` gives `{measure.metric}`, which "
                    f"{owners[measure.metric]} gives already",
                    where=f"suite `{suite.name}`",
                    hint="leave one of them out, or make a second suite of the same file",
                )
            owners[measure.metric] = f"`{scorer.name}`"
    return scorers


def measures_of(scorers: Sequence[Scorer]) -> list[Measure]:
    """Every metric of these scorers, and whether answers end by themselves, if there are any."""
    found = [measure for scorer in scorers for measure in scorer.measures]
    return found if any(isinstance(one, WEIGHING) for one in scorers) else [*found, FINISHED]


def headline_of(scorers: Sequence[Scorer]) -> str:
    """The metric that says whether an answer is right: that of the last scorer that judges.

    `cost` does not; where it stands alone, an answer that ends is right.
    """
    judging = [scorer.headline for scorer in scorers if scorer.headline]
    return judging[-1] if judging else FINISHED.metric


def spent(scorers: Sequence[Scorer], task: Task, sample: Sample) -> Scores:
    """What scorers say of a sample that its text alone does not tell."""
    found: dict[str, float] = {}
    for scorer in scorers:
        if isinstance(scorer, Cost):
            found |= scorer.spent(sample)
        elif isinstance(scorer, Options):
            found |= scorer.spent(task, sample)
    return found


def asks_reference(scorer: Scorer) -> bool:
    """Whether a task must hold the answer expected; some scorers look at answers alone."""
    return not isinstance(scorer, OPEN)


def by_rows(scorers: Sequence[Scorer]) -> frozenset[str]:
    """The metrics of several answers at once: one answer has no score of them."""
    sharing = (one for one in scorers if isinstance(one, (Code, Twins)))
    return frozenset(measure.metric for one in sharing for measure in one.by_rows)


def lone(scorers: Sequence[Scorer], tasks: Sequence[Task]) -> int:
    """How many clusters, of which scorers want pairs, are none, and do not count."""
    return sum(one.lone(tasks) for one in scorers if isinstance(one, Twins))


def of_rows(
    scorers: Sequence[Scorer], tasks: Sequence[Task], samples: Sequence[Sample]
) -> list[Scores]:
    """What scorers say of a sample by all answers to its row; nothing where none does."""
    found: list[Scores] = [{} for _ in samples]
    for scorer in scorers:
        if isinstance(scorer, (Code, Twins)):
            found = [
                {**one, **more}
                for one, more in zip(found, scorer.of_rows(tasks, samples), strict=True)
            ]
    return found


def check_recipe(recipe: Recipe) -> None:
    """Whether every scorer, metric and slice the recipe names is one there will be.

    Raises: RecipeError with all of those that are not.
    """
    rows = [BadRow(where=where, problem=problem) for where, problem in _problems(recipe)]
    if rows:
        raise RecipeError(
            f"{len(rows)} name{'s' if len(rows) > 1 else ''} in recipe `{recipe.name}` "
            "that nothing goes by",
            rows=rows,
        )


def _problems(recipe: Recipe) -> Iterator[tuple[str, str]]:
    if recipe.evaluate is None:
        return
    scored: dict[str, dict[str, Measure]] = {}  # by the scorers
    given: dict[str, dict[str, Measure]] = {}  # by judges and people, too
    slices: dict[str, tuple[str, ...]] = {}
    for index, suite in enumerate(recipe.evaluate.suites):
        faults = [(place, problem_of(name)) for place, name in enumerate(suite.scorers)]
        faults = [(place, fault) for place, fault in faults if fault]
        for place, fault in faults:
            yield f"evaluate.suites[{index}].scorers[{place}]", fault
        if "schema" in suite.scorers and recipe.contract.output_schema is None:
            yield f"evaluate.suites[{index}]", "scorer `schema` needs `contract.output_schema`"
        paired = any(name.partition(":")[0] == "twins" for name in suite.scorers)
        if paired and suite.cluster is None:
            told = "scorer `twins` needs `cluster: KEY`, which the rows of a pair share"
            yield f"evaluate.suites[{index}]", told
        if paired and suite.samples > 1:
            told = "scorer `twins` looks at one answer to each request: leave `samples` out"
            yield f"evaluate.suites[{index}]", f"{told}, or name them in a suite of their own"
        if not faults:
            plain = [open_scorer(name, True, suite) for name in suite.scorers]
            rating = [
                one for one in recipe.evaluate.judges if recipe.evaluate.rates(one, suite.name)
            ]
            judged = judge_measures(rating)
            scored[suite.name] = {one.metric: one for one in measures_of(plain)}
            rated = () if suite.weighed else all_measures(recipe.evaluate.baselines)
            opinions = {one.metric: one for one in (*judged, *rated)}
            given[suite.name] = {**scored[suite.name], **opinions}
            peoples = {name for one in rated for name in (one.metric, *one.columns)}
            if twice := twice_named(rating, {*scored[suite.name], *peoples}):
                yield "evaluate.judges", twice
            slices[suite.name] = suite.slices
    if recipe.evaluate.memorisation is not None:
        planted = recipe.curate is not None and recipe.curate.canaries is not None
        given[MEMORISATION] = {one.metric: one for one in measures_given(planted)}
        slices[MEMORISATION] = (REPEATS,)
    stopping = recipe.train.early_stopping if recipe.train else None
    if stopping is not None and "." in stopping.metric:
        named, _, metric = stopping.metric.partition(".")
        if named in scored:
            yield from _unknown("train.early_stopping.metric", named, metric, scored)
    for index, rule in enumerate(recipe.rules()):
        if rule.suite in given:
            known = given[rule.suite], scored.get(rule.suite, {}), slices[rule.suite]
            for problem in _problems_of(rule, recipe, *known):
                yield f"gate[{index}]", problem
    for index, goal in enumerate(recipe.goals):
        name, _, metric = goal.metric.partition(".")
        measure = given.get(name, {}).get(metric)
        if goal.shares and measure is not None and not measure.sliced:
            yield f"goals[{index}].shares", f"`{metric}` is measured on whole suites only"
        if name in given:
            yield from _unknown(f"goals[{index}].metric", name, metric, given)


def _problems_of(
    rule: Rule,
    recipe: Recipe,
    given: Mapping[str, Measure],
    scored: Mapping[str, Measure],
    slices: Sequence[str],
) -> Iterator[str]:
    """What a rule names that its suite has not: `scored` by scorers, `given` by others, too."""
    if rule.metric == USES:
        if rule.suite == MEMORISATION:
            yield f"`{USES}` counts what a suite's file was spent on; `{MEMORISATION}` has no file"
        elif rule.slice or rule.baseline or rule.comparison != "<=":
            yield f"`{USES}` is a count: write `{rule.suite}.{USES} <= NUMBER`"
        return
    for _, problem in _unknown("", rule.suite, rule.metric, {rule.suite: given}):
        yield problem
    measure = given.get(rule.metric)
    key = rule.slice.partition("=")[0]
    if rule.slice == TRAININGS:
        if problem := _untold(rule, recipe, measure, scored):
            yield problem
    elif rule.slice and key not in slices:
        yield f"`{key}` is not in the slices of suite `{rule.suite}`"
    elif rule.slice and "=" not in rule.slice:
        yield f"`@{rule.slice}` names no value: write `@{key}=VALUE`, or `@{key}=*` for each"
    elif rule.slice and measure is not None and not measure.sliced:
        yield f"`{rule.metric}` is measured on whole suites only"


def _untold(
    rule: Rule, recipe: Recipe, measure: Measure | None, scored: Mapping[str, Measure]
) -> str:
    """Why nothing is known of a metric over the recipe's trainings; empty where it will be."""
    if recipe.train is None or recipe.train.seeds < 2:
        return f"`@{TRAININGS}` needs several: set `train.seeds`"
    if rule.baseline in ("previous", "evaluation"):
        return f"`@{TRAININGS}` is not compared with `{rule.baseline}`"
    if measure is not None and (measure.metric not in scored or not told_apart(measure)):
        return f"`{rule.metric}` is not told over trainings"
    return ""


def _unknown(
    where: str, suite: str, metric: str, given: Mapping[str, Mapping[str, Measure]]
) -> Iterator[tuple[str, str]]:
    if metric not in given[suite]:
        near = nearest(metric, list(given[suite]))
        yield where, f"suite `{suite}` has no metric `{metric}`{near}"
