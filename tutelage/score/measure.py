"""How scores of single answers become a metric with its interval, alone and in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tutelage.core.bound import Bound
from tutelage.core.detected import Calibration, corrected_difference, corrected_share
from tutelage.core.intervals import (
    Interval,
    Sides,
    Statistic,
    mean_interval,
    micro_f1,
    paired_difference,
    paired_ratio_interval,
    ratio_interval,
    sum_by_cluster,
)
from tutelage.core.joint import corrected_joint, corrected_joint_difference
from tutelage.core.metric import LOCKED, ONE_SIDED
from tutelage.core.sequential import mean_at_every_look
from tutelage.core.shares import clusters_of, paired_share_difference, share_interval
from tutelage.score.controlled import controlled, controlled_apart
from tutelage.score.corpus import bits, bleu, chrf, macro_f1, part, perplexity, precision, recall
from tutelage.score.level import (
    level_difference,
    mean_level,
    summed_difference,
    summed_level,
    tail_difference,
    tail_level,
)

Floats = NDArray[np.float64]
Rows = Sequence[Mapping[str, float]]  # scores, an answer each
Family = Literal["share", "detected", "joint", "mean", "opinion", "ratio", "level", "controlled"]
HITS, PREDICTED, EXPECTED = "hits:", "predicted:", "expected:"  # a label follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A metric and where it comes from.

    share: the share of ones among answers that have the score; Wilson's interval, and the
    exact one for rules.
    detected: a share a detector counts, corrected for how often it errs; bootstrap.
    joint: the same of groups whose answers are all right, of four counts a group.
    mean: the mean of scores in [0, 1]; Student's t.
    opinion: the same of people's, which come in one by one; bounds that hold at every look.
    ratio: a statistic of counts summed over all answers; bootstrap. `columns` name
    the counts; without any, there are hits, predicted and expected of each label.
    level: a quantity of 0 or more without an upper bound, the mean of its one column
    (Student's t), its 95th percentile, or a statistic of its columns (bootstrap).
    controlled: a win rate at equal length, of the columns `score` and `longer`.
    """

    metric: str
    says: str
    family: Family = "share"
    better: Literal["higher", "lower"] = "higher"
    columns: tuple[str, ...] = ()
    statistic: str = ""
    sliced: bool = True  # whether it says something of a part of the suite
    unit: str = "share"
    locked: str = ""  # why no rule may rest on it, empty where rules may
    labelled: tuple[int, ...] = ()  # of `detected`: found, positives, passed, negatives

    def to_dict(self) -> dict[str, Any]:
        """The measure as plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Measure:
        """The measure of `to_dict`."""
        listed = {name: tuple(form.get(name, ())) for name in ("columns", "labelled")}
        return cls(**{**form, **listed})

    @property
    def calibration(self) -> Calibration:
        """What the detector of a detected share said of the outputs people labelled."""
        found, positives, passed, negatives = self.labelled
        return Calibration(found=found, positives=positives, passed=passed, negatives=negatives)


STATISTICS: Mapping[str, Statistic] = {
    "precision": precision,
    "recall": recall,
    "f1": micro_f1,
    "macro_f1": macro_f1,
    "part": part,
    "bleu": bleu,
    "chrf": chrf,
    "perplexity": perplexity,
    "bits": bits,
}


def interval(
    measure: Measure,
    rows: Rows,
    clusters: Sequence[str],
    generator: np.random.Generator,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """The metric's value between its bounds; n counts the answers it is made from."""
    found = _interval(measure, rows, clusters, generator, sides, confidence)
    return as_locked(measure, found, sides)


def _interval(
    measure: Measure,
    rows: Rows,
    clusters: Sequence[str],
    generator: np.random.Generator,
    sides: Sides,
    confidence: float,
) -> Interval:
    if measure.family == "ratio":
        statistic = STATISTICS[measure.statistic]
        counts = _gathered(counts_of(measure, rows), clusters)
        found = ratio_interval(counts, statistic, generator, confidence=confidence, sides=sides)
        return replace(found, n=len(rows))
    if measure.family == "level":
        return _level(measure, rows, clusters, generator, Bound(sides, confidence))
    if measure.family == "controlled":
        bound = Bound(sides, confidence)
        return controlled(measure.columns, rows, clusters, generator, bound)
    kept = [index for index, row in enumerate(rows) if measure.metric in row]
    values = np.array([rows[index][measure.metric] for index in kept])
    groups = clusters_of([clusters[index] for index in kept])
    if measure.family == "joint":
        counts = counts_of(measure, [rows[index] for index in kept]).tolist()
        return corrected_joint(counts, measure.calibration, generator, Bound(sides, confidence))
    if measure.family == "detected":
        return corrected_share(
            values, groups, measure.calibration, generator, sides=sides, confidence=confidence
        )
    if measure.family == "opinion":
        return mean_at_every_look(values, groups, confidence=confidence, sides=sides)
    family = share_interval if measure.family == "share" else mean_interval
    return family(values, groups, confidence=confidence, sides=sides)


