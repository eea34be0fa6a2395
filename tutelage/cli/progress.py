"""Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TextColumn
from rich.text import Text

from tutelage.cli.streams import say
from tutelage.cli.terminal import console, duration
from tutelage.core.progress import StageState, Tick

LINE_SECONDS = 10.0  # between two lines of one stage, where there is no terminal
REDRAWN = 4  # times a second
NARROW, WIDE = 60, 90  # columns from which more is drawn


class Listener:
    """Hears the stages: keeps warnings, times stages, hands the rest to a face."""

    def __init__(self, face: Face, warnings: list[str], clock: Callable[[], float]) -> None:
        self.face = face
        self.warnings = warnings
        self.clock = clock
        self.began: dict[str, float] = {}

    def stage(self, name: str, state: StageState, note: str) -> None:
        """A stage began, was made, or was taken from the store."""
        if state == "begun":
            self.began[name] = self.clock()
            return
        if state == "reused":
            self.face.end(name, f"unchanged, taken from the store: {note}")
            return
        took = self.clock() - self.began.get(name, self.clock())
        self.face.end(name, f"made {note} in {duration(took)}")

    def tick(self, tick: Tick) -> None:
        """A stage went forward."""
        now = self.clock()
        began = self.began.setdefault(tick.stage, now)
        self.face.draw(tick, remaining(tick, now - began))

    def warn(self, message: str) -> None:
        """Something the user should know."""
        self.warnings.append(message)
        self.face.say(f"warning: {message}")


class Lines:
    """A face for files and pipes: plain lines, not too many."""

    def __init__(self, stream: IO[str], clock: Callable[[], float]) -> None:
        self.stream = stream
        self.clock = clock
        self.last: dict[str, float] = {}

    def draw(self, tick: Tick, seconds: float | None) -> None:
        """Says how far a stage is, unless it began or said so a moment ago."""
        now = self.clock()
        if now - self.last.setdefault(tick.stage, now) < LINE_SECONDS:
            return
        self.last[tick.stage] = now
        ahead = [f"about {duration(seconds)} left"] if seconds is not None else []
        words = ", ".join([far(tick), *figures(tick), *ahead])
        self.say(f"{tick.stage:<9} {words}")

    def end(self, stage: str, note: str) -> None:
        """Says how a stage ended."""
        self.say(f"{stage:<9} {note}")

    def say(self, line: str) -> None:
        """Says one line."""
        say(line, self.stream)


class Bar:
    """A face for terminals: one bar for the stage at work, as much as fits its width."""

    def __init__(self, drawn: Console) -> None:
        self.console = drawn
        self.progress = Progress(
            *_columns(drawn.width),
            console=drawn,
            transient=True,
            refresh_per_second=REDRAWN,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.tasks: dict[str, TaskID] = {}

    def draw(self, tick: Tick, seconds: float | None) -> None:
        """Moves the bar of the tick's stage."""
        if tick.stage not in self.tasks:
            self.tasks[tick.stage] = self.progress.add_task(
                tick.stage, total=tick.total, figures="", remaining=""
            )
        shown = [far(tick), *figures(tick)] if self.console.width >= WIDE else figures(tick)[:1]
        self.progress.update(
            self.tasks[tick.stage],
            completed=tick.done,
            total=tick.total,
            figures=" · ".join(shown),
            remaining="" if seconds is None else duration(seconds),
        )

    def end(self, stage: str, note: str) -> None:
        """Takes the stage's bar away and says how it ended."""
        if stage in self.tasks:
            self.progress.remove_task(self.tasks.pop(stage))
            self.progress.refresh()
        self.say(f"{stage:<9} {note}")

    def say(self, line: str) -> None:
        """Says one line above the bar."""
        self.progress.print(Text(line))


Face = Lines | Bar


@contextmanager
def listener(stream: IO[str], warnings: list[str]) -> Iterator[Listener]:
    """A listener for the block: a bar where the stream is a terminal, else lines."""
    clock = time.monotonic
    if not stream.isatty():
        yield Listener(Lines(stream, clock), warnings, clock)
        return
    bar = Bar(console(stream))
    with bar.progress:
        yield Listener(bar, warnings, clock)


def remaining(tick: Tick, elapsed: float) -> float | None:
    """Seconds a stage still takes: what it says itself, else by its pace so far."""
    if "seconds_left" in tick.figures:
        return tick.figures["seconds_left"]
    if not tick.total or tick.done <= 0 or elapsed < 1.0:
        return None
    return elapsed * max(0.0, tick.total - tick.done) / tick.done


def far(tick: Tick) -> str:
    """`120 of 700 answers`."""
    total = f" of {tick.total:,.0f}" if tick.total else ""
    return f"{tick.done:,.0f}{total} {tick.unit}"


def figures(tick: Tick) -> list[str]:
    """The tick's figures, loss first, written for people."""
    named = {key: value for key, value in tick.figures.items() if key != "seconds_left"}
    ordered = sorted(named.items(), key=lambda item: item[0] != "loss")
    return [_figure(name, value) for name, value in ordered]


def _figure(name: str, value: float) -> str:
    if name.endswith("_per_second"):
        written = f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
        return f"{written} {name.removesuffix('_per_second').replace('_', ' ')}/s"
    return f"{name.replace('_', ' ')} {value:.4g}"


def _columns(width: int) -> list[ProgressColumn]:
    name: ProgressColumn = TextColumn("{task.description}", markup=False)
    bar: ProgressColumn = BarColumn(bar_width=12 if width < WIDE else 30)
    share: ProgressColumn = TextColumn("{task.percentage:>3.0f} %", markup=False)
    shown: ProgressColumn = TextColumn("{task.fields[figures]}", markup=False)
    left: ProgressColumn = TextColumn("{task.fields[remaining]}", markup=False)
    return [name, share, shown, left] if width < NARROW else [name, bar, share, shown, left]
