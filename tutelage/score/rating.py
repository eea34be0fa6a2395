"""Ratings by judges and by people, in one form, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import numpy as np

from tutelage.core.digest import Json
from tutelage.core.intervals import Interval, mean_interval
from tutelage.core.shares import clusters_of, share_interval
from tutelage.core.winning import Compared, Match, bradley_terry, length_controlled

RATINGS = "ratings.jsonl"  # of a report: judges' looks; of an artifact of ratings: people's


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One look of one rater at an answer, or at two beside each other.

    Of two, `value` is 1 where the first is preferred, 0 where the second is, 0.5 for a
    tie; of one, `criterion` names what it is rated for and `value` lies in [0, 1].
    """

    rater: str
    item: str  # the task's id
    cluster: str
    first: str  # a system
    second: str = ""
    criterion: str = ""
    value: float
    swapped: bool = False  # whether the second was shown first
    repeat: int = 0
    longer: int = 0  # characters of the first answer beyond the second's
    sheet: str = field(default="", compare=False)  # a person's: the sheet it stood on

    def to_dict(self) -> dict[str, Json]:
        """The rating as plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, form: Mapping[str, Any]) -> Rating:
        """The rating of `to_dict`."""
        return cls(**form)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferred:
    """What ratings of two systems come to."""

    win_rate: Interval
    length_controlled: Interval
    first_shown: Interval  # share of decided looks that prefer what is shown first
    inconsistent: Interval  # share of one rater's verdicts that turn with the order
    repeated: Interval  # share of pairs of one rater's repeats that agree
    strengths: Mapping[str, Interval]  # Bradley–Terry, in logits

    def to_dict(self) -> dict[str, Json]:
        """The figures as plain JSON."""
        form: dict[str, Json] = {
            name: interval_form(getattr(self, name))
            for name in (
                "win_rate",
                "length_controlled",
                "first_shown",
                "inconsistent",
                "repeated",
            )
        }
        form["strengths"] = {name: interval_form(one) for name, one in self.strengths.items()}
        return form


def read_ratings(path: Path) -> list[Rating]:
    """The ratings of a file, in order."""
    return [Rating.from_dict(msgspec.json.decode(line)) for line in path.read_bytes().splitlines()]


def interval_form(found: Interval) -> dict[str, Json]:
    """An interval as plain JSON; a bound there is not is null."""
    return {
        name: None if isinstance(value, float) and not np.isfinite(value) else value
        for name, value in asdict(found).items()
    }


def item_scores(ratings: Iterable[Rating]) -> dict[str, float]:
    """By item, the mean over orders and repeats: each order counts as much as the other."""
    orders: dict[str, dict[bool, list[float]]] = {}
    for one in ratings:
        orders.setdefault(one.item, {}).setdefault(one.swapped, []).append(one.value)
    return {
        item: fmean(fmean(values) for values in looks.values()) for item, looks in orders.items()
    }


def preferred(ratings: Sequence[Rating], generator: np.random.Generator) -> Preferred:
    """Win rate and biases of ratings in which one system stands against another."""
    scores = item_scores(ratings)
    first = {one.item: one for one in ratings}
    clusters = [first[item].cluster for item in scores]
    compared = Compared(
        scores=list(scores.values()), longer=[first[item].longer for item in scores]
    )
    return Preferred(
        win_rate=mean_interval(compared.scores, clusters_of(clusters)),
        length_controlled=length_controlled(compared, clusters, generator),
        first_shown=_first_shown(ratings),
        inconsistent=_inconsistent(ratings),
        repeated=_repeated(ratings),
        strengths=strengths(ratings, generator),
    )


def strengths(ratings: Sequence[Rating], generator: np.random.Generator) -> dict[str, Interval]:
    """Bradley–Terry strengths of all systems that were compared, of however many pairs of them."""
    pairs: dict[tuple[str, str], list[Rating]] = {}
    for one in ratings:
        pairs.setdefault((one.first, one.second), []).append(one)
    matches = []
    for (first, second), some in sorted(pairs.items()):
        cluster = {one.item: one.cluster for one in some}
        matches += [
            Match(first=first, second=second, score=score, cluster=cluster[item])
            for item, score in item_scores(some).items()
        ]
    return bradley_terry(matches, generator)


def rubric_means(ratings: Sequence[Rating]) -> dict[tuple[str, str], Interval]:
    """By system and criterion, the mean mark."""
    groups: dict[tuple[str, str], list[Rating]] = {}
    for one in ratings:
        groups.setdefault((one.first, one.criterion), []).append(one)
    found = {}
    for key, some in sorted(groups.items()):
        scores = item_scores(some)
        cluster = {one.item: one.cluster for one in some}
        names = [cluster[item] for item in scores]
        found[key] = mean_interval(list(scores.values()), clusters_of(names))
    return found


def _first_shown(ratings: Sequence[Rating]) -> Interval:
    decided = [one for one in ratings if one.value != 0.5]
    liked = [float((one.value > 0.5) != one.swapped) for one in decided]
    return share_interval(np.array(liked), clusters_of([one.item for one in decided]))


def _inconsistent(ratings: Sequence[Rating]) -> Interval:
    looks: dict[tuple[str, str, int], dict[bool, float]] = {}
    for one in ratings:
        looks.setdefault((one.item, one.rater, one.repeat), {})[one.swapped] = one.value
    both = {key: two for key, two in looks.items() if len(two) == 2}
    turned = [float(two[True] != two[False]) for two in both.values()]
    return share_interval(np.array(turned), clusters_of([item for item, _, _ in both]))


def _repeated(ratings: Sequence[Rating]) -> Interval:
    looks: dict[tuple[str, str, bool], list[float]] = {}
    for one in ratings:
        looks.setdefault((one.item, one.rater, one.swapped), []).append(one.value)
    agree, items = [], []
    for (item, _, _), values in looks.items():
        for number, value in enumerate(values):
            for other in values[number + 1 :]:
                agree.append(float(value == other))
                items.append(item)
    return share_interval(np.array(agree), clusters_of(items))
