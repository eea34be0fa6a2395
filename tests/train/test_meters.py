from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.engine.models import DENSE, VOCABULARY, saved_model
from tutelage.engine.backbone import open_backbone
from tutelage.render.lesson import Lesson
from tutelage.render.pack import PackedRow, pack
from tutelage.train.meters import Meters, Work, matmul_peak, work_of

HIDDEN, INNER = DENSE["hidden_size"], DENSE["intermediate_size"]
LAYER = HIDDEN * HIDDEN * (1 + 1 / 2 + 1 / 2 + 1) + 3 * HIDDEN * INNER  # half as many keys


def row() -> PackedRow:
    lessons = [Lesson(prompt=(1, 2), completion=(3,)), Lesson(prompt=(4,), completion=(5,))]
    (found,) = pack(lessons, 16, np.random.default_rng(0))
    return found


@pytest.mark.parametrize("frozen", [False, True])
def test_work_is_counted_from_the_layers_shapes(frozen: bool, tmp_path: Path) -> None:
    base, _ = saved_model("llama", tmp_path)
    work = work_of(open_backbone(base, precision=torch.float32, frozen=frozen), frozen=frozen)
    assert work == Work(
        matrices=int(3 * LAYER), width=3 * HIDDEN, head=VOCABULARY * HIDDEN, passes=3 - frozen
    )


def test_queries_wider_than_the_hidden_states_are_counted_whole(tmp_path: Path) -> None:
    base, _ = saved_model("qwen3", tmp_path)
    work = work_of(open_backbone(base, precision=torch.float32), frozen=False)
    assert work.width == 3 * DENSE["num_attention_heads"] * 32 > 3 * HIDDEN


def test_a_rows_work_is_matrices_head_and_attention() -> None:
    work = Work(matrices=10, width=4, head=100, passes=3)
    pairs = (1 + 2 + 3) + (1 + 2)
    assert work.of(row()) == 6 * (10 * 5 + 100 * 2) + 12 * 4 * pairs


def test_figures_are_of_what_was_counted() -> None:
    meters = Meters(work=Work(matrices=10, width=4, head=100, passes=3), peak=1e15, device="cpu")
    told = meters.count([row(), row()])
    assert told["tokens_per_second"] == pytest.approx(10 / told["seconds"])
    assert told["supervised_per_second"] == pytest.approx(4 / told["seconds"])
    assert told["memory_mb"] > 1
    assert told["mfu"] == pytest.approx(2 * meters.work.of(row()) / told["seconds"] / 1e15)
    assert set(meters.environment()) == {
        "tokens_per_second",
        "supervised_per_second",
        "mfu",
        "matmul_gflops",
    }


def test_the_peak_is_measured_once_and_is_more_than_a_step_reaches() -> None:
    threads = torch.get_num_threads()
    first = matmul_peak("cpu", torch.float32, threads)
    assert first == matmul_peak("cpu", torch.float32, threads)
    assert first > 1e9
