"""The stage at work: suites and systems in, one report out, wherever the answers come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, RowError
from tutelage.core.metric import Metric
from tutelage.core.recipe import Evaluate, Suite
from tutelage.core.recipe.safety import SEED
from tutelage.core.row import Example
from tutelage.core.systems import TUNED
from tutelage.evaluate.falling_short import FallingShort
from tutelage.evaluate.judging import judge_all
from tutelage.evaluate.labelling import held_against, labelled_of
from tutelage.evaluate.ladder import PromptedTask, System, ask
from tutelage.evaluate.memorise import memorised
from tutelage.evaluate.report import Measured, metrics, scored, summary
from tutelage.evaluate.rungs import ladder
from tutelage.evaluate.sample import Answered, Bench, Counter, Sampler
from tutelage.evaluate.systems import SHOTS, asked_systems, systems_of
from tutelage.evaluate.trainings import Opens, Trainings, over_trainings
from tutelage.evaluate.weigh import weigh
from tutelage.score.attacks import asked_of
from tutelage.score.labelled import Labelled
from tutelage.score.pairing import SUMMARY, TASKS
from tutelage.score.roster import asks_reference, lone, open_scorers
from tutelage.score.slices import Slice, slices_of, unsliced
from tutelage.score.task import Scorer, Task, tasks_of
from tutelage.store.ingest.read import Ingested, read_examples, rows_error
from tutelage.store.lines import METRICS, write_metrics
from tutelage.store.run import Run
from tutelage.store.store import Draft
from tutelage.store.tables import SAMPLES, write_rows, write_samples

BOOTSTRAP = "evaluate.bootstrap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One suite, read and ready to be asked."""

    suite: Suite
    uri: str
    tasks: list[Task]
    scorers: list[Scorer]
    slices: list[Slice]
    shots: tuple[Example, ...] = ()  # its own, before every question with options
    labelled: Labelled | None = None  # outputs the detector of refusals is held against

    def asks(self, system: System) -> bool:
        """Whether the system is asked it."""
        return self.suite.asks(system.name)


def load_suites(section: Evaluate, schema: Json, run: Run) -> list[Loaded]:
    """The suites' tasks, scorers and slices.

    Raises: RowError for rows that cannot be asked or scored, all of them together;
        RecipeError for scorers and slices there are not.
    """
    files = [read_examples(suite, run.recipe) for suite in section.suites]
    if any(file.refused for file in files):
        raise rows_error(files, "asked", "fix them: a suite is taken whole or not at all")
    pairs = zip(section.suites, files, strict=True)
    loaded = [_loaded(suite, file, section, schema, run) for suite, file in pairs]
    bad = [row for one in loaded for row in _unscorable(one)]
    if bad:
        raise RowError(
            f"{len(bad)} task{'s' if len(bad) > 1 else ''} cannot be scored",
            rows=bad,
            hint="fix the expected answers, or leave the scorer out",
        )
    return loaded


def build(
    section: Evaluate,
    train_rows: Sequence[Example],
    bench: Bench,
    run: Run,
    draft: Draft,
    others: Sequence[Opens] = (),
) -> None:
    """Asks every system every task, scores the answers, and writes the report.

    `others` open the recipe's other trainings, of which the bench has the first.
    """
    suites = load_suites(section, bench.contract.output_schema, run)
    systems = systems_of(section, asked_systems(section), train_rows, run)
    total = sum(len(one.tasks) for one in suites for system in systems if one.asks(system))
    total += sum(len(one.tasks) for one in suites) * len(others)
    sampler = Sampler(section=section, bench=bench, run=run, progress=Counter(total=total))
    measured = answered(suites, systems, sampler, draft)
    measured, judges = judge_all(section, measured, run, draft)
    trainings = over_trainings(section, measured, others, run, sampler.progress)
    remembers = memorised(section, train_rows, bench, run)
    told: dict[str, Json] = {
        "contract": bench.contract.digest,
        "trainings": trainings.form,
        "memorisation": None if remembers is None else remembers[1],
        "judges": judges,
        "detectors": held_against(measured, run, draft),
    }
    if remembers is not None:
        measured = [*measured, remembers[0]]
    _write(measured, systems, run, draft, told, trainings)


def answered(
    suites: Sequence[Loaded], systems: Sequence[System], sampler: Sampler, draft: Draft
) -> list[Measured]:
    """Every suite, answered by every system and scored."""
    bench, run = sampler.bench, sampler.run
    answers: dict[str, dict[str, Answered]] = {one.suite.name: {} for one in suites}
    asked: dict[str, dict[str, list[PromptedTask]]] = {one.suite.name: {} for one in suites}
    for system in systems:  # one after the other: each has weights of its own
        for one in suites:
            if not one.asks(system):
                continue
            prompts = _prompts(one, system, bench)
            place = f"{sampler.label}{one.suite.name}.{system.name}"
            short = FallingShort(place=place, run=run, draft=draft)
            short.prompts(prompts, len(one.shots or system.shots), bench.contract.context)
            found = sampler.answered(one.suite.name, system, prompts)
            if system.constrained:
                short.held(found.samples)
                short.unwritable(one.tasks, bench.contract.output_schema)
            answers[one.suite.name][system.name] = found
            asked[one.suite.name][system.name] = prompts
    schema = bench.contract.output_schema
    suites = [_held(one, answers[one.suite.name].get(TUNED), schema) for one in suites]
    return [
        Measured(
            name=one.suite.name,
            uri=one.uri,
            tasks=one.tasks,
            scorers=one.scorers,
            slices=one.slices,
            asked=asked[one.suite.name],
            samples={
                system: scored(one.tasks, one.scorers, found.samples)
                for system, found in answers[one.suite.name].items()
            },
            latency={system: found.latency for system, found in answers[one.suite.name].items()},
            labelled=one.labelled,
        )
        for one in suites
    ]


