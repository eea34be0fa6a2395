"""`compare`: two runs side by side, on the tasks both have answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from tutelage.cli.options import of_project
from tutelage.cli.reply import Reply
from tutelage.cli.terminal import counted, tell
from tutelage.core.errors import StoreError
from tutelage.core.printable import printable

if TYPE_CHECKING:
    from tutelage.evaluate.changed import Changed
    from tutelage.evaluate.compare import Comparison, Difference
    from tutelage.store.artifact import Artifact
    from tutelage.store.run import PastRun

MISSING = "(not set)"
RATE = 0.05  # of false findings among the slices that are told
SHOWN = 3  # tasks each way; `--json` has them all
SLICES = 10  # that differ
WIDTH = 100  # characters of an answer
LEAD = 24  # of them before the place where answers part


@click.command("compare")
@click.argument("first", metavar="RUN_A")
@click.argument("second", metavar="RUN_B")
@click.option("--system", default="tuned", metavar="NAME", help="Which system of each report.")
@of_project
def compare_command(first: str, second: str, system: str, project: Path) -> Reply:
    """Print what RUN_B does better or worse than RUN_A, paired task by task.

    A run is named by its name, the beginning of it, or its recipe. Keys of the
    recipes that differ are listed first; slices that differ, and tasks whose answers
    got worse or better, at the end. `--json` has all of both.
    """
    from tutelage.cli.results import find_past_run
    from tutelage.evaluate.compare import compare

    runs = (find_past_run(first, project), find_past_run(second, project))
    reports = (report_of(runs[0]), report_of(runs[1]))
    keys = differing(recipe_of(runs[0]), recipe_of(runs[1]))
    found = compare(*reports, system=system)

    def draw(console: Console) -> None:
        for line in [*_head(runs, keys), *_lines(found), *_slices(found), *_changed(found)]:
            tell(console, line)

    data = {
        "first": runs[0].name,
        "second": runs[1].name,
        "recipe": {key: {"first": one, "second": two} for key, (one, two) in keys.items()},
        **found.to_dict(),
    }
    return Reply(data=data, draw=draw, artifacts=[("evaluate", one) for one in reports])


def report_of(run: PastRun) -> Artifact:
    """The report of a run.

    Raises: StoreError where it did not come that far.
    """
    report = run.stages().get("evaluate")
    if report is None:
        raise StoreError(
            f"run `{run.name}` has no report", hint="`tutelage evaluate` with its recipe makes one"
        )
    return report


def recipe_of(run: PastRun) -> dict[str, Any]:
    """The run's recipe as it was followed, keys dotted."""
    import yaml

    from tutelage.store.run import RECIPE

    content = yaml.safe_load((run.folder / RECIPE).read_text(encoding="utf-8"))
    return dict(flat(content, ""))


def flat(content: object, lead: str) -> Iterator[tuple[str, Any]]:
    """Every value with its dotted key."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from flat(value, f"{lead}.{key}" if lead else str(key))
    elif isinstance(content, list) and any(isinstance(one, dict) for one in content):
        for index, value in enumerate(content):
            yield from flat(value, f"{lead}[{index}]")
    else:
        yield lead, content


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The keys whose values are not the same, with both values."""
    return {
        key: (first.get(key, MISSING), second.get(key, MISSING))
        for key in dict.fromkeys([*first, *second])
        if first.get(key, MISSING) != second.get(key, MISSING)
    }


