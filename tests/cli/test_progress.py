"""Progress: lines for files, bars for terminals, whatever their width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tutelage.cli.progress import Bar, Lines, Listener, figures, remaining
from tutelage.cli.terminal import duration, size
from tutelage.core.progress import Tick


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tick(done: float, loss: float = 1.5) -> Tick:
    return Tick(
        stage="train",
        done=done,
        total=100,
        unit="steps",
        figures={"tokens_per_second": 5012.4, "loss": loss},
    )


def test_lines_come_at_a_modest_rate() -> None:
    clock, stream = Clock(), io.StringIO()
    listener = Listener(Lines(stream, clock), [], clock)
    listener.stage("train", "begun", "adapter")
    for second in range(30):
        clock.now = float(second)
        listener.tick(tick(second))
    listener.stage("train", "made", "adapter-0123")
    assert stream.getvalue().splitlines() == [
        "train     10 of 100 steps, loss 1.5, 5,012 tokens/s, about 1 min 30 s left",
        "train     20 of 100 steps, loss 1.5, 5,012 tokens/s, about 1 min 20 s left",
        "train     made adapter-0123 in 29 s",
    ]


def test_a_reused_stage_says_so() -> None:
    clock, stream = Clock(), io.StringIO()
    Listener(Lines(stream, clock), [], clock).stage("train", "reused", "adapter-0123")
    assert stream.getvalue() == "train     unchanged, taken from the store: adapter-0123\n"


def test_a_warning_is_said_and_kept() -> None:
    clock, stream, kept = Clock(), io.StringIO(), list[str]()
    Listener(Lines(stream, clock), kept, clock).warn("3 rows are cut")
    assert kept == ["3 rows are cut"]
    assert stream.getvalue() == "warning: 3 rows are cut\n"


@pytest.mark.parametrize("width", [20, 40, 60, 120])
def test_a_bar_fits_its_terminal(width: int) -> None:
    stream, clock = io.StringIO(), Clock()
    drawn = Console(file=stream, width=width, force_terminal=True, color_system=None)
    bar = Bar(drawn)
    listener = Listener(bar, [], clock)
    listener.tick(tick(0))
    clock.now = 10.0
    listener.tick(tick(50, loss=0.7512))
    with drawn.capture() as capture:
        drawn.print(bar.progress.get_renderable())
    lines = capture.get().splitlines()
    assert len(lines) == 1
    assert len(lines[0]) <= width
    if width >= 40:
        assert "50 %" in lines[0]
        assert "loss 0.7512" in lines[0]
        assert "10 s" in lines[0]
    if width >= 120:
        assert "5,012 tokens/s" in lines[0]


def test_a_live_bar_is_drawn_and_taken_away() -> None:
    stream, clock = io.StringIO(), Clock()
    drawn = Console(file=stream, width=60, force_terminal=True, color_system=None)
    bar = Bar(drawn)
    with bar.progress:
        listener = Listener(bar, [], clock)
        listener.tick(tick(0))
        listener.tick(tick(50))
        listener.stage("train", "made", "adapter-0123")
    assert "train     made adapter-0123 in 0 s" in stream.getvalue()


def test_a_stage_may_know_better_how_long_it_takes() -> None:
    asked = Tick(stage="train", done=1, total=10, figures={"seconds_left": 42.0})
    assert remaining(asked, 100.0) == 42.0
    assert figures(asked) == []


def test_nothing_is_foretold_from_a_moment() -> None:
    assert remaining(tick(1), 0.2) is None
    assert remaining(Tick(stage="curate", done=5), 10.0) is None


def test_figures_for_people() -> None:
    assert [duration(8), duration(185), duration(7800)] == ["8 s", "3 min 05 s", "2 h 10 min"]
    assert [size(812), size(3.1 * (1 << 20)), size(1.2 * (1 << 30))] == [
        "812 B",
        "3.1 MiB",
        "1.20 GiB",
    ]