def difference(
    measure: Measure,
    pairs: Pairs,
    generator: np.random.Generator,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    """First minus second system's metric on the same tasks, between its bounds."""
    return as_locked(measure, _difference(measure, pairs, generator, sides, confidence), sides)


def _difference(
    measure: Measure,
    pairs: Pairs,
    generator: np.random.Generator,
    sides: Sides = 2,
    confidence: float = 0.95,
) -> Interval:
    if measure.family == "ratio":
        statistic = STATISTICS[measure.statistic]
        first = _gathered(counts_of(measure, pairs.first), pairs.clusters)
        second = _gathered(counts_of(measure, pairs.second), pairs.clusters)
        found = paired_ratio_interval(
            first, second, statistic, generator, confidence=confidence, sides=sides
        )
        return replace(found, n=len(pairs.first))
    if measure.family == "level":
        return _level_difference(measure, pairs, generator, Bound(sides, confidence))
    if measure.family == "controlled":
        sides_of = list(zip(pairs.first, pairs.second, strict=True))
        bound = Bound(sides, confidence)
        return controlled_apart(measure.columns, sides_of, pairs.clusters, generator, bound)
    name = measure.metric
    both = [
        index
        for index, (first_row, second_row) in enumerate(zip(pairs.first, pairs.second, strict=True))
        if name in first_row and name in second_row
    ]
    one, two = ([rows[index][name] for index in both] for rows in (pairs.first, pairs.second))
    groups = clusters_of([pairs.clusters[index] for index in both])
    if measure.family == "joint":
        one_and_two = (
            counts_of(measure, [rows[index] for index in both]).tolist()
            for rows in (pairs.first, pairs.second)
        )
        return corrected_joint_difference(
            (*one_and_two,), measure.calibration, generator, Bound(sides, confidence)
        )
    if measure.family == "detected":
        labelled = measure.calibration
        return corrected_difference(
            (one, two), groups, labelled, generator, sides=sides, confidence=confidence
        )
    if measure.family == "opinion":
        apart = np.asarray(one) - np.asarray(two)
        found = mean_at_every_look(
            apart, groups, span=(-1.0, 1.0), confidence=confidence, sides=sides
        )
        return replace(found, method=f"paired {found.method}")
    family = paired_share_difference if measure.family == "share" else paired_difference
    return family(one, two, groups, confidence=confidence, sides=sides)


def as_locked(measure: Measure, found: Interval, sides: Sides) -> Interval:
    """The same figures; where the metric is locked their method says so, for rules to read."""
    if not measure.locked:
        return found
    return replace(found, method=LOCKED + measure.locked + (ONE_SIDED if sides == 1 else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Scores of two systems on the same tasks, in one order."""

    tasks: tuple[str, ...]
    first: Rows
    second: Rows
    clusters: tuple[str, ...]

    def only(self, tasks: frozenset[str]) -> Pairs:
        """The pairs of these tasks."""
        kept = [index for index, task in enumerate(self.tasks) if task in tasks]
        return Pairs(
            tasks=tuple(self.tasks[index] for index in kept),
            first=[self.first[index] for index in kept],
            second=[self.second[index] for index in kept],
            clusters=tuple(self.clusters[index] for index in kept),
        )


def _level(
    measure: Measure,
    rows: Rows,
    clusters: Sequence[str],
    generator: np.random.Generator,
    bound: Bound,
) -> Interval:
    kept = [index for index, row in enumerate(rows) if measure.columns[0] in row]
    table = counts_of(measure, [rows[index] for index in kept])
    names = [clusters[index] for index in kept]
    if measure.statistic in STATISTICS:
        statistic = STATISTICS[measure.statistic]
        found = summed_level(_gathered(table, names), statistic, generator, bound)
        return replace(found, n=len(kept))
    of_values = tail_level if measure.statistic == "p95" else mean_level
    return of_values(table[:, 0], clusters_of(names), bound)


def _level_difference(
    measure: Measure, pairs: Pairs, generator: np.random.Generator, bound: Bound
) -> Interval:
    name = measure.columns[0]
    both = zip(pairs.first, pairs.second, strict=True)
    kept = [index for index, (one, two) in enumerate(both) if name in one and name in two]
    first = counts_of(measure, [pairs.first[index] for index in kept])
    second = counts_of(measure, [pairs.second[index] for index in kept])
    names = [pairs.clusters[index] for index in kept]
    if measure.statistic in STATISTICS:
        statistic = STATISTICS[measure.statistic]
        one, two = _gathered(first, names), _gathered(second, names)
        return replace(summed_difference(one, two, statistic, generator, bound), n=len(kept))
    if measure.statistic == "p95":
        return tail_difference(first[:, 0], second[:, 0], clusters_of(names), generator, bound)
    return level_difference(first[:, 0], second[:, 0], clusters_of(names), bound)


def counts_of(measure: Measure, rows: Rows) -> Floats:
    """`[n, k]`: the counts a ratio sums."""
    columns = measure.columns
    if not columns:
        labels = sorted({key[len(EXPECTED) :] for row in rows for key in row if _expects(key)})
        columns = tuple(kind + label for kind in (HITS, PREDICTED, EXPECTED) for label in labels)
    place = {name: index for index, name in enumerate(columns)}
    table = np.zeros((len(rows), len(columns)))
    for number, row in enumerate(rows):
        for name, value in row.items():
            if name in place:
                table[number, place[name]] = value
    return table


def _expects(key: str) -> bool:
    return key.startswith(EXPECTED)


def _gathered(counts: Floats, clusters: Sequence[str]) -> Floats:
    groups = clusters_of(clusters)
    return counts if groups is None else sum_by_cluster(counts, groups)
