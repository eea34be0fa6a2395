"""Judges at work: held against people's labels first, then asked about every answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tutelage.core.digest import Json
from tutelage.core.intervals import Interval
from tutelage.core.metric import CURE
from tutelage.core.recipe import Evaluate
from tutelage.core.recipe import Judge as Keys
from tutelage.core.sample import Sample
from tutelage.core.systems import TUNED
from tutelage.evaluate.report import Measured
from tutelage.score.endpoint import Endpoint, Unanswered
from tutelage.score.judge import (
    Ask,
    Calibrated,
    Pair,
    calibrate,
    calibrate_marks,
    compare,
    mark,
    uncalibrated,
)
from tutelage.score.judges import judge_measures, locked, names_of, read_labels
from tutelage.score.preference import Scored, pair_scores, strength_metrics
from tutelage.score.rating import (
    RATINGS,
    Rating,
    interval_form,
    item_scores,
    preferred,
    rubric_means,
)
from tutelage.store.ingest import uri_of
from tutelage.store.lines import write_lines
from tutelage.store.replies import Replies
from tutelage.store.run import Run
from tutelage.store.store import Draft

BOOTSTRAP = "evaluate.judges"
UNREAD_AT_MOST = 0.05  # of a suite's looks: those left out are no random ones
REFUSED_AT_FIRST = 10  # looks in a row, and no reply yet: the endpoint answers nobody


@dataclass(slots=True)
class Asking:
    """Asks a judge; a look that its endpoint refuses alone is one without a verdict."""

    endpoint: Endpoint
    refused: int = 0
    _replied: bool = False
    _last: Unanswered | None = None

    def ask(self, words: str, repeat: int = 0) -> str:
        """The reply, empty where this one was refused.

        Raises: MissingCapability where the endpoint answers nobody.
        """
        try:
            reply = self.endpoint.ask(words, repeat)
        except Unanswered as error:
            self.refused, self._last = self.refused + 1, error
            if not self._replied and self.refused >= REFUSED_AT_FIRST:
                raise
            return ""
        self._replied = True
        return reply

    def check(self) -> None:
        """Whether any look was answered, of however few.

        Raises: Unanswered where each was refused.
        """
        if self._last is not None and not self._replied:
            raise self._last


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one judge says of one suite."""

    scores: Mapping[str, Scored]  # by system
    ratings: Sequence[Rating]
    form: Mapping[str, Json]
    looks: Mapping[str, tuple[int, int]]  # without a verdict, of how many; by what was looked at
    strengths: Mapping[str, Interval] = field(default_factory=dict)  # by system

    @property
    def unread(self) -> int:
        """Looks without a verdict."""
        return sum(unread for unread, _ in self.looks.values())


def judge_all(
    section: Evaluate, suites: Sequence[Measured], run: Run, draft: Draft
) -> tuple[list[Measured], list[Json]]:
    """The suites with the judges' scores and metrics, and what the report says of each judge.

    Every rating is kept beside the report. A judge that is not calibrated is asked all the
    same, and its metrics are locked: no gate rests on them. A look its endpoint refuses is one
    without a verdict.

    Raises: MissingCapability where an endpoint answers nobody; RowError for labels.
    """
    found, forms = list(suites), list[Json]()
    ratings: list[Rating] = []
    for keys in section.judges:
        endpoint = Endpoint(keys, Replies.of(run.store, keys.name), anew=run.force)
        asking = Asking(endpoint=endpoint)
        calibrated = _calibrated(keys, asking.ask, run)
        reasons = {
            metric: uncalibrated(keys.name) if known is None else known.locked
            for metric, known in calibrated.items()
        }
        for reason in dict.fromkeys(filter(None, reasons.values())):
            run.progress.warn(f"{reason}: no gate rests on it")
        told: dict[str, Json] = {}
        shuts: list[str] = []
        for number, suite in enumerate(found):
            if section.rates(keys, suite.name):
                opinion = _opinion(keys, asking.ask, suite, run)
                ratings += opinion.ratings
                shut = _unread(keys, suite, opinion)
                shuts.append(shut)
                told[suite.name] = {**opinion.form, "unread": opinion.unread, "locked": shut}
                closed = {metric: reason or shut for metric, reason in reasons.items()}
                found[number] = _with(suite, keys, opinion, closed)
        asking.check()
        for shut in filter(None, shuts):
            run.progress.warn(f"{shut}: no gate rests on it")
        if asking.refused:
            told_of = f"judge `{keys.name}`: its endpoint refused {asking.refused:,} looks"
            run.progress.warn(f"{told_of}; they count as looks without a verdict")
        forms.append(_form(keys, asking, calibrated, reasons, told))
    if section.judges:
        write_lines(draft.folder / RATINGS, [one.to_dict() for one in ratings])
    return found, forms


def _calibrated(keys: Keys, ask: Ask, run: Run) -> dict[str, Calibrated | None]:
    """By metric, what holding the judge against people came to; marks by each criterion."""
    metrics = [one.metric for one in judge_measures([keys])]
    if keys.labels is None:
        return dict.fromkeys(metrics)
    labels = read_labels(run.recipe.path(keys.labels.path), uri_of(keys.labels.path))
    agreement, sentinel, repeats = keys.labels.agreement, keys.labels.sentinel, keys.repeats
    if keys.kind == "rubric":
        marked = calibrate_marks(
            keys.name,
            ask,
            labels,
            keys.criteria,
            least=(agreement, sentinel),
            repeats=repeats,
        )
        return dict(zip(metrics, marked.values(), strict=True))
    found = calibrate(
        keys.name, ask, labels, agreement=agreement, sentinel=sentinel, repeats=repeats
    )
    return dict.fromkeys(metrics, found)


