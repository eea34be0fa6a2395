"""What a training is judged by while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tutelage.core.errors import RecipeError
from tutelage.core.recipe import Quantisation, Train
from tutelage.store.run import Run
from tutelage.store.tables import ROWS, read_rows
from tutelage.train.budget import validations
from tutelage.train.packing import LessonPlan
from tutelage.train.standing import VALIDATION, Criterion
from tutelage.train.trial import Trial, open_trial

if TYPE_CHECKING:
    from tutelage.train.run import Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What a training is judged by while it runs, and whether the best step's weights are kept."""

    criterion: Criterion = field(default_factory=Criterion)
    trial: Trial | None = None
    keep_best: bool = False
    form: Quantisation | None = None  # the base's, where what is measured on it decides a step

    def environment(self) -> dict[str, str]:
        """What a manifest says of it, where it is done on another base than the published one."""
        return {} if self.form is None else {"judged_on": f"the base in {self.form}"}


def judging_of(section: Train, material: Material, lessons: LessonPlan, run: Run) -> Judging:
    """What the training is judged by while it runs.

    Raises: RecipeError where it must be judged by held-out rows and there are none.
    """
    stopping = section.early_stopping
    _check_pace(section, lessons, run)
    keep_best = (section.keep or ("best" if stopping else "last")) == "best"
    if (stopping or keep_best) and not len(lessons.validation):
        raise RecipeError(
            "there is no validation split to judge the training by",
            where="train.early_stopping" if stopping else "train.keep",
            hint="set `curate.validation`, or leave the key out",
        )
    form = section.base_form if stopping or keep_best else None
    if form is not None:
        run.progress.warn(
            f"the best step is the one that is best on the base in {form}: "
            "evaluation and release take the base as published"
        )
    if stopping is None:
        return Judging(keep_best=keep_best, form=form)
    criterion = Criterion(
        metric=stopping.metric, min_delta=stopping.min_delta, patience=stopping.patience
    )
    if stopping.metric == VALIDATION:
        return Judging(criterion=criterion, keep_best=keep_best, form=form)
    trial = open_trial(stopping, material.contract, read_rows(material.dataset.file(ROWS)), run)
    criterion = replace(criterion, better=trial.measure.better)
    return Judging(criterion=criterion, trial=trial, keep_best=keep_best, form=form)


def validation_pace(section: Train, steps: int) -> int:
    """Steps between validations."""
    return section.validate_every_steps or max(1, steps // section.epochs)


def _check_pace(section: Train, lessons: LessonPlan, run: Run) -> None:
    """Tells where validations are too few for what goes by them.

    Raises: RecipeError where they are asked for and nothing is held out.
    """
    held, steps = len(lessons.validation), len(lessons.steps)
    if section.validate_every_steps and not held and section.early_stopping is None:
        raise RecipeError(
            "there is no validation split to measure",
            where="train.validate_every_steps",
            hint="set `curate.validation`, or leave the key out",
        )
    if not held:
        return
    count = validations(steps, validation_pace(section, steps))
    stopping = section.early_stopping
    if stopping is not None and count < stopping.patience + 2:
        run.progress.warn(
            f"early stopping never ends this training: {count} validations come, and patience "
            f"{stopping.patience} could end it after {stopping.patience + 1}; "
            "set `train.validate_every_steps`"
        )
    elif section.keep == "best" and count == 1:
        run.progress.warn(
            "`keep: best` keeps the last step: one validation comes, after it; "
            "set `train.validate_every_steps`"
        )