def _held(one: Loaded, tuned: Answered | None, schema: Json) -> Loaded:
    """The suite, its detectors held against labels of the tuned model's answers."""
    if one.labelled is None or tuned is None:
        return one
    known = one.labelled.of(tuned.samples)
    return replace(one, labelled=known, scorers=open_scorers(one.suite, schema, known))


def _write(
    measured: Sequence[Measured],
    systems: Sequence[System],
    run: Run,
    draft: Draft,
    told: Mapping[str, Json],
    trainings: Trainings,
) -> None:
    seed = run.seed(BOOTSTRAP)
    found: list[Metric] = [one for suite in measured for one in metrics(suite, seed)]
    found += trainings.metrics
    write_metrics(draft.folder / METRICS, found)
    samples = [one for suite in measured for some in suite.samples.values() for one in some]
    samples += trainings.samples
    write_samples(draft.folder / SAMPLES, samples)
    tasks = [task for suite in measured for task in suite.tasks]
    write_rows(draft.folder / TASKS, [replace(task.example, id=task.id) for task in tasks])
    shots = next((system.shots for system in systems if system.prompt == "few_shot"), ())
    form: dict[str, Json] = {
        "schema": 1,
        "systems": [system.name for system in systems],
        "few_shot": [one.id for one in shots if isinstance(one, Example)],
        "prompts": {system.name: system.prompt for system in systems},
        "suites": [
            {**summary(suite, found), "ladder": ladder(suite, found, seed)} for suite in measured
        ],
        **told,
    }
    _write_json(draft.folder / SUMMARY, form)
    draft.counts["tasks"] = len(tasks)
    draft.counts["samples"] = len(samples)
    draft.counts["metrics"] = len(found)
    alone = {f"lone.{one.name}": lone(one.scorers, one.tasks) for one in measured}
    draft.counts |= {name: count for name, count in alone.items() if count}


def _loaded(suite: Suite, file: Ingested, section: Evaluate, schema: Json, run: Run) -> Loaded:
    asked = asked_of(suite, file.examples, run.recipe.seed)
    rows = [row for row in asked[: section.limit] for _ in range(suite.samples)]
    tasks = tasks_of(suite.name, rows, suite.clustered_by, SEED if suite.red_team else None)
    labelled = labelled_of(suite, run)
    for key, count in unsliced(tasks, suite.slices).items():
        told = f"{count:,} of {len(tasks):,} tasks have no `{key}`: they are in no slice of it"
        run.progress.warn(f"{suite.name}: {told}")
    scorers = open_scorers(suite, schema, labelled)
    if alone := lone(scorers, tasks):
        told = f"{alone:,} clusters have requests of one kind alone: they are no pairs of `twins`"
        run.progress.warn(f"{suite.name}: {told}, and do not count")
    return Loaded(
        suite=suite,
        uri=file.uri,
        tasks=tasks,
        scorers=scorers,
        slices=slices_of(tasks, suite.slices),
        shots=_shots(suite, run),
        labelled=labelled,
    )


def _shots(suite: Suite, run: Run) -> tuple[Example, ...]:
    """The worked examples of a suite with options, drawn by the recipe's seed, in file order."""
    if suite.shots is None:
        return ()
    reading = suite.model_copy(update={"path": suite.shots.path})
    file = read_examples(reading, run.recipe)
    if file.refused:
        raise rows_error([file], "shown", "fix them, or name another file")
    if len(file.examples) < suite.shots.count:
        run.progress.warn(f"{suite.name} has {len(file.examples)} examples: {file.uri} has no more")
    order = run.generator(f"{SHOTS}.{suite.name}").permutation(len(file.examples))
    chosen = sorted(order[: suite.shots.count].tolist())
    return tuple(file.examples[place] for place in chosen)


def _prompts(suite: Loaded, system: System, bench: Bench) -> list[PromptedTask]:
    if not suite.suite.weighed:
        return ask(bench.contract, suite.tasks, system)
    return weigh(bench.continuations, suite.suite, suite.tasks, suite.shots)


def _unscorable(loaded: Loaded) -> list[BadRow]:
    rows = []
    for task in loaded.tasks:
        where = str(task.example.source)
        if not task.referenced and any(map(asks_reference, loaded.scorers)):
            rows.append(BadRow(where=where, problem="no expected answer; the last turn is not one"))
            continue
        problems = [scorer.problem(task) for scorer in loaded.scorers]
        problem = next((problem for problem in problems if problem), "")
        if problem:
            rows.append(BadRow(where=where, problem=problem))
    return rows


def _write_json(path: Path, form: Json) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(form), indent=1) + b"\n")
