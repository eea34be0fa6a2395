from __future__ import annotations

from dataclasses import replace

import pytest

from tests.score.fakes import row, task
from tutelage.core.conversation import Message, ToolCall
from tutelage.core.errors import RecipeError
from tutelage.score.task import answer_text, suite_of, tasks_of


def test_a_task_asks_all_but_the_expected_answer() -> None:
    one = task("hello", "good day")
    assert [turn.content for turn in one.prompt.messages] == ["hello"]
    assert (one.request, one.expected) == ("hello", "good day")


def test_repeats_of_a_row_are_numbered_and_share_a_cluster() -> None:
    same = row("hello", "good day")
    first, second, other = tasks_of("s", [same, same, row("bye", "so long")])
    assert first.id == f"s/{same.id}"
    assert second.id == f"s/{same.id}-2"
    assert first.cluster == second.cluster != other.cluster
    assert suite_of(second.id) == "s"


def test_rows_of_one_author_share_a_cluster() -> None:
    first, second = tasks_of("s", [row("a", "b", author="ann"), row("c", "d", author="ann")])
    assert first.cluster == second.cluster


def test_tool_calls_are_compared_as_json() -> None:
    one = ToolCall(name="Play", arguments={"artist": "Bach"}, id="call-1")
    turn = Message(role="assistant", tool_calls=(one,))
    assert answer_text(turn) == '{"name":"Play","arguments":{"artist":"Bach"}}'
    both = replace(turn, tool_calls=(one, one))
    assert answer_text(both).startswith('[{"name":"Play"')


def test_a_cluster_that_a_row_does_not_tell_is_refused() -> None:
    rows = [row("a", "b", pair="1", seed="x"), row("c", "d", pair="1", seed="x")]
    assert len({one.cluster for one in tasks_of("s", rows, "pair")}) == 1
    with pytest.raises(RecipeError, match="2 of 2 rows of `s` have no `pari`") as raised:
        tasks_of("s", rows, "pari")
    assert raised.value.expected == "a key of every row: pair, seed"
    with pytest.raises(RecipeError, match="1 of 3 rows"):
        tasks_of("s", [*rows, row("e", "f")], "pair")
    assert {one.cluster for one in tasks_of("s", rows, "pari", "seed")} == {"x"}
