from __future__ import annotations

import pytest

from tests.score.fakes import row
from tutelage.core.errors import RecipeError
from tutelage.score.slices import slices_of
from tutelage.score.task import tasks_of


def test_a_tag_gives_a_slice_for_each_value() -> None:
    tasks = tasks_of(
        "s", [row("a", "x", kind="long wait"), row("b", "x", kind="bill"), row("c", "x")]
    )
    found = slices_of(tasks, ["kind"])
    assert [one.name for one in found] == ["kind=bill", "kind=long_wait"]
    assert [one.label for one in found] == ["bill", "long wait"]
    assert found[1].tasks == {tasks[0].id}


def test_lengths_fall_into_quartiles_that_hold_every_task_once() -> None:
    tasks = tasks_of("s", [row("w " * count, "x") for count in range(1, 13)])
    found = slices_of(tasks, ["length"])
    assert [one.name for one in found] == [f"length=q{number}" for number in (1, 2, 3, 4)]
    assert found[0].label == "1 to 3 words"
    assert sorted(id for one in found for id in one.tasks) == sorted(task.id for task in tasks)


def test_requests_of_one_length_are_one_slice() -> None:
    tasks = tasks_of("s", [row(f"word{number}", "x") for number in range(5)])
    (only,) = slices_of(tasks, ["length"])
    assert (only.label, len(only.tasks)) == ("1 word", 5)


def test_a_key_that_no_row_has_is_named_with_those_there_are() -> None:
    tasks = tasks_of("s", [row("a", "x", kind="bill")])
    with pytest.raises(RecipeError, match="kind") as caught:
        slices_of(tasks, ["kid", "length"])
    assert "`kid`" in caught.value.text()


def test_values_that_would_have_one_name_are_numbered() -> None:
    rows = [row(f"q{at}", "a", intent=value) for at, value in enumerate(("a b", "a_b", "a  b"))]
    found = {one.name: one.label for one in slices_of(tasks_of("s", rows), ["intent"])}
    assert found == {"intent=a_b": "a_b", "intent=a_b~2": "a  b", "intent=a_b~3": "a b"}
