"""People's ratings of the report, as scores of its samples and as records rules compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tutelage.core.digest import Json
from tutelage.core.metric import ALL, Metric
from tutelage.core.recipe.judge import PEOPLE
from tutelage.core.sample import Sample
from tutelage.core.seeds import stream
from tutelage.gate.decide import SYSTEM
from tutelage.gate.pairs import Answers
from tutelage.score.measure import Measure
from tutelage.score.pairing import Place, metrics_alone, metrics_paired
from tutelage.score.people import by_suite, measures_of_ratings, scores_of_ratings
from tutelage.score.preference import PairNames, Scored, strength_metrics
from tutelage.score.rating import RATINGS, Rating, read_ratings, strengths
from tutelage.store.artifact import Artifact

BESIDE = "gate.beside"  # the stream of resamples of judges beside people


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A sheet that nobody waits for any more, and why."""

    sheet: str
    suite: str
    rater: str
    lines: int
    because: str

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON."""
        return dict(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """What people have said of a report, suite by suite."""

    ratings: Mapping[str, Sequence[Rating]]
    out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # lines, by baseline
    withdrawn: Sequence[Withdrawn] = ()

    @classmethod
    def of(
        cls,
        ratings: Artifact | None,
        keys: Mapping[str, Mapping[str, Any]] | None = None,
        withdrawn: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> People:
        """Those of an artifact, nobody's where there is none.

        `keys` open the sheets given out, `withdrawn` those that are waited for no more.
        """
        known = read_ratings(ratings.file(RATINGS)) if ratings else []
        return cls(
            ratings=by_suite(known),
            out=_still_out(known, keys or {}),
            withdrawn=tuple(
                Withdrawn(
                    sheet=sheet,
                    suite=key["suite"],
                    rater=key["rater"],
                    lines=len(key["lines"]),
                    because=key["withdrawn"],
                )
                for sheet, key in (withdrawn or {}).items()
            ),
        )

    def heard(self, answers: Answers) -> Answers:
        """The answers with people's scores beside the scorers'."""
        measures, systems = dict(answers.measures), dict(answers.systems)
        for suite, some in self.ratings.items():
            scores = scores_of_ratings(some)
            measures[suite] = [*measures.get(suite, ()), *self._measures(suite)]
            for system, scored in scores.items():
                mine = systems[system]
                systems[system] = {**mine, suite: _scored(mine[suite], scored)}
        return replace(answers, measures=measures, systems=systems)

    def metrics(self, answers: Answers) -> Iterator[Metric]:
        """The records of their metrics, from answers that have their scores.

        As evaluation writes judges': each system alone and the tuned one paired, whole and
        by slice; and the systems' strengths.
        """
        for suite, some in self.ratings.items():
            parts = [ALL, *(one.name for one in answers.slices.get(suite, ()))]
            for measure in self._measures(suite):
                for part in parts if measure.sliced else parts[:1]:
                    yield from _of_measure(answers, suite, measure, part)
            pairs = [one for one in some if one.second]
            if pairs:
                generator = stream(f"{PEOPLE}.{suite}", answers.seed)
                name = PairNames(by=PEOPLE).strength
                yield from strength_metrics(name, suite, strengths(pairs, generator))

    def _measures(self, suite: str) -> list[Measure]:
        return measures_of_ratings(self.ratings[suite], self.out.get(suite))


def _still_out(
    ratings: Sequence[Rating], keys: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, int]]:
    """By suite and baseline, the lines handed out that have not come back.

    One is back where its sheet brought it, whoever rated it, or its rater on another sheet.
    """
    sheets = {(one.sheet, one.item) for one in ratings}
    raters = {(one.rater, one.item, one.second) for one in ratings}
    out: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for sheet, key in keys.items():
        if not key["against"]:
            continue
        waiting = out.setdefault((key["suite"], key["against"]), set())
        for task in {one["task"] for one in key["lines"].values()}:
            known = (key["rater"], task, key["against"]) in raters
            if not known and (sheet, task) not in sheets:
                waiting.add((key["rater"], task))
    found: dict[str, dict[str, int]] = {}
    for (suite, baseline), lines in out.items():
        found.setdefault(suite, {})[baseline] = len(lines)
    return found


def _of_measure(answers: Answers, suite: str, measure: Measure, part: str) -> Iterator[Metric]:
    name = measure.columns[0] if measure.columns else measure.metric
    rated = [
        system
        for system, suites in answers.systems.items()
        if any(name in one.scores for one in suites.get(suite, ()))
    ]
    alone: dict[str, float] = {}
    for system in rated:
        pairs = answers.pairs(suite, system, system, part)
        if pairs is None or not pairs.tasks:
            continue
        place = Place(suite=suite, system=system, seed=answers.seed, slice=part)
        for one in metrics_alone(measure, pairs.first, pairs.clusters, place):
            alone[system] = one.value
            yield one
    for baseline in (system for system in alone if system != SYSTEM):
        both = answers.pairs(suite, SYSTEM, baseline, part)
        if both is not None and SYSTEM in alone:
            place = Place(
                suite=suite, system=SYSTEM, seed=answers.seed, slice=part, baseline=baseline
            )
            yield from metrics_paired(measure, both, place, alone[SYSTEM])


def _scored(samples: Sequence[Sample], scored: Scored) -> list[Sample]:
    return [
        replace(one, scores={**one.scores, **scored[one.task]}) if one.task in scored else one
        for one in samples
    ]