def _opinion(keys: Keys, ask: Ask, suite: Measured, run: Run) -> Opinion:
    if keys.kind == "rubric":
        return _marked(keys, ask, suite)
    mine, other = suite.samples[TUNED], suite.samples[keys.against]
    requests = {task.id: task.request for task in suite.tasks}
    pairs = [
        Pair(
            item=one.task,
            cluster=one.cluster,
            request=requests[one.task],
            first=one.answer,
            second=two.answer,
            systems=(TUNED, keys.against),
        )
        for one, two in zip(mine, other, strict=True)
    ]
    judged = compare(keys.name, ask, pairs, repeats=keys.repeats)
    report = preferred(judged.ratings, run.generator(f"{BOOTSTRAP}.{keys.name}.{suite.name}"))
    return Opinion(
        scores=pair_scores(judged.ratings, names_of(keys)),
        ratings=judged.ratings,
        form=report.to_dict(),
        looks={"": (judged.unread, judged.unread + len(judged.ratings))},
        strengths=report.strengths,
    )


def _marked(keys: Keys, ask: Ask, suite: Measured) -> Opinion:
    requests = {task.id: task.request for task in suite.tasks}
    scores: dict[str, dict[str, dict[str, float]]] = {}
    ratings: list[Rating] = []
    looks: dict[str, tuple[int, int]] = {}
    for system, samples in suite.samples.items():
        pairs = [_alone(one, requests[one.task], system) for one in samples]
        judged = mark(keys.name, ask, pairs, keys.criteria, repeats=keys.repeats)
        ratings += judged.ratings
        asked = len(pairs) * keys.repeats
        mine = scores.setdefault(system, {})
        for criterion in (named.partition(":")[0] for named in keys.criteria):
            own = [one for one in judged.ratings if one.criterion == criterion]
            looks[f" of {system} for {criterion}"] = (asked - len(own), asked)
            for task, value in item_scores(own).items():
                mine.setdefault(task, {})[f"{keys.name}_{criterion}"] = value
    means: dict[str, Json] = {
        f"{system}.{criterion}": interval_form(one)
        for (system, criterion), one in rubric_means(ratings).items()
    }
    return Opinion(scores=scores, ratings=ratings, form={"means": means}, looks=looks)


def _unread(keys: Keys, suite: Measured, opinion: Opinion) -> str:
    """Why no gate rests on what is left where too many looks came to no verdict; else empty.

    It is asked of every system and criterion by itself: a judge may stumble over one's answers.
    """
    for at, (unread, looks) in opinion.looks.items():
        if unread > UNREAD_AT_MOST * looks:
            told = f"judge `{keys.name}` came to no verdict in {unread:,} of {looks:,} looks at "
            cure = "see what its endpoint says to them, or take another"
            return f"{told}`{suite.name}`{at}, more than 1 in 20{CURE}{cure}"
    return ""


def _alone(sample: Sample, request: str, system: str) -> Pair:
    return Pair(
        item=sample.task,
        cluster=sample.cluster,
        request=request,
        first=sample.answer,
        second="",
        systems=(system, ""),
    )


def _with(suite: Measured, keys: Keys, opinion: Opinion, reasons: Mapping[str, str]) -> Measured:
    samples = {
        system: [
            replace(one, scores={**one.scores, **opinion.scores.get(system, {}).get(one.task, {})})
            for one in some
        ]
        for system, some in suite.samples.items()
    }
    measures = [one for m in judge_measures([keys]) for one in locked([m], reasons[m.metric])]
    strength, reason = names_of(keys).strength, next(iter(reasons.values()))
    return replace(
        suite,
        samples=samples,
        judged=(*suite.judged, *measures),
        strengths=(
            *suite.strengths,
            *strength_metrics(strength, suite.name, opinion.strengths, reason),
        ),
    )


def _form(
    keys: Keys,
    asking: Asking,
    calibrated: Mapping[str, Calibrated | None],
    reasons: Mapping[str, str],
    suites: Mapping[str, Json],
) -> Json:
    shown: Json = None
    known = [one for one in calibrated.values() if one is not None]
    if known:  # of several criteria, the one furthest behind
        worst = min(known, key=lambda one: one.agreement.low)
        shown = {
            "agreement": interval_form(worst.agreement),
            "sentinel": interval_form(worst.sentinel),
            "asked": {"agreement": keys.labels.agreement, "sentinel": keys.labels.sentinel}
            if keys.labels
            else None,
        }
    return {
        "name": keys.name,
        "model": keys.model,
        "kind": keys.kind,
        "against": keys.against if keys.kind == "pairwise" else None,
        "locked": "; ".join(dict.fromkeys(filter(None, reasons.values()))),
        "calibration": shown,
        "suites": dict(suites),
        "refused": asking.refused,
        "spent": asking.endpoint.spent.to_dict(keys),
    }
