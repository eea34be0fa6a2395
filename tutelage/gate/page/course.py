"""What the page draws of the course of training: losses, learning rate, gradient norm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.gate.page.draw import Plot, Series, plot, smoothed, thinned

SOURCE = "loss/"
Rows = Sequence[dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Curves with a title; `names` say whose each curve is, empty where there is one."""

    title: str
    plot: Plot
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How a training went."""

    loss: Plot | None  # None without any step
    others: tuple[Chart, ...]
    remarks: tuple[str, ...]


def course(path: Path) -> Course:
    """The course of a training from its measured steps."""
    lines = path.read_text("utf-8").splitlines()
    rows: list[dict[str, float]] = [json.loads(line) for line in lines]
    loss = _loss(rows)
    if loss is None:
        return Course(loss=None, others=(), remarks=())
    sources = dict.fromkeys(name for row in rows for name in row if name.startswith(SOURCE))
    others = []
    if sources:
        names = tuple(name.removeprefix(SOURCE) for name in sources)
        curves = [_series(rows, name, str(number)) for number, name in enumerate(sources)]
        title = "Training loss of each file, smoothed"
        others.append(Chart(title=title, plot=plot(curves, title), names=names))
    for name, title in (("learning_rate", "Learning rate"), ("gradient_norm", "Gradient norm")):
        if any(name in row for row in rows):
            others.append(Chart(title=title, plot=plot([_series(rows, name, "0", 0)], title)))
    return Course(loss=loss, others=tuple(others), remarks=tuple(_remarks(rows)))


def _loss(rows: Rows) -> Plot | None:
    """The loss of every step, smoothed, and that of the validation split; None without any."""
    train = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    held = [(row["step"], row["validation_loss"]) for row in rows if "validation_loss" in row]
    if not train:
        return None
    series = [
        Series(name="step", points=thinned(train)),
        Series(name="train", points=thinned(smoothed(train))),
    ]
    if held:
        series.append(Series(name="validation", points=thinned(held)))
    ending = [loss for _, loss in train[-max(1, len(train) // 30) :]]
    mean = sum(ending) / len(ending)
    last = f"training loss {mean:.3f} at the end of {len(train):,} steps"
    return plot(series, last + (f", validation loss {held[-1][1]:.3f}" if held else ""))


def _series(rows: Rows, name: str, curve: str, share: float = 0.03) -> Series:
    points = [(row["step"], row[name]) for row in rows if name in row]
    return Series(name=curve, points=thinned(smoothed(points, share)))


def _remarks(rows: Rows) -> list[str]:
    """What went otherwise than it should, a sentence each."""
    said = {
        "skipped": "left out by a guard",
        "spike": "with a leap of the loss",
        "overfitting": "after which it looked overfitted",
    }
    found = []
    for mark, says in said.items():
        steps = [f"{row['step']:,.0f}" for row in rows if mark in row]
        if steps:
            more = f" and {len(steps) - 10} more" if len(steps) > 10 else ""
            found.append(f"Steps {says}: {', '.join(steps[:10])}{more}.")
    return found
