from __future__ import annotations

from typing import Any

import numpy as np

from tutelage.score.people import people_form
from tutelage.score.rating import Rating


def rating(task: int, author: str, value: float) -> Rating:
    return Rating(
        rater="ann",
        item=f"s/{task}",
        cluster=author,
        first="tuned",
        second="zero_shot",
        value=value,
    )


def so_far(ratings: list[Rating]) -> Any:
    form: Any = people_form(ratings, lambda name: np.random.default_rng(0))
    return form["s"]["pairs"]["zero_shot"]["preference"]


def test_a_cluster_is_won_or_lost_once() -> None:
    told = so_far([rating(task, f"author{task // 10}", 1.0) for task in range(40)])
    assert (told["won"], told["lost"], told["tied"], told["n"]) == (4, 0, 0, 4)
    assert told["outcome"] == "open"  # four authors, not forty opinions
    alone = so_far([rating(task, f"author{task}", 1.0) for task in range(40)])
    assert (alone["won"], alone["outcome"]) == (40, "better")


def test_a_cluster_that_goes_both_ways_alike_is_tied() -> None:
    told = so_far([rating(task, "one", float(task % 2)) for task in range(10)])
    assert (told["won"], told["lost"], told["tied"]) == (0, 0, 1)
