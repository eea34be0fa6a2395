"""Served requests to figures, each with n and 95 % interval, and with the bounds rules compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

from tutelage.core.event import Event, Rating
from tutelage.core.intervals import Interval, Sides, wilson
from tutelage.core.metric import ALL, ONE_SIDED, Metric
from tutelage.core.served import EVALUATED, EVALUATION, METRICS, SUITE
from tutelage.core.unpaired import quantile_interval, unbounded_mean, unpaired_difference

SYSTEM = "served"
TUNED = "tuned"  # the evaluation's system that was released
SAYS = {
    "requests": "requests served",
    "errors": "requests taken up that ended in an error, an answer not of the asked form too; "
    "those turned away (429) leave no event",
    "latency_p50": "seconds half of the answers took at most",
    "latency_p95": "seconds 95 of 100 answers took at most",
    "prompt_tokens": "tokens of a prompt, mean",
    "completion_tokens": "tokens of an answer, mean",
    "parse": "answers that are strict JSON",
    "valid": "answers that satisfy the output schema",
    "finished": "answers that ended by themselves, not by their length",
    "flagged": "requests in which a guardrail noticed something",
    "blocked": "requests that were answered nothing",
    "rated_up": "ratings that are up, among rated answers",
}
VALUES = 20  # of a segment's key that are measured, the most frequent ones
SIDES: tuple[Sides, Sides] = (2, 1)
ANSWERED = ("stop", "length")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One served request, as far as figures go."""

    finish: str
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    parsed: bool | None  # None: the contract asks for no form
    valid: bool | None
    flagged: bool
    failed: bool  # the client was told of an error in place of an answer
    rating: Rating | None
    metadata: Mapping[str, str]

    @property
    def answered(self) -> bool:
        """Whether the model's own answer went out."""
        return self.finish in ANSWERED


def requests_of(completions: Iterable[Event], feedback: Iterable[Event]) -> list[Request]:
    """The requests of completion events, each with the last rating it was given."""
    ratings: dict[str, Rating] = {}
    for event in feedback:
        rating = event.payload.get("rating")
        if rating is not None:
            ratings[event.subject] = cast(Rating, rating)
    return [_request(event, ratings.get(event.id)) for event in completions]


