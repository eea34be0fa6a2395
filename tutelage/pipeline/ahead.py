"""What is asked before a training is paid for: its cost, other bases, more rows, drafted rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tutelage.core.progress import Progress
from tutelage.core.recipe import Train
from tutelage.curate.run import run as curate_door
from tutelage.curate.synthesis.run import needed as drafting
from tutelage.curate.synthesis.run import run as draft_door
from tutelage.evaluate.candidates import run as candidates_door
from tutelage.pipeline.road import Written, needed, read_in
from tutelage.score.endpoint import Spent
from tutelage.store.artifact import Artifact
from tutelage.store.run import Run
from tutelage.train.run import plan as plan_door

if TYPE_CHECKING:
    from tutelage.train.learning import Learned
    from tutelage.train.plan import Plan
    from tutelage.train.unlikely import Weighed


def plan(recipe: Written, *, progress: Progress | None = None) -> tuple[Plan, Artifact]:
    """What the training of a recipe will take, and the dataset it was measured on.

    Raises: RecipeError where a section is missing; whatever curating or opening the base raises.
    """
    with _curated(recipe, progress) as (section, dataset, run):
        return plan_door(section, dataset, run), dataset


def learning_curve(
    recipe: Written, *, progress: Progress | None = None, force: bool = False
) -> tuple[Learned, Artifact]:
    """What more rows like these would give, from trainings on parts of the dataset, and it.

    Raises: RecipeError where a section is missing; TrainingError for too few rows.
    """
    with _curated(recipe, progress, force) as (section, dataset, run):
        from tutelage.train.learning import learning_curve as learn

        return learn(section, dataset, run), dataset


def unlikely(
    recipe: Written, most: int, *, progress: Progress | None = None, force: bool = False
) -> tuple[Weighed, Artifact]:
    """So many rows whose answers the base expects least, and the dataset they stand in.

    Raises: RecipeError where a section is missing; TrainingError where no row can be weighed.
    """
    with _curated(recipe, progress, force) as (section, dataset, run):
        from tutelage.train.unlikely import unlikely as weigh

        return weigh(section, dataset, run, most), dataset


def candidates(
    recipe: Written, *, progress: Progress | None = None, force: bool = False
) -> Artifact:
    """The bases of `evaluate.candidates` and the recipe's own, compared untuned.

    Raises: RecipeError where a section, candidates or rows held out are missing; BaseModelError
        with every candidate that cannot be opened.
    """
    asked = needed(read_in(recipe).evaluate, "evaluate")
    with _curated(recipe, progress) as (_, dataset, run):
        return candidates_door(asked, dataset, replace(run, force=force))


def draft(
    recipe: Written, *, progress: Progress | None = None, force: bool = False
) -> tuple[Artifact, Spent]:
    """The rows the recipe's teacher drafts, for people to review, and what asking cost now.

    Raises: RecipeError without `curate.synthesis`; MissingCapability where the teacher does not
        answer.
    """
    whole = read_in(recipe)
    section, _ = drafting(whole)
    with Run.open(whole, progress=progress, force=force) as run:
        return draft_door(section, run)


@contextmanager
def _curated(
    recipe: Written, progress: Progress | None, force: bool = False
) -> Iterator[tuple[Train, Artifact, Run]]:
    """What a training would begin with; `force` makes the dataset anew."""
    whole = read_in(recipe)
    section, rows = needed(whole.train, "train"), needed(whole.curate, "curate")
    with Run.open(whole, progress=progress) as run:
        yield section, curate_door(rows, {}, replace(run, force=force)), run
