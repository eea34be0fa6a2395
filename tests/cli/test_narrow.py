"""Tables and lines in a narrow terminal: nothing overlaps, nothing is cut."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from tutelage.cli.candidates import draw_comparison
from tutelage.cli.terminal import listed, tell
from tutelage.evaluate.candidate_page import Comparison

LONG = "some-organisation/a-base-of-135M-instruct"
FOUND = Comparison(
    bases=("tiny", LONG, "other"),
    lines=(
        ("parameters", ("1,234,567", "134,515,008", "9")),
        ("calls.exact_match few_shot", ("12.3 [10.1 14.2]", "22.3 [20.1 24.2]", "–")),
        ("  difference to the first", ("–", "+10.0 [+7.0 +12.0]", "–")),
    ),
)


def screen(width: int) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=width, color_system=None, markup=False), stream


def lines_of(stream: io.StringIO) -> list[str]:
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_bases_stand_side_by_side_where_there_is_room() -> None:
    console, stream = screen(140)
    draw_comparison(console, FOUND)
    lines = lines_of(stream)
    assert lines[0].split() == ["tiny", LONG, "other"]
    assert len(lines) == 1 + len(FOUND.lines)


@pytest.mark.parametrize("width", [40, 60, 80])
def test_in_a_narrow_terminal_every_base_is_listed_with_all_that_was_found(width: int) -> None:
    console, stream = screen(width)
    draw_comparison(console, FOUND)
    lines = lines_of(stream)
    assert max(map(cell_len, lines)) <= width
    shown = "".join("".join(line.split()) for line in lines)
    for name, cells in FOUND.lines:
        assert name.strip() in lines
        assert all("".join(cell.split()) in shown for cell in cells)
    assert shown.count(LONG) == len(FOUND.lines)
    assert not any("…" in line for line in lines)


def test_a_name_and_what_is_said_of_it_share_a_line_where_all_have_room() -> None:
    console, stream = screen(20)
    listed(console, [("a", "1"), ("bcd", "2")])
    assert lines_of(stream) == ["  a    1", "  bcd  2"]
    console, stream = screen(20)
    listed(console, [("a", "1"), ("bcd", "twelve characters")])
    assert lines_of(stream) == ["  a", "    1", "  bcd", "    twelve", "      characters"]


def test_what_a_terminal_has_no_room_for_goes_on_below_indented() -> None:
    console, stream = screen(16)
    tell(console, "  calls 50.0 -> 54.0 and_a_word_too_long_for_a_line")
    lines = lines_of(stream)
    assert lines[0].startswith("  calls")
    assert all(line.startswith("    ") and len(line) <= 16 for line in lines[1:])
    assert "".join("".join(lines).split()) == "calls50.0->54.0and_a_word_too_long_for_a_line"


def test_signs_of_two_columns_are_counted_as_two() -> None:
    console, stream = screen(12)
    tell(console, "模型的回答比以前好")
    assert all(cell_len(line) <= 12 for line in lines_of(stream))
    assert "".join("".join(lines_of(stream)).split()) == "模型的回答比以前好"


def test_in_a_file_a_line_stays_one() -> None:
    console, stream = screen(120)
    tell(console, "word " * 60)
    assert len(lines_of(stream)) == 1
