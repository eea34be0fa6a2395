"""What judges and people say, and how far they may be believed, ready to be drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tutelage.core.metric import ALL, Metric
from tutelage.core.recipe.judge import PEOPLE
from tutelage.gate.page.charts import Group, alone, row_of, scale_for
from tutelage.gate.page.draw import WHOLE, bare, percent, span
from tutelage.gate.page.facts import Fact
from tutelage.gate.people import Withdrawn
from tutelage.score.beside import Beside
from tutelage.score.judges import metrics_of
from tutelage.score.people import over
from tutelage.score.preference import PairNames
from tutelage.score.rating import interval_form

Form = Mapping[str, Any]
WEAK = 0.5  # logits
DIGITS = 3  # of a strength
OPEN, SHUT = "✓ a gate may rest on it", "locked: no gate rests on it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure between its bounds, in percent, and the value it is read against."""

    name: str
    says: str
    text: str
    span: str
    n: int
    x: float
    low: float
    high: float
    mark: float | None = None  # what it must reach, or what shows no bias


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one judge, or people, say of one suite."""

    who: str
    what: str
    state: str  # pass, or inconclusive where no gate may rest on it
    badge: str
    why: str
    lines: tuple[Line, ...]
    groups: tuple[Group, ...]
    raters: tuple[Fact, ...]
    notes: tuple[str, ...]


def opinions(
    summary: Form, people: Form | None, metrics: Sequence[Metric], held: Sequence[Beside] = ()
) -> list[Opinion]:
    """One for each suite a judge was asked about, then those of people.

    `held` tells how far judges and people say the same of the same tasks.
    """
    found = []
    for judge in summary.get("judges", ()):
        for suite, form in judge["suites"].items():
            mine = [one for one in held if (one.judge, one.suite) == (judge["name"], suite)]
            opinion = _of_judge(judge, suite, form, metrics)
            found.append(replace(opinion, lines=(*opinion.lines, *_beside(mine))))
    for suite, form in (people or {}).items():
        for baseline, pair in form["pairs"].items():
            found.append(_of_people(suite, baseline, pair, metrics))
        if form["marks"]:
            found.append(_of_marks(suite, form["marks"], metrics))
    return found


def withdrawals(sheets: Sequence[Withdrawn]) -> list[Opinion]:
    """Sheets handed out that nobody waits for any more, each with its reason."""
    if not sheets:
        return []
    lines = sum(one.lines for one in sheets)
    facts = (
        Fact(
            name=f"{one.sheet} of {one.rater}",
            value=f"{one.lines:,} lines on {one.suite}",
            note=one.because,
        )
        for one in sheets
    )
    return [
        Opinion(
            who="People",
            what=f"sheets withdrawn: {len(sheets):,}, with {lines:,} lines nobody waits for",
            state="inconclusive",
            badge="not in any figure",
            why="none of their lines had come back",
            lines=(),
            groups=(),
            raters=tuple(facts),
            notes=(),
        )
    ]


def judged_names(summary: Form) -> set[str]:
    """The metrics of judges, which are drawn with what tells whether to believe them."""
    return {
        metric
        for judge in summary.get("judges", ())
        for form in judge["suites"].values()
        for metric in metrics_of(
            judge["name"],
            judge["kind"],
            [key.rpartition(".")[2] for key in form.get("means", ())],
        )
    }


def _of_judge(judge: Form, suite: str, form: Form, metrics: Sequence[Metric]) -> Opinion:
    names = PairNames(by=judge["name"])
    pairwise = judge["kind"] == "pairwise"
    groups = _strengths(names.strength, suite, metrics)
    if not pairwise:
        wanted = [key.rpartition(".")[2] for key in form["means"]]
        marks = [f"{judge['name']}_{one}" for one in dict.fromkeys(wanted)]
        groups = _marks(marks, suite, metrics)
    lines = _pair_lines(form, judge["against"] or "the baseline") if pairwise else ()
    spent = judge["spent"]
    cost = f", cost {spent['cost']:g}" if spent["cost"] else ""
    notes = [
        f"{spent['asked']:,} replies asked for, {spent['kept']:,} kept from before, "
        f"{spent['prompt_tokens'] + spent['completion_tokens']:,} tokens{cost}"
    ]
    if form["unread"]:
        notes.append(f"{form['unread']:,} looks came to no verdict and count for nothing")
    if spent.get("key_said"):
        notes.append(f"{spent['key_said']:,} replies said its key, which was taken out")
    if judge.get("refused"):
        notes.append(f"its endpoint refused {judge['refused']:,} looks, at labels or at answers")
    return Opinion(
        who=f"Judge {judge['name']}",
        what=f"{judge['model']}, {judge['kind']}, on {suite}",
        state="inconclusive" if judge["locked"] else "pass",
        badge=SHUT if judge["locked"] else OPEN,
        why=judge["locked"] or "held against people's labels and a constant answer",
        lines=(*_calibration(judge["calibration"]), *lines),
        groups=tuple(groups),
        raters=(),
        notes=tuple(notes),
    )


def _of_people(suite: str, baseline: str, pair: Form, metrics: Sequence[Metric]) -> Opinion:
    so_far = pair["preference"]
    notes = [f"{so_far['won']:,} tasks won, {so_far['lost']:,} lost, {so_far['tied']:,} tied"]
    if pair["agreement"]["value"] is None and pair["agreement"]["n"]:
        notes.append("all raters said the same throughout: agreement beyond chance cannot be told")
    if pair["alike"]:
        notes.append(
            f"besides, {pair['alike']:,} tasks with two equal answers: ties nobody was asked about"
        )
    if "e_value" in so_far:
        words = {"better": "tuned is preferred", "worse": "tuned is not preferred"}
        told = words.get(so_far["outcome"], "open: rate more tasks")
        notes.append(
            f"looked at however often while ratings come in: {told} "
            f"(e-value {so_far['e_value']:.3g}; 20 tells)"
        )
    return Opinion(
        who="People",
        what=f"{len(pair['raters'])} raters, blind, on {suite}: {over(baseline).win}",
        state="pass",
        badge=OPEN,
        why="intervals are over tasks, for these raters",
        lines=(*_alpha(pair["agreement"]), *_pair_lines(pair, baseline)),
        groups=tuple(_strengths(PairNames(by=PEOPLE).strength, suite, metrics)),
        raters=tuple(_rater(name, one) for name, one in pair["raters"].items()),
        notes=tuple(notes),
    )


def _of_marks(suite: str, marks: Mapping[str, Form], metrics: Sequence[Metric]) -> Opinion:
    lines = [
        line for name, form in marks.items() for line in _alpha(form["agreement"], f" on {name}")
    ]
    raters = {rater for form in marks.values() for rater in form["raters"]}
    return Opinion(
        who="People",
        what=f"marks of {len(raters)} raters, blind, on {suite}",
        state="pass",
        badge=OPEN,
        why="intervals are over tasks, for these raters",
        lines=tuple(lines),
        groups=tuple(_marks([f"{PEOPLE}_{name}" for name in marks], suite, metrics)),
        raters=(),
        notes=(),
    )


def _pair_lines(form: Form, baseline: str) -> Iterator[Line]:
    yield from _line("win rate", f"preferred to {baseline}", form["win_rate"], 0.5)
    equal = "were both answers as long"
    yield from _line("at equal length", equal, form["length_controlled"], 0.5)
    first = "of decided looks; half where order does not count"
    yield from _line("first shown preferred", first, form["first_shown"], 0.5)
    yield from _line("turns with the order", "none is best", form["inconsistent"])
    yield from _line("says the same again", "all is best", form["repeated"])


def _calibration(form: Form | None) -> Iterator[Line]:
    if form is None:
        return
    asked = form.get("asked") or {"agreement": None, "sentinel": None}
    says = "the lower bound must reach the line"
    yield from _line("agrees with people", says, form["agreement"], asked["agreement"])
    yield from _line("sees through a constant", says, form["sentinel"], asked["sentinel"])


def _beside(held: Sequence[Beside]) -> Iterator[Line]:
    for one in held:
        says = f"on the tasks people compared with {one.against}, too"
        yield from _line("says what people say", says, interval_form(one.same))
        yield from _alpha(interval_form(one.alpha), " with people")


def _alpha(form: Form, of: str = "") -> Iterator[Line]:
    who = "agrees" if of == " with people" else "raters agree"
    for line in _line(f"{who}{of}", "Krippendorff's alpha, 0 by chance", form):
        low, high = (max(-1.0, form[edge]) for edge in ("low", "high"))
        told = f"{low:.2f} to {high:.2f}"
        yield Line(
            name=line.name,
            says=line.says,
            text=f"{form['value']:.2f}",
            span=told,
            n=line.n,
            x=line.x,
            low=line.low,
            high=line.high,
        )


def _line(name: str, says: str, form: Form, mark: float | None = None) -> Iterator[Line]:
    """The figure, where it was measured at all."""
    if not form["n"] or form["value"] is None:
        return
    low = 0.0 if form["low"] is None else form["low"]
    high = 1.0 if form["high"] is None else form["high"]
    yield Line(
        name=name,
        says=says,
        text=percent(form["value"]),
        span=span(low, high),
        n=form["n"],
        x=WHOLE.at(form["value"]),
        low=WHOLE.at(low),
        high=WHOLE.at(high),
        mark=None if mark is None else WHOLE.at(mark),
    )


def _rater(name: str, form: Form) -> Fact:
    shown = form["first_shown"]
    first = "" if shown is None else f"first shown preferred in {bare(shown)} % of those decided"
    value = f"{form['rated']:,} rated, win rate {percent(form['win_rate'])}"
    return Fact(name=name, value=value, note=first)


def _strengths(name: str, suite: str, metrics: Sequence[Metric]) -> list[Group]:
    found = alone(metrics, suite, name, ALL)
    if not found:
        return []
    edges = [x for one in found for x in (one.value, one.low, one.high) if math.isfinite(x)]
    edges += [-WEAK, WEAK]  # else nothing at all would fill the whole width
    scale = scale_for(edges, found[0].unit, signed=True)
    found = [replace(one, value=round(one.value, DIGITS)) for one in found]
    row = row_of("strength", "Bradley and Terry's, 0 on average", found, scale)
    return [Group(title="Strengths, in logits", rows=(row,), ticks=scale.ticks)]


def _marks(names: Sequence[str], suite: str, metrics: Sequence[Metric]) -> list[Group]:
    rows = [
        row_of(name.partition("_")[2], "mean mark", some, WHOLE)
        for name in names
        if (some := alone(metrics, suite, name, ALL))
    ]
    return [Group(title="Marks", rows=tuple(rows), ticks=WHOLE.ticks)] if rows else []
