from __future__ import annotations

from tutelage.cli.compare import LEAD, WIDTH, _apart


def test_long_answers_are_shown_from_where_they_part() -> None:
    same = "x" * 200
    shown = _apart([f"{same} one", f"{same} two", f"{same} one and more"])
    assert [line[LEAD + 1 :] for line in shown] == ["one", "two", "one and more"]
    assert all(line.startswith("…x") and len(line) <= WIDTH for line in shown)


def test_short_answers_and_those_that_differ_at_once_are_shown_from_the_start() -> None:
    assert _apart(["a", "ab", "b\n c"]) == ["a", "ab", "b c"]
    long = ["a" * 300, "b" * 300, "c" * 300]
    assert _apart(long) == [f"{one[: WIDTH - 1]}…" for one in long]
