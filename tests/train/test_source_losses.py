from __future__ import annotations

import numpy as np
import pytest
import torch

from tutelage.render.lesson import Lesson
from tutelage.render.pack import pack
from tutelage.train.sources import REST, SHOWN, BySource


def test_each_files_loss_is_the_weighted_mean_of_its_own_tokens() -> None:
    lessons = [
        Lesson(prompt=(1,), completion=(2, 3)),
        Lesson(prompt=(4,), completion=(5,), weight=3.0),
        Lesson(prompt=(6,), completion=(7,)),
    ]
    (row,) = pack(lessons, 16, np.random.default_rng(0))
    given = {0: -1.0, 1: -4.0, 2: -8.0}  # log-probability of each lesson's tokens
    logprob = torch.tensor([*(given[one] for one in row.lesson.tolist()), -99.0])  # and padding
    sources = BySource.of(["a.jsonl", "b.jsonl"], np.asarray([0, 1, 1], dtype=np.int32))
    found = sources.losses([row], [logprob])
    assert found == {
        "loss/b.jsonl": pytest.approx((3 * 4.0 + 8.0) / 4),
        "loss/a.jsonl": pytest.approx(1.0),
    }


def test_one_file_has_no_loss_of_its_own() -> None:
    sources = BySource.of(["a.jsonl"], np.zeros(3, dtype=np.int32))
    assert sources.losses([], []) == {}


def test_the_smallest_files_are_put_together_and_served_rows_are_one() -> None:
    names = [f"f{n}.jsonl" for n in range(10)] + ["event:1", "event:2"]
    of_lesson = np.repeat(np.arange(12), [20 - n for n in range(10)] + [10, 10]).astype(np.int32)
    sources = BySource.of(names, of_lesson)
    assert len(sources.names) == SHOWN
    assert sources.names[:2] == ("event", "f0.jsonl")  # 20 lessons each, by name
    assert sources.names[-1] == REST
    assert sources.of_lesson[-1] == 0
    assert sources.names[sources.of_lesson[20 + 19 + 18 + 17 + 16 + 15]] == REST