def _head(runs: tuple[PastRun, PastRun], keys: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
    yield f"A  {runs[0].name}"
    yield f"B  {runs[1].name}"
    yield ""
    width = max((len(key) for key in keys), default=0)
    for key, (one, two) in keys.items():
        yield f"{key:<{width}}  {one} -> {two}"
    if not keys:
        yield "the recipes are the same"


def _lines(found: Comparison) -> Iterator[str]:
    for suite, shared in found.shared.items():
        yield ""
        left = found.unshared[suite]
        aside = f", {counted(left, 'task')} only one of them has" if left else ""
        yield f"{suite}: {counted(shared, 'task')} both answered{aside}; B − A with 95 % interval"
        own = [one for one in found.differences if one.suite == suite]
        width = max((len(one.measure.metric) for one in own), default=0)
        for one in own:
            yield f"  {one.measure.metric:<{width}}  {_difference(one)}"


def _slices(found: Comparison) -> Iterator[str]:
    """The slices that differ beyond what so many of them differ by chance, and how many do not."""
    if not found.slices:
        return
    told = [one for one in found.slices if one.adjusted is not None and one.adjusted <= RATE]
    yield ""
    yield (
        f"{counted(len(told), 'slice')} of {len(found.slices)} differ, of which 5 % are expected "
        "to be wrong (Benjamini-Hochberg)"
    )
    for one in sorted(told, key=lambda one: one.adjusted or 0.0)[:SLICES]:
        name = f"{one.suite}.{one.measure.metric}@{one.slice}"
        yield f"  {name}  {_difference(one)}, adjusted p {one.adjusted:.2g}"
    if len(told) > SLICES:
        yield f"  and {len(told) - SLICES} more, the surest shown; `--json` has them all"


def _changed(found: Comparison) -> Iterator[str]:
    """Some of the tasks whose answers got better and worse, one line each part."""
    for word, tasks in (
        ("worse", [one for one in found.changed if _gain(one, found) < 0]),
        ("better", [one for one in found.changed if _gain(one, found) > 0]),
    ):
        if not tasks:
            continue
        shown = min(SHOWN, len(tasks))
        yield ""
        yield f"{counted(len(tasks), 'task')} answered {word} in B; the first {shown}"
        for one in tasks[:SHOWN]:
            yield f"  {one.task}  {one.metric} {one.first:g} -> {one.second:g}"
            yield f"    {'asked':<8}  {_cut(_plain(one.request))}"
            answers = _apart([one.expected, one.first_answer, one.second_answer])
            for name, text in zip(("expected", "A", "B"), answers, strict=True):
                yield f"    {name:<8}  {text}"


def _gain(one: Changed, found: Comparison) -> float:
    """How much better the second answer is, by the metric's own direction."""
    lower = any(
        (known.suite, known.measure.metric) == (one.suite, one.metric)
        and known.measure.better == "lower"
        for known in found.differences
    )
    return one.first - one.second if lower else one.second - one.first


def _apart(texts: Sequence[str]) -> list[str]:
    """Each on one line, long ones from a little before the place where they part."""
    plain = [_plain(text) for text in texts]
    apart = (n for n, letters in enumerate(zip(*plain, strict=False)) if len({*letters}) > 1)
    start = max(0, next(apart, min(map(len, plain))) - LEAD)
    if start == 0 or max(map(len, plain)) <= WIDTH:
        return [_cut(text) for text in plain]
    return [_cut(f"…{text[start:]}") for text in plain]


def _plain(text: str) -> str:
    return printable(" ".join(text.split()))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"


def _difference(one: Difference) -> str:
    span = one.interval
    words = "no clear difference"
    if span.low > 0 or span.high < 0:
        words = "better" if (span.low > 0) == (one.measure.better == "higher") else "worse"
    split = one.discordant
    right = (split.only_first, split.only_second) if split else (0, 0)
    if one.measure.better == "lower":  # who has it is who is wrong
        right = right[::-1]
    tasks = (
        f", only A right {right[0]}, only B {right[1]}, p {one.p:.2g}"
        if split and one.p is not None
        else ""
    )
    scale = 100 if one.measure.unit == "share" else 1
    low, value, high = span.low * scale, span.value * scale, span.high * scale
    return (
        f"{one.first * scale:5.1f} -> {one.second * scale:5.1f}  "
        f"{value:+.1f} [{low:+.1f} {high:+.1f}] {words}{tasks}"
    )
