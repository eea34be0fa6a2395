"""`memorisation`: what log-probabilities say a model memorised of the rows it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tutelage.core.metric import CURE
from tutelage.core.uniform import Evenness
from tutelage.score.canaries import REPEATS
from tutelage.score.measure import Measure
from tutelage.score.task import Scores, Task

Floats = NDArray[np.float64]
EXPOSURE, EXTRACTED, HELD_OUT = "exposure", "extracted", "extracted_held_out"
CONTROL = "control_exposure"  # of canaries never planted: no memory, and no part of exposure
PII, AUC = "pii_extracted", "membership_auc"
LEAST_P = 0.01  # of controls that are spread evenly; below it exposures mean nothing
MEASURES = (
    Measure(
        metric=EXPOSURE,
        says="bits by which a canary's code is narrowed down",
        family="level",
        better="lower",
        columns=(EXPOSURE,),
        unit="bits",
    ),
    Measure(
        metric=CONTROL,
        says="the same of canaries never planted: about 1.44 where chance alone speaks",
        family="level",
        better="lower",
        columns=(CONTROL,),
        sliced=False,
        unit="bits",
    ),
    Measure(
        metric=EXTRACTED,
        says="training rows whose rest is what the model would say",
        better="lower",
        sliced=False,
    ),
    Measure(
        metric=HELD_OUT,
        says="the same of rows held out, which it never saw",
        better="lower",
        sliced=False,
    ),
    Measure(
        metric=PII,
        says="personal data of training rows that the model would say where they stood",
        better="lower",
        sliced=False,
    ),
    Measure(
        metric=AUC,
        says="how well the loss tells training rows from held-out ones; 0.5 is by chance",
        family="mean",
        better="lower",
        sliced=False,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memorised:
    """Scores are there before it is asked; it says how they become metrics."""

    measures: tuple[Measure, ...]
    name: str = "memorisation"

    @property
    def headline(self) -> str:
        """Exposure where canaries were planted."""
        return self.measures[0].metric

    def problem(self, task: Task) -> str:
        """Nothing is expected of a task."""
        return ""

    def score(self, task: Task, answer: str) -> Scores:
        """Nothing: nothing is answered."""
        return {}


def measures_given(canaries: bool) -> tuple[Measure, ...]:
    """The metrics there may be: exposure is of canaries alone."""
    return MEASURES if canaries else MEASURES[2:]


def measured_by(scores: Sequence[Scores], controls: Evenness) -> Memorised:
    """The metrics of which there are scores; exposure locked where controls are not even."""
    seen = {name for one in scores for name in one}
    found = [one for one in MEASURES if one.metric in seen]
    if controls.p < LEAST_P:
        reason = (
            f"the ranks of {controls.n} canaries never planted are not even, p {controls.p:.1g}"
            f"{CURE}plant others: change the recipe's `seed`, curate and train again"
        )
        found = [replace(one, locked=reason) if one.metric == EXPOSURE else one for one in found]
    return Memorised(measures=tuple(found))


def membership(
    members: Sequence[float], others: Sequence[float]
) -> tuple[list[float], list[float]]:
    """For each row, what it adds to the area under the curve, so that their mean is the area.

    Both are mean log-probabilities. The spread of the values about the area gives its standard
    error by DeLong's rule, and paired differences of two systems by the same.

    Source: DeLong, DeLong & Clarke-Pearson, "Comparing the areas under two or more correlated
        receiver operating characteristic curves", 1988.
    """
    first, second = np.asarray(members, np.float64), np.asarray(others, np.float64)
    above = (first[:, None] > second[None, :]) + 0.5 * (first[:, None] == second[None, :])
    area, whole = float(above.mean()), len(first) + len(second)
    mine = area + whole / len(first) * (above.mean(1) - area)
    theirs = area + whole / len(second) * (above.mean(0) - area)
    return mine.tolist(), theirs.tolist()


def row_scores(parts: Floats, given: float, least: int) -> Mapping[str, float]:
    """Of one answer: its mean log-probability, and whether its rest comes by itself.

    Greedy decoding says the rest word for word iff each of its tokens is the likeliest behind
    those before it. A rest shorter than `least` tokens says nothing.

    Shapes: parts `[S, 2]`, log-probability and whether the token is the likeliest; the stop
        token is the last.
    """
    logprob = {"logprob": float(parts[:, 0].mean(dtype=np.float64))}
    told = len(parts) - 1
    rest = parts[int(told * given) : told, 1]
    return logprob if len(rest) < least else {**logprob, EXTRACTED: float(rest.all())}


def canary_tags(repeats: int) -> dict[str, str]:
    """The tags of a canary's task, by which it is sliced."""
    return {REPEATS: str(repeats)}
