"""The door of `monitor`: the events of a release in, a Report out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tutelage.core.artifact import Provenance
from tutelage.core.digest import Json
from tutelage.core.errors import BadRow, RecipeError
from tutelage.core.metric import ALL, Metric
from tutelage.core.recipe.monitor import Monitor
from tutelage.core.rule import Decided, Outcome, Rule, decide, evidence, parse
from tutelage.core.served import rule_problem
from tutelage.monitor.measure import (
    SYSTEM,
    differences,
    evaluated,
    figures,
    requests_of,
    segments_of,
)
from tutelage.store.artifact import Artifact, pretty
from tutelage.store.journal import Journal
from tutelage.store.lines import METRICS as METRICS_FILE
from tutelage.store.lines import write_metrics
from tutelage.store.release import ReleaseFolder
from tutelage.store.store import Store

VERSION = 2  # raised when the same events come to other figures
REPORT = "monitor.json"
PAGE = "monitor.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that is looked at; its end is not in it."""

    since: datetime
    until: datetime

    @classmethod
    def before(cls, until: datetime, hours: float) -> Window:
        """The hours before a moment."""
        return cls(since=until - timedelta(hours=hours), until=until)

    @property
    def since_text(self) -> str:
        """Its begin, as events write time."""
        return _written(self.since)

    @property
    def until_text(self) -> str:
        """Its end, as events write time."""
        return _written(self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was served in a window, beside the evaluation, and what each rule came to."""

    release: str  # its label
    digest: str
    window: Window
    events: int  # of the journal that were looked at
    metrics: tuple[Metric, ...]  # of what was served, and its differences to the evaluation
    evaluation: tuple[Metric, ...]
    left_out: Mapping[str, int]  # values of a segment's key beyond those measured
    rules: tuple[Decided, ...]
    kept: Artifact | None = None  # in the store the release lies in

    @property
    def requests(self) -> int:
        """How many were served."""
        return next(int(one.value) for one in self.metrics if one.metric == "requests")

    @property
    def outcome(self) -> Outcome | None:
        """What the rules come to together; None where there is none."""
        outcomes = {one.outcome for one in self.rules}
        if "fail" in outcomes:
            return "fail"
        if "inconclusive" in outcomes:
            return "inconclusive"
        return "pass" if outcomes else None

    def shown(self, part: str = ALL) -> list[Metric]:
        """The figures of a segment, or of all, with people's interval."""
        return [
            one
            for one in self.metrics
            if one.slice == part and one.baseline is None and not one.one_sided
        ]

    @property
    def parts(self) -> list[str]:
        """The segments that were measured."""
        return list(dict.fromkeys(one.slice for one in self.metrics if one.slice != ALL))

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON."""
        return {
            "schema": 1,
            "release": self.release,
            "digest": self.digest,
            "window": {"since": self.window.since_text, "until": self.window.until_text},
            "requests": self.requests,
            "events": self.events,
            "metrics": [one.to_dict() for one in self.metrics if not one.one_sided],
            "evaluation": [one.to_dict() for one in self.evaluation if not one.one_sided],
            "values_left_out": dict(self.left_out),
            "rules": [_rule_form(one) for one in self.rules],
            "outcome": self.outcome,
        }


def run(section: Monitor, release: ReleaseFolder, journal: Journal, until: datetime) -> Report:
    """Measures what the release served in the window that ends now, and decides every rule.

    Feedback counts for the request it is about, if both lie in the window. A window
    without requests leaves every rule inconclusive.

    Raises: RecipeError for rules about what is not measured; StoreError.
    """
    rules = checked(section)
    window = Window.before(until, section.window_hours)
    looked = {
        kind: list(
            journal.events(
                kind=kind,
                release=release.digest,
                since=window.since_text,
                until=window.until_text,
            )
        )
        for kind in ("completion", "feedback")
    }
    requests = requests_of(looked["completion"], looked["feedback"])
    segments = segments_of(requests, section.segments)
    served = list(figures(requests))
    for segment in segments.measured:
        served += figures(segment.requests, segment.name)
    proven = evaluated(release.metrics())
    parts = [ALL, *(one.name for one in segments.measured)]
    served += differences(served, proven, parts)
    return Report(
        release=release.label,
        digest=release.digest,
        window=window,
        events=sum(map(len, looked.values())),
        metrics=tuple(served),
        evaluation=tuple(proven),
        left_out=segments.left_out,
        rules=tuple(decide(rule, evidence(rule, served, SYSTEM)) for rule in rules),
    )


def checked(section: Monitor) -> list[Rule]:
    """The section's rules.

    Raises: RecipeError with all of those about what is not measured.
    """
    rules = [parse(line) for line in section.rules]
    told = [
        BadRow(where=f"monitor.rules[{index}]", problem=problem)
        for index, rule in enumerate(rules)
        if (problem := rule_problem(rule, section.segments))
    ]
    if told:
        raise RecipeError(
            "a rule of `monitor` is about what is not measured",
            where="monitor.rules",
            rows=told,
        )
    return rules


def keep(report: Report, page: str, store: Store) -> Artifact:
    """The report as an artifact of the store the release lies in.

    A report is added beside what is there and takes no lock: it may be made while a
    model trains.
    """
    provenance = Provenance(
        kind="report",
        inputs={"release": report.digest},
        section={
            "since": report.window.since_text,
            "until": report.window.until_text,
            "rules": [one.rule.text for one in report.rules],
            "segments": report.parts,
        },
        stage_version=VERSION,
    )
    with store.put(provenance) as draft:
        write_metrics(draft.folder / METRICS_FILE, report.metrics + report.evaluation)
        (draft.folder / REPORT).write_bytes(pretty(report.to_dict()))
        (draft.folder / PAGE).write_text(page, encoding="utf-8")
        outcomes = [one.outcome for one in report.rules]
        draft.counts |= {"requests": report.requests, "events": report.events}
        draft.counts |= {name: outcomes.count(name) for name in ("pass", "fail", "inconclusive")}
    return draft.artifact


def _rule_form(decided: Decided) -> dict[str, Json]:
    bounds = decided.bounds
    form: dict[str, Json] = {
        "rule": decided.rule.text,
        "outcome": decided.outcome,
        "because": decided.because,
        "evidence": None,
    }
    if bounds is not None:
        form["evidence"] = {
            "estimate": bounds.estimate,
            "low": bounds.low,
            "high": bounds.high,
            "n": bounds.n,
        }
    return form


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
