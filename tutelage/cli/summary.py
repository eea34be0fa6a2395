"""What a walk came to: the systems side by side, the differences, the verdict."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.cli.reply import Reply
from tutelage.cli.terminal import OUTCOMES, counted, fits, listed, tell
from tutelage.core.errors import GateShut, TutelageError
from tutelage.core.metric import ALL, Metric
from tutelage.core.systems import LADDER, UNTUNED
from tutelage.gate.page.draw import SHARE, bare, signed
from tutelage.gate.page.ladder import held_sentence, sentence_of
from tutelage.score.pairing import SUMMARY
from tutelage.store.artifact import Artifact, read_json
from tutelage.store.lines import METRICS, read_metrics
from tutelage.store.release import VERDICT

if TYPE_CHECKING:
    from tutelage.pipeline import Outcome


def reply(outcome: Outcome) -> Reply:
    """What `run` and the stages' commands answer."""
    artifacts = outcome.artifacts
    report, verdict = artifacts.get("evaluate"), artifacts.get("gate")
    metrics = read_metrics(report.file(METRICS)) if report else []
    judged = read_json(verdict.file(VERDICT)) if verdict else {}
    ladders = ladders_of(report) if report else {}
    data: dict[str, Any] = {
        "run": outcome.folder.name,
        "stages": {stage: _stage_form(outcome, stage, one) for stage, one in artifacts.items()},
        "metrics": [one.to_dict() for one in metrics if shown(one) or compared(one)],
        "ladder": ladders,
        "verdict": judged or None,
        "report": str(near(verdict.file("report.html"))) if verdict else None,
        "release": str(near(artifacts["release"].folder)) if "release" in artifacts else None,
    }

    def draw(console: Console) -> None:
        for line in needed(ladders):
            tell(console, line)
        for suite in dict.fromkeys(one.suite for one in metrics):
            draw_suite(console, suite, metrics)
        if judged:
            draw_verdict(console, judged)
        for line in closing(outcome):
            console.print(Text(line), soft_wrap=True)

    error = None if "release" in artifacts else shut(judged)  # a waiver may answer for a rule
    return Reply(data=data, draw=draw, artifacts=tuple(artifacts.items()), error=error)


def ladders_of(report: Artifact) -> dict[str, Any]:
    """By suite, the ladder of systems, where several answered."""
    suites = read_json(report.file(SUMMARY))["suites"]
    return {one["name"]: one["ladder"] for one in suites if one.get("ladder")}


def needed(ladders: Mapping[str, Any]) -> Iterator[str]:
    """Whether fine-tuning was needed, a line a suite."""
    for suite, ladder in ladders.items():
        yield f"was fine-tuning needed on {suite}? {ladder['needed']}: {sentence_of(ladder)}"
        if held := held_sentence(ladder):
            yield f"  {held}"


def shut(judged: Mapping[str, Any]) -> TutelageError | None:
    """The error of a gate that stays shut; None where it opens or was not asked."""
    if not judged or judged["outcome"] == "pass":
        return None
    if judged["outcome"] == "fail":
        return GateShut(
            "the gate is shut: a rule does not hold",
            hint="the report lists the worst answers; more or better rows, or another base",
        )
    advice = [rule["advice"] for rule in judged["rules"] if rule["outcome"] == "inconclusive"]
    return GateShut(
        "the gate is shut: inconclusive, too little evidence for a rule",
        hint="; ".join(dict.fromkeys(filter(None, advice)))
        or "more tasks in the suite make the interval narrower",
    )


def shown(metric: Metric) -> bool:
    """Whether it is a system's own value over the whole suite, with people's interval."""
    return metric.slice == ALL and metric.baseline is None and not metric.one_sided


def compared(metric: Metric) -> bool:
    """Whether it is a paired difference over the whole suite, with people's interval."""
    return metric.slice == ALL and metric.baseline is not None and not metric.one_sided


def draw_suite(console: Console, suite: str, metrics: Sequence[Metric]) -> None:
    """One suite: systems in rows, or metrics in rows where that is too wide, or else a list."""
    values = [one for one in metrics if one.suite == suite and shown(one)]
    if not values:
        return
    count = max(one.n for one in values)
    console.print(Text(f"\n{suite}: {counted(count, 'task')}, value and 95 % interval", "bold"))
    fitting = [table for table in tables(values) if fits(console, table)]
    if fitting:
        console.print(fitting[0])
    else:
        _listed(console, values)
    pairs = [one for one in metrics if one.suite == suite and compared(one)]
    pairs = [one for one in pairs if one.baseline == _hardest(pairs)]
    if pairs:
        console.print(Text(f"\n{pairs[0].system} − {pairs[0].baseline}, paired", "bold"))
        listed(console, [(one.metric, difference(one)) for one in pairs])


