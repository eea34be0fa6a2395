"""`curate --learning-curve` and `--unlikely`: what the base says of the rows, when it is asked."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from tutelage.cli.reply import Reply, Session
from tutelage.core.recipe import Recipe

if TYPE_CHECKING:
    from tutelage.train.learning import Learned
    from tutelage.train.unlikely import Weighed


def asked(session: Session, recipe: Recipe, force: bool, unlikely: int | None) -> Reply:
    """The dataset, and the rows its base expects least, else the curve over its rows."""
    from tutelage import pipeline

    with session.progress() as progress:
        if unlikely is not None:
            weighed, dataset = pipeline.unlikely(recipe, unlikely, progress=progress, force=force)
            return Reply(
                data=asdict(weighed),
                draw=lambda console: _draw(console, _weighed_lines(weighed)),
                artifacts=[("curate", dataset)],
            )
        found, dataset = pipeline.learning_curve(recipe, progress=progress, force=force)
    gain, low, high = found.curve.doubling()
    data = {
        "points": [asdict(one) for one in found.points],
        "slope": found.curve.slope,
        "doubling": {"gain": gain, "low": low, "high": high},
    }
    return Reply(
        data=data,
        draw=lambda console: _draw(console, _lines(found)),
        artifacts=[("curate", dataset)],
    )


def _draw(console: Console, lines: list[str]) -> None:
    for one in lines:
        console.print(Text(one), soft_wrap=True)


def _weighed_lines(found: Weighed) -> list[str]:
    """What is told to people; the words of rows are not."""
    told = [
        f"{one.loss:>7.3f} nats a token  {one.tokens:>6,} tokens  {one.source}  {one.row}"
        for one in found.rows
    ]
    told.append(
        f"of {found.weighed:,} rows the median is {found.median:.3f}, 99 % are below "
        f"{found.p99:.3f}; {found.skipped:,} could not be weighed"
    )
    return told


def _lines(found: Learned) -> list[str]:
    """What is told to people."""
    gain, low, high = found.curve.doubling()
    last = found.points[-1]
    told = [f"{one.rows:>9,} rows  validation loss {one.loss:.4f}" for one in found.points]
    told.append(
        f"twice the rows: {last.loss * (1 - gain):.4f}, {gain:.1%} less ({low:.1%} to {high:.1%})"
    )
    if low <= 0:
        told.append("by these trainings it is not certain that more rows like these help")
    return told
