"""A suite's metric while training: tasks of the validation split, answered greedily and scored.

The suite lends its scorers only; its own tasks are never asked, so that what a training is
stopped by is not what it is judged by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.errors import RecipeError
from tutelage.core.recipe import EarlyStopping
from tutelage.core.row import Example
from tutelage.engine.backbone import Backbone
from tutelage.engine.local import LocalEngine
from tutelage.engine.protocol import Decoding, Identity, Prompt
from tutelage.engine.served import as_served
from tutelage.render.contract import Contract
from tutelage.score.cost import Cost
from tutelage.score.measure import Measure, interval
from tutelage.score.roster import FINISHED, WEIGHING, by_rows, measures_of, open_scorers
from tutelage.score.task import Scorer, Task, tasks_of
from tutelage.store.run import Run

TASKS, DRAWS = "train.trial.tasks", "train.trial.interval"
HELD = "validation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Tasks, and how their answers become one number."""

    tasks: tuple[Task, ...]
    prompts: tuple[Prompt, ...]
    scorers: tuple[Scorer, ...]
    measure: Measure
    contract: Contract
    run: Run

    def value(self, backbone: Backbone) -> float:
        """The metric of the model as it stands."""
        unnamed = Identity(base="", adapter="", tokenizer="")
        engine = LocalEngine(backbone, unnamed, self.contract.decode)
        decoding = Decoding(
            max_new_tokens=self.contract.decoding.max_new_tokens,
            temperature=0.0,
            top_p=1.0,
            seed=0,
            stop=self.contract.stop_ids,
        )
        rows = []
        with as_served(backbone.module):
            answers = engine.generate(self.prompts, decoding)
            for task, answer in zip(self.tasks, answers, strict=True):
                scores = {FINISHED.metric: float(answer.stop == "stop")}
                for scorer in self.scorers:
                    scores |= scorer.score(task, answer.text)
                rows.append(scores)
        clusters = [task.cluster for task in self.tasks]
        return interval(self.measure, rows, clusters, self.run.generator(DRAWS)).value


def open_trial(
    stopping: EarlyStopping, contract: Contract, examples: Sequence[Example], run: Run
) -> Trial:
    """The tasks drawn from the validation split by the recipe's seed.

    Raises: RecipeError where the metric is not there, or no held-out row can be scored.
    """
    suite = run.recipe.suite(stopping.metric)
    scorers = open_scorers(suite, contract.output_schema)
    measures = {one.metric: one for one in measures_of(scorers)}
    metric = stopping.metric.partition(".")[2]
    if metric not in measures:
        raise RecipeError(
            f"suite `{suite.name}` gives no `{metric}`",
            where="train.early_stopping.metric",
            expected=", ".join(measures),
        )
    blind = {one.metric for scorer in scorers if _blind(scorer) for one in scorer.measures}
    if metric in blind | by_rows(scorers):
        raise RecipeError(
            f"`{stopping.metric}` is not measured while training",
            where="train.early_stopping.metric",
            expected="a metric of each answer's text",
            hint="it is of the samples a report holds: seconds, tokens or log-probabilities, "
            "or several answers at once",
        )
    held = tasks_of(suite.name, [one for one in examples if _asks(one)])
    able = [task for task in held if not any(one.problem(task) for one in scorers)]
    order = run.generator(TASKS).permutation(len(able))[: stopping.tasks]
    asked = [able[place] for place in sorted(order.tolist())]
    ids = contract.prompts([task.prompt for task in asked])
    fitting = [pair for pair in zip(asked, ids, strict=True) if len(pair[1]) < contract.context]
    if not fitting:
        raise RecipeError(
            f"no row of the validation split can be scored as a task of `{suite.name}`",
            where="train.early_stopping.metric",
            hint="raise `curate.validation`, or stop by `validation_loss`",
        )
    if len(fitting) < stopping.tasks:
        run.progress.warn(
            f"`{stopping.metric}` is measured on {len(fitting)} tasks while training: "
            "the validation split has no more that can be scored and fit the context"
        )
    return Trial(
        tasks=tuple(task for task, _ in fitting),
        prompts=tuple(
            Prompt(ids=one, messages=task.prompt.messages, name=task.id) for task, one in fitting
        ),
        scorers=tuple(scorers),
        measure=measures[metric],
        contract=contract,
        run=run,
    )


def _blind(scorer: Scorer) -> bool:
    """Whether its scores are not of an answer's text."""
    return isinstance(scorer, (Cost, *WEIGHING))


def _asks(example: Example) -> bool:
    turns = example.messages
    return example.split == HELD and bool(turns) and turns[-1].role == "assistant"