def tables(values: Sequence[Metric]) -> tuple[Table, Table]:
    """Systems in rows and metrics in columns; and the other way round."""
    names = list(dict.fromkeys(one.metric for one in values))
    cells = {(one.system, one.metric): value(one) for one in values}
    ordered = systems(values)
    wide, tall = _table(names), _table(ordered)
    for system in ordered:
        wide.add_row(system, *(cells.get((system, name), "") for name in names))
    for name in names:
        tall.add_row(name, *(cells.get((system, name), "") for system in ordered))
    return wide, tall


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def systems(values: Sequence[Metric]) -> list[str]:
    """The systems, baselines first and the tuned one last."""
    found = dict.fromkeys(one.system for one in values)
    known = [name for name in LADDER if name in found]
    return [*(name for name in found if name not in known), *known]


def _listed(console: Console, values: Sequence[Metric]) -> None:
    names = dict.fromkeys(one.metric for one in values)
    ordered = systems(values)
    for name in names:
        console.print(Text(name, "bold"))
        own = {one.system: value(one) for one in values if one.metric == name}
        listed(console, [(system, own[system]) for system in ordered if system in own])


def value(metric: Metric) -> str:
    """`97.1 [96.0 97.9]`: in per cent where the unit is a share."""
    low, middle, high = (bare(x, metric.unit) for x in (metric.low, metric.value, metric.high))
    return f"{middle} [{low} {high}]"


def difference(metric: Metric) -> str:
    """`+12.3 [+10.1 +14.5] points`."""
    unit = "points" if metric.unit == SHARE else metric.unit
    found = metric.difference or 0.0
    low, middle, high = (signed(x, metric.unit) for x in (metric.low, found, metric.high))
    return f"{middle} [{low} {high}] {unit}"


def _hardest(pairs: Sequence[Metric]) -> str | None:
    """The baseline that is drawn: the highest rung without training that was measured."""
    names = {one.baseline for one in pairs}
    return next((name for name in reversed(UNTUNED) if name in names), next(iter(names), None))


def draw_verdict(console: Console, judged: Mapping[str, Any]) -> None:
    """The verdict and what each rule came to."""
    mark, colour = OUTCOMES[judged["outcome"]]
    console.print(Text(f"\nverdict: {judged['outcome']}", f"bold {colour}"))
    for rule in judged["rules"]:
        mark, colour = OUTCOMES[rule["outcome"]]
        line = Text(f"  {mark}", colour)
        line.append(f"  {rule['rule']}", "default")
        console.print(line)
        for words in (rule["because"], rule.get("advice")):
            if words:
                console.print(Text(f"        {words}", "dim"))
    for suite, count in judged.get("uses", {}).items():
        console.print(Text(f"  {suite}: model {count:,} measured on this test", "dim"))


def closing(outcome: Outcome) -> Iterator[str]:
    """Where things are, and which stages were not run again."""
    yield ""
    verdict = outcome.artifacts.get("gate")
    if verdict is not None:
        yield f"report: {near(verdict.file('report.html'))}"
    last = list(outcome.artifacts.values())[-1]
    yield f"{last.kind if last.kind == 'release' else 'artifact'}: {near(last.folder)}"
    if last.kind == "release":
        waivers = last.counts.get("waivers", 0)
        if waivers:
            yield f"released with {counted(waivers, 'rule')} waived, named in its card"
        yield f"serve it: tutelage serve {near(last.folder)}"
    if len(outcome.reused) == len(outcome.artifacts):
        yield "nothing changed: no work was done, all of it is taken from the store"
    elif outcome.reused:
        yield f"unchanged, taken from the store: {', '.join(outcome.reused)}"


def near(path: Path) -> Path:
    """The path as seen from here, where that is shorter."""
    seen = Path(os.path.relpath(path))
    return seen if len(str(seen)) < len(str(path)) else path


def _stage_form(outcome: Outcome, stage: str, artifact: Artifact) -> dict[str, Any]:
    return {
        "artifact": artifact.name,
        "reused": stage in outcome.reused,
        "seconds": artifact.manifest.seconds,
        "counts": dict(artifact.counts),
    }