def _request(event: Event, rating: Rating | None) -> Request:
    said: Mapping[str, Any] = event.payload
    return Request(
        finish=said["finish"],
        seconds=said["seconds"],
        prompt_tokens=said["prompt_tokens"],
        completion_tokens=said["completion_tokens"],
        parsed=said["parsed"],
        valid=said["valid"],
        flagged=bool(said["flags"]),
        failed=said["finish"] == "error" or said["error"] is not None,
        rating=rating,
        metadata=said.get("metadata") or {},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The requests of one value of a `metadata` key; `name` is what a rule writes after `@`."""

    name: str  # `channel=web`
    requests: Sequence[Request]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """The segments that are measured, and how many values of each key are not."""

    measured: tuple[Segment, ...]
    left_out: Mapping[str, int]


def segments_of(requests: Sequence[Request], keys: Sequence[str]) -> Segments:
    """The segments of each key, the most frequent values first. Blanks in a value become `_`."""
    found: list[Segment] = []
    left_out: dict[str, int] = {}
    for key in keys:
        having = [(_value(one.metadata[key]), one) for one in requests if key in one.metadata]
        ranked = Counter(value for value, _ in having).most_common()
        for value, _ in ranked[:VALUES]:
            own = [one for name, one in having if name == value]
            found.append(Segment(name=f"{key}={value}", requests=own))
        if len(ranked) > VALUES:
            left_out[key] = len(ranked) - VALUES
    return Segments(measured=tuple(found), left_out=left_out)


def _value(written: str) -> str:
    return "_".join(written.split())


def figures(requests: Sequence[Request], part: str = ALL) -> Iterator[Metric]:
    """Every metric of these requests: for people, and with the bounds a rule compares."""
    for name in METRICS:
        for sides in SIDES:
            yield _metric(name, part, _interval(name, requests, sides))


def differences(
    served: Sequence[Metric], evaluated: Sequence[Metric], parts: Iterable[str]
) -> Iterator[Metric]:
    """Served minus evaluated, where the evaluation measured the same.

    The evaluation's figure is the whole one also for a segment.
    """
    for part, name, sides in product(parts, EVALUATED, SIDES):
        here = _find(served, name, part, sides)
        there = _find(evaluated, name, ALL, sides)
        if here is not None and there is not None:
            yield _difference(here, there)


def evaluated(metrics: Sequence[Metric]) -> list[Metric]:
    """What the evaluation found of the released model, by the names served figures have.

    Where several suites measured the same, their answers are taken together.
    """
    found = []
    for name in EVALUATED:
        own = [
            one
            for one in metrics
            if (one.metric, one.system, one.slice, one.baseline) == (name, TUNED, ALL, None)
            and one.n > 0
        ]
        for sides in SIDES:
            same = [one for one in own if one.one_sided == (sides == 1)]
            if same:
                found.append(_pooled(name, same, sides))
    return found


def _pooled(name: str, metrics: Sequence[Metric], sides: Sides) -> Metric:
    if len(metrics) == 1:
        one = metrics[0]
        interval = Interval(value=one.value, low=one.low, high=one.high, n=one.n, method=one.method)
    else:
        n = sum(one.n for one in metrics)
        interval = wilson(sum(one.value * one.n for one in metrics), n, sides=sides)
    return _metric(name, ALL, interval, system=EVALUATION)


def _interval(name: str, requests: Sequence[Request], sides: Sides) -> Interval:
    answered = [one for one in requests if one.answered]
    if name == "requests":
        count = float(len(requests))
        method = "count" + (ONE_SIDED if sides == 1 else "")
        return Interval(value=count, low=count, high=count, n=len(requests), method=method)
    if name in ("latency_p50", "latency_p95"):
        share = float(name.removeprefix("latency_p")) / 100
        return quantile_interval([one.seconds for one in answered], share, sides=sides)
    if name in ("prompt_tokens", "completion_tokens"):
        counts = [float(getattr(one, name)) for one in answered]
        return unbounded_mean(counts, sides=sides)
    hits = _hits(name, requests, answered)
    return wilson(sum(hits), len(hits), sides=sides)


def _hits(name: str, requests: Sequence[Request], answered: Sequence[Request]) -> list[bool]:
    """Of a share: whether it is so, for each request it is asked of."""
    if name == "errors":
        return [one.failed for one in requests]
    if name == "parse":
        return [one.parsed for one in requests if one.parsed is not None]
    if name == "valid":
        return [one.valid for one in requests if one.valid is not None]
    if name == "finished":
        return [one.finish == "stop" for one in answered]
    if name == "flagged":
        return [one.flagged for one in requests]
    if name == "blocked":
        return [one.finish == "content_filter" for one in requests]
    return [one.rating == "up" for one in requests if one.rating is not None]


def _metric(name: str, part: str, interval: Interval, *, system: str = SYSTEM) -> Metric:
    return Metric(
        metric=name,
        suite=SUITE,
        system=system,
        slice=part,
        n=interval.n,
        value=interval.value,
        low=interval.low,
        high=interval.high,
        method=interval.method,
        unit=unit_of(name),
    )


def unit_of(name: str) -> str:
    """The unit of a metric."""
    if name == "requests":
        return "requests"
    if name.startswith("latency_"):
        return "seconds"
    return "tokens" if name.endswith("_tokens") else "share"


def _find(metrics: Sequence[Metric], name: str, part: str, sides: Sides) -> Metric | None:
    found = (
        one
        for one in metrics
        if (one.metric, one.slice, one.one_sided) == (name, part, sides == 1)
        and one.baseline is None
    )
    return next(found, None)


def _difference(here: Metric, there: Metric) -> Metric:
    first, second = (
        Interval(value=one.value, low=one.low, high=one.high, n=one.n, method=one.method)
        for one in (here, there)
    )
    found = unpaired_difference(first, second)
    return Metric(
        metric=here.metric,
        suite=SUITE,
        system=SYSTEM,
        slice=here.slice,
        n=found.n,
        value=here.value,
        low=found.low,
        high=found.high,
        method=found.method,
        baseline=EVALUATION,
        difference=found.value,
    )
